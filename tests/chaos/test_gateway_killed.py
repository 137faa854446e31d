"""A gateway is killed at every point of its money path: nothing is lost, stuck or paid twice."""

from pathlib import Path

from tests.chaos import fleet, killings, saying
from tests.chaos.fleet import Death, NewDatabase
from tests.chaos.scenarios import SCENARIOS
from tests.promises import proves

AT_EVERY_CHANGE = (
    "plain",
    "streamed",
    "fallback",
    "refused by the wallet",
    "idempotent",
    "recovering",
)
"""Wherever death makes a difference; all scenarios have their turn at night, at all points."""

KILLS_MIN = 200


@proves(
    "no-overspend",
    "no-free-or-double-charge",
    "no-stuck-hold",
    "retries-are-safe",
    "acknowledged-survives",
)
async def test_a_gateway_killed_at_any_point_loses_nothing_and_leaves_nothing_open(
    migrated: NewDatabase, tmp_path: Path
) -> None:
    scenarios = [one for one in SCENARIOS if one.name in AT_EVERY_CHANGE]
    async with fleet.opened(migrated, tmp_path) as lanes:
        points = await fleet.points(lanes[0], scenarios)
        saying.say("\n".join(fleet.table(points)))
        toll = await fleet.kill_all(
            lanes,
            (
                Death(scenario=one, deadly=number)
                for one in scenarios
                for number in fleet.different(points[one.name])
            ),
        )
    saying.say(toll.counted())
    assert toll.faults == []
    assert sum(one.point is not None for one in toll.killed) >= KILLS_MIN
    assert any(one.was_unheard for one in toll.killed), "a commit was cut off from its caller"


async def test_the_harness_finds_a_gateway_that_answers_before_it_is_paid(
    migrated: NewDatabase, tmp_path: Path
) -> None:
    async with fleet.opened(migrated, tmp_path, lanes_wanted=1) as (lane,):
        killed = await killings.kill(lane, SCENARIOS[0], None, loses_commits=True)
    assert any("its payment is not there" in fault for fault in killed.faults)
