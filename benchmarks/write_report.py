"""What a run of the write path has measured, as tables."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks import report
from benchmarks.durable import CommitRate, WriteCell, WriteResult

KEPT = Path(__file__).resolve().parent / "results" / "write_path.json"


def keep(result: WriteResult) -> None:
    """Make this the run that is shown."""
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")


def kept() -> WriteResult:
    """The run that is shown."""
    return msgspec.json.decode(KEPT.read_bytes(), type=WriteResult)


def paragraphs(result: WriteResult) -> Iterator[str]:
    """A run in Markdown, without a title."""
    machine = result.machine
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    yield (
        f"Measured on {result.measured_on} in {result.took_s:.0f} s on {machine.cores} cores"
        f" ({machine.processor}, {machine.architecture}), {machine.memory_gib} GiB,"
        f" {machine.system}; the process that writes and PostgreSQL share them, and somebody else"
        f" used {result.others_cores:.2f} cores meanwhile. {versions}."
    )
    yield "## What PostgreSQL commits at all"
    yield "One row in each transaction, before everything else and after it."
    commits = zip(result.commits, result.commits_after, strict=True)
    yield report.table(COMMIT_HEAD, [_commit_row(before, after) for before, after in commits])
    yield "## What is held and settled"
    yield (
        "One process. An inference is two durable writes, its hold and its settlement, with their"
        " events, receipt, decision and ledger entries; the time is that of both together. The"
        " ratio is of inferences to the rate of commits from one connection above."
    )
    one_connection = _mean(result.commits[0], result.commits_after[0])
    yield report.table(WRITE_HEAD, [_write_row(one, one_connection) for one in result.cells])


COMMIT_HEAD = ("connections", "commits a second before", "after")
WRITE_HEAD = (
    "agents",
    "callers",
    "inferences a second",
    "ratio",
    "events a second",
    "p50 ms",
    "p99 ms",
    "gateway us",
    "PostgreSQL us",
    "together us",
)


def _commit_row(before: CommitRate, after: CommitRate) -> tuple[str, ...]:
    return (str(before.connections), f"{before.a_second:,.0f}", f"{after.a_second:,.0f}")


def _write_row(cell: WriteCell, commits: float) -> tuple[str, ...]:
    rate = cell.inferences / cell.seconds
    return (
        f"{cell.agents:,}",
        str(cell.callers),
        f"{rate:,.0f}",
        f"{rate / commits:.2f}",
        f"{cell.events / cell.seconds:,.0f}",
        f"{cell.duration_us.p50 / 1000:,.2f}",
        f"{cell.duration_us.p99 / 1000:,.2f}",
        f"{cell.client_us:,.0f}",
        f"{cell.server_us:,.0f}",
        f"{cell.client_us + cell.server_us:,.0f}",
    )


def _mean(one: CommitRate, other: CommitRate) -> float:
    return (one.a_second + other.a_second) / 2
