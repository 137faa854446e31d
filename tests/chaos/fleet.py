"""Several lanes at once, each of which kills one gateway after another."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from ainfera_server.selfcheck import checks
from ainfera_server.selfcheck.checks import Asked
from tests.chaos import killings, lanes
from tests.chaos.killings import Killed
from tests.chaos.lanes import Lane
from tests.chaos.scenarios import Scenario
from tests.selfcheck import clocks

LANES = 2
"""One keeps the database busy while the other has something to compute."""

NewDatabase = Callable[[], AbstractContextManager[tuple[str, str]]]
"""Makes a migrated database, and tells its DSN for the product and for the superuser."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """Which life to end, and where; `deadly` None lets it live."""

    scenario: Scenario
    deadly: int | None


@dataclass(slots=True, kw_only=True)  # tidy: grows while gateways are killed
class Toll:
    """What came of many deaths."""

    killed: list[Killed] = field(default_factory=list[Killed])
    faults: list[str] = field(default_factory=list[str])

    def counted(self) -> str:
        """A line for people."""
        by_point = Counter("died" if one.point else "lived" for one in self.killed)
        unheard = sum(one.was_unheard for one in self.killed)
        return (
            f"{by_point['died']} gateways were killed, {by_point['lived']} came to their end;"
            f" {unheard} payments were durable before their caller had heard so;"
            f" {len(self.faults)} faults"
        )


@contextlib.asynccontextmanager
async def opened(
    new_database: NewDatabase, data_dir: Path, *, lanes_wanted: int = LANES
) -> AsyncGenerator[tuple[Lane, ...]]:
    """Open lanes, each with a database of its own."""
    async with contextlib.AsyncExitStack() as stack:
        made: list[Lane] = []
        for number in range(lanes_wanted):
            dsn, superuser_dsn = stack.enter_context(new_database())
            folder = data_dir / f"lane-{number}"
            folder.mkdir()
            made.append(await stack.enter_async_context(lanes.opened(dsn, superuser_dsn, folder)))
        yield tuple(made)


async def points(lane: Lane, scenarios: Iterable[Scenario]) -> dict[str, tuple[str, ...]]:
    """The points of each scenario, numbered by living through it once."""
    return {one.name: await killings.points_of(lane, one) for one in scenarios}


def different(labels: Sequence[str]) -> list[int]:
    """The points at which death leaves another world behind than at the next one.

    After one crossing and before the next nothing leaves the process, so these two are one.
    """
    following = (*labels[1:], "the end")
    return [
        number
        for number, (label, next_one) in enumerate(zip(labels, following, strict=True), start=1)
        if not (label.startswith("after ") and next_one.startswith("before "))
    ]


def table(of: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The points of each scenario, for people."""
    for name, labels in of.items():
        yield f"{name}: {len(labels)} points"
        yield from (f"  {number:4} {label}" for number, label in enumerate(labels, start=1))


async def kill_all(over: Sequence[Lane], deaths: Iterable[Death]) -> Toll:
    """Carry out every death on whichever lane is free, and then read all books to the bottom."""
    toll = Toll()
    waiting = deque(deaths)
    async with asyncio.TaskGroup() as group:
        for lane in over:
            group.create_task(_kill(lane, waiting, toll))
    for lane in over:
        toll.faults += await asyncio.to_thread(_faults_in_books, lane)
    return toll


async def _kill(lane: Lane, waiting: "deque[Death]", toll: Toll) -> None:
    while waiting:
        death = waiting.popleft()
        killed = await killings.kill(lane, death.scenario, death.deadly)
        toll.killed.append(killed)
        toll.faults += [
            f"{killed.scenario}, point {killed.deadly} ({killed.point}): {fault}"
            for fault in killed.faults
        ]


def _faults_in_books(lane: Lane) -> list[str]:
    """What the self-check finds after all that."""
    asked = Asked(deep=True, clock=clocks.right)
    return [
        f"{verdict.promise}: {fault}"
        for verdict in checks.check(lane.dsn, asked)
        for fault in verdict.faults
    ]
