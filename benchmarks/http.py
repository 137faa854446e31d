"""What Ainfera adds to a call, measured in one run against the same provider called directly.

`just bench` prints it; `just bench --keep` also writes `results/http.json`, from which `just docs`
makes the page. The server is started as users start it, on an empty database, with everything on:
each call is routed, paid for, chained and durable before its answer ends. Callers, provider, server
and database share the machine, so read the ratios, not the milliseconds.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from benchmarks import machine, programs, questions, report, running_server
from benchmarks.measured import Cell, Result
from benchmarks.programs import Load, Question, Spell, Unmeasurable, Upstream
from benchmarks.questions import Manner, Way
from benchmarks.running_server import RunningServer

AT_FIRST = Spell(callers=64, warm_s=0, measure_s=1)
"""Opens connections and prepares statements, before anything counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What runs while something is measured."""

    folder: Path
    upstream: Upstream
    server: RunningServer


def main() -> None:
    """Measure everything, print it, and keep it if told to."""
    asked = argparse.ArgumentParser(prog="just bench", description=__doc__)
    asked.add_argument("--keep", action="store_true", help="write the result to its file too")
    is_kept: bool = asked.parse_args().keep
    # What was started is stopped on the way out, which there is only when it is Python's.
    signal.signal(signal.SIGTERM, _stopped)
    try:
        result = measured()
    except Unmeasurable as problem:
        sys.exit(f"benchmarks.http: {problem}")
    print("\n\n".join(report.paragraphs(result)))
    if is_kept:
        report.keep(result)


def _stopped(_number: int, _frame: FrameType | None) -> None:
    sys.exit("benchmarks.http: stopped")


def measured() -> Result:
    """Start everything, measure it, and stop everything. Raises Unmeasurable."""
    if sys.platform != "linux":
        raise Unmeasurable("The programs that measure are written for Linux.")
    began_s = time.monotonic()
    with TemporaryDirectory(prefix="ainfera-bench-") as name:
        folder = Path(name)
        programs.compile_both(folder)
        with (
            programs.upstream(folder) as upstream,
            running_server.started(folder, upstream_port=upstream.port) as server,
        ):
            bench = Bench(folder=folder, upstream=upstream, server=server)
            for way in questions.WAYS:
                programs.load(folder, _through_ainfera(bench, way, questions.PLAIN), AT_FIRST)
            before_s, others_before_s = time.monotonic(), _others_s(bench)
            cells = tuple(_cells(bench))
            others_s = _others_s(bench) - others_before_s
            measuring_s = time.monotonic() - before_s
    return Result(
        measured_on=datetime.now(UTC).date().isoformat(),
        machine=machine.kind(),
        versions={**machine.versions(), "PostgreSQL": server.database_version},
        took_s=round(time.monotonic() - began_s, 1),
        others_cores=round(max(0.0, others_s / measuring_s), 2),
        cells=cells,
    )


def _cells(bench: Bench) -> Iterator[Cell]:
    for manner in questions.MANNERS:
        for way in questions.WAYS:
            for callers in manner.callers:
                print(f"{manner.name}, {way.name}, {callers} ...", file=sys.stderr, flush=True)
                yield _cell(bench, way, manner, callers)


def _cell(bench: Bench, way: Way, manner: Manner, callers: int) -> Cell:
    """Directly, and at once after it through Ainfera: a noisy minute is in both."""
    direct, (upstream_us,) = _asked(
        bench,
        _directly(bench, way, manner),
        Spell(callers=callers, texts=manner.texts, warm_s=0.2, measure_s=0.5),
        counted=(bench.upstream.process_id,),
    )
    ainfera, (server_us, database_us) = _asked(
        bench,
        _through_ainfera(bench, way, manner),
        Spell(callers=callers, texts=manner.texts, warm_s=0.3, measure_s=1.5),
        counted=(bench.server.process_id, bench.server.database_process_id),
    )
    return Cell(
        way=way.name,
        manner=manner.name,
        callers=callers,
        direct=direct,
        ainfera=ainfera,
        upstream_us=upstream_us,
        server_us=server_us,
        database_us=database_us,
    )


def _asked(
    bench: Bench, question: Question, spell: Spell, *, counted: tuple[int, ...]
) -> tuple[Load, list[float]]:
    """What callers saw, and what these processes used for one answer, in microseconds."""
    before_s = [machine.processor_s(one) for one in counted]
    seen = programs.load(bench.folder, question, spell)
    used_s = [machine.processor_s(one) - then for one, then in zip(counted, before_s, strict=True)]
    return seen, [round(one * 1e6 / seen.answers_in_all, 1) for one in used_s]


def _directly(bench: Bench, way: Way, manner: Manner) -> Question:
    return Question(
        port=bench.upstream.port, path=way.path, headers={}, body=questions.body(way, manner)
    )


def _through_ainfera(bench: Bench, way: Way, manner: Manner) -> Question:
    return Question(
        port=bench.server.port,
        path=way.path,
        headers={"authorization": f"Bearer {bench.server.api_key}"},
        body=questions.body(way, manner),
    )


def _others_s(bench: Bench) -> float:
    """Processor time of the whole machine, but for what belongs to this run."""
    ours = (os.getpid(), bench.server.database_process_id)
    return machine.busy_s() - sum(machine.processor_s(one) for one in ours)


if __name__ == "__main__":
    main()
