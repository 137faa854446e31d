"""What a run has measured, as tables for a terminal and for the page in docs/reference."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from benchmarks.measured import Cell, Result

KEPT = Path(__file__).resolve().parent / "results" / "http.json"


def keep(result: Result) -> None:
    """Make this the run that the page shows."""
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")


def kept() -> Result:
    """The run that the page shows."""
    return msgspec.json.decode(KEPT.read_bytes(), type=Result)


def paragraphs(result: Result) -> Iterator[str]:
    """A run in Markdown, without a title."""
    yield _circumstances(result)
    yield "## Answers in one piece"
    yield (
        "How many a second, and how long the middle one and the slowest in a hundred take. At one"
        " caller the added time is what a caller waits; with more, callers wait for each other, and"
        " the rate is what counts."
    )
    yield table(PLAIN_HEAD, [_plain_row(one) for one in result.cells if one.manner == "plain"])
    yield "## Streams, as fast as they go"
    yield (
        "64 texts, each an event and a write of its own, the next stream at once after the last."
        " The first text is what a caller waits for."
    )
    streamed = [one for one in result.cells if one.manner == "streamed"]
    yield table(STREAM_HEAD, [_stream_row(one) for one in streamed])
    yield "## Streams at the pace of a model"
    yield (
        "A text every 20 ms, in a burst: all streams begin in the same moment. The way of a text is"
        " from the provider's write to the caller's read."
    )
    paced = [one for one in result.cells if one.manner == "paced"]
    yield table(PACED_HEAD, [_paced_row(one) for one in paced])
    yield "## What it costs"
    yield (
        "Processor time for one answer, in microseconds, of the server and of PostgreSQL; for a"
        " text of a stream it is all of that, shared out. What the provider of this benchmark takes"
        " for an answer when it is called directly is the yardstick: machines differ, and the ratio"
        " does so less."
    )
    yield table(COST_HEAD, [_cost_row(one) for one in result.cells])


PLAIN_HEAD = (
    "callers speak",
    "callers",
    "direct a second",
    "Ainfera a second",
    "ratio",
    "direct p50 ms",
    "added p50 ms",
    "direct p99 ms",
    "added p99 ms",
)
STREAM_HEAD = (
    "callers speak",
    "callers",
    "direct texts a second",
    "Ainfera texts a second",
    "ratio",
    "direct first text p50 ms",
    "added p50 ms",
    "direct first text p99 ms",
    "added p99 ms",
)
PACED_HEAD = (
    "callers speak",
    "callers",
    "direct first text p50 ms",
    "added p50 ms",
    "direct first text p99 ms",
    "added p99 ms",
    "way p50 ms",
    "way p99 ms",
)
COST_HEAD = (
    "answers",
    "callers speak",
    "callers",
    "server",
    "PostgreSQL",
    "together",
    "for a text",
    "times the provider's",
)


def _circumstances(result: Result) -> str:
    machine = result.machine
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    return (
        f"Measured on {result.measured_on} in {result.took_s:.0f} s on {machine.cores} cores"
        f" ({machine.processor}, {machine.architecture}), {machine.memory_gib} GiB,"
        f" {machine.system}; callers, provider, server and database share them, and somebody else"
        f" used {result.others_cores:.2f} cores meanwhile. One worker; every call is routed, paid"
        f" from a wallet, chained and durable in PostgreSQL before its answer ends. {versions}."
    )


def _plain_row(cell: Cell) -> tuple[str, ...]:
    direct, ours = cell.direct, cell.ainfera
    direct_rate, rate = direct.answers / direct.seconds, ours.answers / ours.seconds
    return (
        cell.way,
        str(cell.callers),
        f"{direct_rate:,.0f}",
        f"{rate:,.0f}",
        _ratio(rate, direct_rate),
        _ms(direct.whole_us.p50),
        _ms(ours.whole_us.p50 - direct.whole_us.p50),
        _ms(direct.whole_us.p99),
        _ms(ours.whole_us.p99 - direct.whole_us.p99),
    )


def _stream_row(cell: Cell) -> tuple[str, ...]:
    direct, ours = cell.direct, cell.ainfera
    direct_rate, rate = direct.texts / direct.seconds, ours.texts / ours.seconds
    return (
        cell.way,
        str(cell.callers),
        f"{direct_rate:,.0f}",
        f"{rate:,.0f}",
        _ratio(rate, direct_rate),
        *_first_text(cell),
    )


def _paced_row(cell: Cell) -> tuple[str, ...]:
    relay = cell.ainfera.relay_us
    return (cell.way, str(cell.callers), *_first_text(cell), _ms(relay.p50), _ms(relay.p99))


def _first_text(cell: Cell) -> tuple[str, ...]:
    direct, ours = cell.direct.first_text_us, cell.ainfera.first_text_us
    return _ms(direct.p50), _ms(ours.p50 - direct.p50), _ms(direct.p99), _ms(ours.p99 - direct.p99)


def _cost_row(cell: Cell) -> tuple[str, ...]:
    together_us = cell.server_us + cell.database_us
    texts = cell.ainfera.texts / cell.ainfera.answers
    return (
        cell.manner,
        cell.way,
        str(cell.callers),
        f"{cell.server_us:,.0f}",
        f"{cell.database_us:,.0f}",
        f"{together_us:,.0f}",
        f"{together_us / texts:,.0f}" if texts else "",
        f"{together_us / cell.upstream_us:,.0f}",
    )


def _ms(duration_us: float) -> str:
    return f"{duration_us / 1000:,.2f}"


def _ratio(ours: float, direct: float) -> str:
    return f"1/{direct / ours:,.0f}" if ours < direct else "1"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Columns of one width, so that it reads as well on a terminal; numbers stand to the right."""
    widths = [max(len(line[column]) for line in (head, *rows)) for column in range(len(head))]
    are_numbers = [
        all(row[column][:1] in "-0123456789" for row in rows) for column in range(len(head))
    ]
    marks = tuple(
        "-" * (width - 1) + ":" if is_number else "-" * width
        for width, is_number in zip(widths, are_numbers, strict=True)
    )
    return "\n".join(
        "| "
        + " | ".join(
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(line, widths, are_numbers, strict=True)
        )
        + " |"
        for line in (head, marks, *rows)
    )
