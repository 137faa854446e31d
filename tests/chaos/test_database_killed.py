"""PostgreSQL is killed under load, and its connections are cut: what was acknowledged is there."""

from pathlib import Path

from ainfera_server.postgres import embedded, migrate
from tests.chaos import outages, saying
from tests.chaos.fleet import NewDatabase
from tests.postgres_fixtures import BIN_DIR
from tests.promises import proves

KILLS = 3
CUTS = 10
CUT_AT_ONCE = 3
SEED = 20


@proves(
    "no-overspend",
    "no-free-or-double-charge",
    "no-stuck-hold",
    "retries-are-safe",
    "acknowledged-survives",
)
async def test_what_was_acknowledged_survives_the_death_of_the_database(tmp_path: Path) -> None:
    with embedded.running(tmp_path / "store", bin_dir=BIN_DIR) as server:
        migrate.upgrade(server.dsn)
        superuser_dsn = server.dsn_as(user="postgres", database="ainfera")
        aftermath = await outages.endured(
            server.dsn,
            superuser_dsn,
            tmp_path,
            outages.kills(server),
            rounds=KILLS,
            seed=SEED,
        )
    saying.say(f"seed {SEED}: {aftermath.counted()}")
    assert aftermath.faults == ()
    assert aftermath.unanswered > 0, "callers noticed"


@proves("no-free-or-double-charge", "no-stuck-hold", "acknowledged-survives")
async def test_what_was_acknowledged_survives_connections_that_are_cut_at_any_moment(
    migrated: NewDatabase, tmp_path: Path
) -> None:
    with migrated() as (dsn, superuser_dsn):
        aftermath = await outages.endured(
            dsn,
            superuser_dsn,
            tmp_path,
            outages.cuts(superuser_dsn, most=CUT_AT_ONCE),
            rounds=CUTS,
            seed=SEED,
        )
    saying.say(f"seed {SEED}: {aftermath.counted()}")
    assert aftermath.faults == ()
