"""What one process can hold and settle, durably, beside what its PostgreSQL commits at all.

`just bench-writes` prints it; `just bench-writes --keep` also writes `results/write_path.json`.
There is no HTTP and no provider: an inference is its hold and its settlement through the journal of
a gateway, on the PostgreSQL that a server starts for itself. Everything shares the machine, so read
the ratios, not the rates.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from ainfera_server import gateway as gateways
from ainfera_server.cli import first_start
from ainfera_server.gateway import Gateway
from ainfera_server.inference import record
from ainfera_server.postgres import embedded, migrate
from ainfera_server.postgres import pool as pools
from ainfera_server.postgres.embedded import Server
from ainfera_server.settings import Settings
from benchmarks import commit_rate, machine, write_report, written_inferences
from benchmarks.durable import WriteCell, WriteResult
from benchmarks.programs import Percentiles
from benchmarks.written_inferences import Routine

AGENTS = (1, 1000)
CALLERS = (1, 16, 64, 256)
WARM_S = 0.5
MEASURE_S = 2.0
HEIGHT = "select height from audit_log_heads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What runs while something is measured; `database_id` is PostgreSQL's first process."""

    gateway: Gateway
    routines: tuple[Routine, ...]
    database_id: int


def main() -> None:
    """Measure everything, print it, and keep it if told to."""
    asked = argparse.ArgumentParser(prog="just bench-writes", description=__doc__)
    asked.add_argument("--keep", action="store_true", help="write the result to its file too")
    is_kept: bool = asked.parse_args().keep
    if sys.platform != "linux":
        sys.exit("benchmarks.write_path: it reads processor times as Linux tells them.")
    result = measured()
    print("\n\n".join(write_report.paragraphs(result)))
    if is_kept:
        write_report.keep(result)


def measured() -> WriteResult:
    """Start a PostgreSQL, measure, and stop it."""
    with TemporaryDirectory(prefix="ainfera-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL runs as an account of its own when we are root.
        with embedded.running(folder / "data") as server:
            migrate.upgrade(server.dsn)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(_measured(folder, server))


async def _measured(folder: Path, server: Server) -> WriteResult:
    began_s = time.monotonic()
    plain = server.dsn_as(user="postgres", database="postgres")
    database_id = int(server.cluster.pid_file.read_text(encoding="utf-8").splitlines()[0])
    settings = Settings(data_dir=folder, provider_keys={"mistral": "of-nobody"})
    async with gateways.opened(settings, dsn=server.dsn, writes=record.writes) as gateway:
        await first_start.prepare(gateway)
        _say(f"{max(AGENTS)} agents are signed up ...")
        routines = await written_inferences.routines(gateway, agents=max(AGENTS))
        bench = Bench(gateway=gateway, routines=routines, database_id=database_id)
        before_s, others_before_s = time.monotonic(), _others_s(bench)
        commits = await commit_rate.measured(plain)
        cells = [await _cell(bench, agents, callers) for agents, callers in _shapes()]
        commits_after = await commit_rate.measured(plain)
        others_s = _others_s(bench) - others_before_s
        measuring_s = time.monotonic() - before_s
    return WriteResult(
        measured_on=datetime.now(UTC).date().isoformat(),
        machine=machine.kind(),
        versions={**machine.versions(), "PostgreSQL": server.version},
        took_s=round(time.monotonic() - began_s, 1),
        others_cores=round(max(0.0, others_s / measuring_s), 2),
        commits=commits,
        commits_after=commits_after,
        cells=tuple(cells),
    )


def _shapes() -> Iterator[tuple[int, int]]:
    return ((agents, callers) for agents in AGENTS for callers in CALLERS)


async def _cell(bench: Bench, agents: int, callers: int) -> WriteCell:
    """Have so many callers write for so many agents, one inference after another."""
    _say(f"{agents} agents, {callers} callers ...")
    among = bench.routines[:agents]
    await _written(bench, among, callers, seconds=WARM_S)
    counted = (os.getpid(), bench.database_id)
    height_before = await _height(bench)
    before_s = [machine.processor_s(one) for one in counted]
    began_s = time.monotonic()
    durations_s = await _written(bench, among, callers, seconds=MEASURE_S)
    seconds = time.monotonic() - began_s
    used_s = [machine.processor_s(one) - then for one, then in zip(counted, before_s, strict=True)]
    count = len(durations_s)
    client_us, server_us = (round(one * 1e6 / count, 1) for one in used_s)
    return WriteCell(
        agents=agents,
        callers=callers,
        inferences=count,
        events=await _height(bench) - height_before,
        seconds=round(seconds, 3),
        duration_us=_percentiles(durations_s),
        client_us=client_us,
        server_us=server_us,
    )


async def _written(
    bench: Bench, among: Sequence[Routine], callers: int, *, seconds: float
) -> list[float]:
    """How long each inference took, in seconds; those that had begun at the end come to theirs."""
    until_s = time.monotonic() + seconds
    durations_s: list[float] = []

    async def call(first: int) -> None:
        turn = first
        while (began_s := time.monotonic()) < until_s:
            await written_inferences.write(bench.gateway, among[turn % len(among)])
            durations_s.append(time.monotonic() - began_s)
            turn += callers

    await asyncio.gather(*map(call, range(callers)))
    return durations_s


async def _height(bench: Bench) -> int:
    """How many events the public log has."""
    async with pools.transaction(bench.gateway.pools.app) as connection:
        height: int = await connection.fetchval(HEIGHT)
        return height


def _percentiles(durations_s: list[float]) -> Percentiles:
    in_order = sorted(durations_s)
    return Percentiles(
        p50=round(in_order[len(in_order) // 2] * 1e6, 1),
        p99=round(in_order[len(in_order) * 99 // 100] * 1e6, 1),
    )


def _others_s(bench: Bench) -> float:
    """Processor time of the whole machine, but for what belongs to this run."""
    ours = (os.getpid(), bench.database_id)
    return machine.busy_s() - sum(machine.processor_s(one) for one in ours)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
