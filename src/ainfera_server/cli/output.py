"""How commands print: columns for people, JSON lines for programs."""

import sys
from collections.abc import Mapping, Sequence

import orjson

Rows = Sequence[Mapping[str, object]]


def write(rows: Rows, *, as_json: bool) -> None:
    """Print rows that have the same columns; nothing, when there are none, for a program."""
    if as_json:
        for row in rows:
            sys.stdout.write(orjson.dumps(row, default=str).decode() + "\n")
        return
    for line in _columns(rows):
        sys.stdout.write(line + "\n")


def _columns(rows: Rows) -> list[str]:
    if not rows:
        return ["(none)"]
    table = [[name.replace("_", " ") for name in rows[0]]]
    table += [[_text(value) for value in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]


def _text(value: object) -> str:
    return "-" if value is None else str(value)
