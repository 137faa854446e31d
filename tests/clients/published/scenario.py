"""What a tool is put through, what it has to do then, and the line of the table that says so."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.clients.published.npm import Tool
from tests.clients.published.stand import Stand


class Unexpected(Exception):
    """A tool did something else; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One thing that a tool does. `runs` returns what is worth saying, or raises Unexpected."""

    name: str
    runs: Callable[[Tool, Stand], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How a scenario went."""

    tool: Tool
    scenario: str
    is_well: bool
    said: str
    facts: dict[str, str] = field(default_factory=dict[str, str])


def carried_out(tool: Tool, scenario: Scenario, stand: Stand) -> Line:
    """Run a scenario against a provider that has forgotten the one before."""
    stand.provider.requests.clear()
    stand.provider.answers()
    try:
        said = scenario.runs(tool, stand)
    except Unexpected as problem:
        return Line(tool=tool, scenario=scenario.name, is_well=False, said=str(problem))
    return Line(tool=tool, scenario=scenario.name, is_well=True, said=said)


def table(lines: list[Line]) -> str:
    """All lines, under the tools that they are about."""
    rows = [("", "tool", "version", "scenario", "")]
    rows += [
        ("ok" if one.is_well else "FAILED", one.tool.package, one.tool.version, one.scenario, "")
        for one in lines
    ]
    widths = [max(len(row[at]) for row in rows) for at in range(5)]
    said = ["", *(one.said for one in lines)]
    return "\n".join(
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=True)), words))
        for row, words in zip(rows, said, strict=True)
    )


def require(condition: object, said: str) -> None:
    """Go on only when something is so."""
    if not condition:
        raise Unexpected(said)
