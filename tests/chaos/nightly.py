"""The long run: gateways killed at every point many times over, and a database killed under load.

    python -m tests.chaos.nightly [--kills 10000] [--outages 100] [--seed N] [--since ROUND]

Each round has databases of its own and a seed of its own, which it prints: `--seed` and `--since`
go on where a run was stopped, or do a round again. Exit code 1 when anything was wrong.
"""

import argparse
import asyncio
import contextlib
import random  # noqa: TID251 (seeded, so that a failure is found again)
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import psycopg

from ainfera_server.postgres import embedded, migrate
from ainfera_server.postgres.embedded import Server
from tests.chaos import fleet, outages, saying
from tests.chaos.fleet import Death, NewDatabase, Toll
from tests.chaos.scenarios import SCENARIOS

KILLS_IN_A_ROUND = 500
OUTAGES_IN_A_ROUND = 10
FIRST_SEED = 1


def main() -> None:
    """Run all rounds, and say what they found."""
    asked = argparse.ArgumentParser(prog="just nightly", description=__doc__)
    asked.add_argument("--kills", type=int, default=10_000, help="how many gateways to kill")
    asked.add_argument("--outages", type=int, default=100, help="how often to kill the database")
    asked.add_argument("--seed", type=int, default=FIRST_SEED, help="what the first round draws by")
    asked.add_argument("--since", type=int, default=0, help="the round to begin with")
    told = asked.parse_args()
    rounds = max(_rounds(told.kills, KILLS_IN_A_ROUND), _rounds(told.outages, OUTAGES_IN_A_ROUND))
    faults = 0
    for number in range(told.since, rounds):
        seed: int = told.seed + number
        kills = _share(told.kills, number, KILLS_IN_A_ROUND)
        deaths = _share(told.outages, number, OUTAGES_IN_A_ROUND)
        saying.say(f"round {number} of {rounds}, seed {seed}")
        found = [*_kill_gateways(kills, seed), *_kill_database(deaths, seed)]
        for fault in found:
            saying.say(f"  FAULT in round {number}, seed {seed}: {fault}")
        faults += len(found)
    saying.say(f"{faults} faults")
    sys.exit(1 if faults else 0)


def _rounds(wanted: int, in_a_round: int) -> int:
    return -(-wanted // in_a_round)


def _share(wanted: int, number: int, in_a_round: int) -> int:
    return max(0, min(in_a_round, wanted - number * in_a_round))


def _kill_gateways(kills: int, seed: int) -> list[str]:
    """Kill so many, at points drawn by the seed among all of all scenarios."""
    if not kills:
        return []
    with TemporaryDirectory(prefix="ainfera-nightly-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # The database runs as an account of its own.
        with embedded.running(folder / "store") as server:
            migrate.upgrade(server.dsn)
            toll = asyncio.run(_killed(_databases(server), folder, kills, seed))
    saying.say(f"  {toll.counted()}")
    return toll.faults


async def _killed(new_database: NewDatabase, folder: Path, kills: int, seed: int) -> Toll:
    draws = random.Random(seed)  # noqa: S311 (as above)
    async with fleet.opened(new_database, folder) as lanes:
        points = await fleet.points(lanes[0], SCENARIOS)
        if seed == FIRST_SEED:
            saying.say("\n".join(fleet.table(points)))
        every = [
            Death(scenario=one, deadly=number)
            for one in SCENARIOS
            for number in range(1, len(points[one.name]) + 1)
        ]
        return await fleet.kill_all(lanes, _drawn(every, kills, draws))


def _drawn(every: list[Death], kills: int, draws: random.Random) -> Iterator[Death]:
    """Each in turn, in an order that the seed decides, before any comes again."""
    left = kills
    while left:
        chosen = draws.sample(every, min(left, len(every)))
        yield from chosen
        left -= len(chosen)


def _kill_database(deaths: int, seed: int) -> list[str]:
    """Kill the database so many times under the load of two gateways."""
    if not deaths:
        return []
    with TemporaryDirectory(prefix="ainfera-nightly-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with embedded.running(folder / "store") as server:
            migrate.upgrade(server.dsn)
            aftermath = asyncio.run(
                outages.endured(
                    server.dsn,
                    server.dsn_as(user="postgres", database="ainfera"),
                    folder,
                    outages.kills(server),
                    rounds=deaths,
                    seed=seed,
                )
            )
    saying.say(f"  {aftermath.counted()}")
    return list(aftermath.faults)


def _databases(server: Server) -> NewDatabase:
    """Copies of the server's own database, in which nobody has been."""
    numbers = iter(range(1, 1_000_000))
    administrators = server.dsn_as(user="postgres", database="postgres")

    @contextlib.contextmanager
    def make() -> Generator[tuple[str, str]]:
        name = f"lane_{next(numbers)}"
        template = urlsplit(server.dsn).path.removeprefix("/")
        with psycopg.connect(administrators, autocommit=True) as connection:
            made = f"create database {name} template {template} owner ainfera"
            connection.execute(made.encode())
        yield (
            server.dsn_as(user="ainfera", database=name),
            server.dsn_as(user="postgres", database=name),
        )

    return make


if __name__ == "__main__":
    main()
