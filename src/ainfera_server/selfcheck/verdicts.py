"""What a check says: one line for a promise, with its figures and whatever breaks it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

EXAMPLES_MAX = 3
"""How many of the things that break a rule are named; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A rule that does not hold, and where: at most so many places are named."""

    rule: str
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        more = self.count - len(self.examples)
        named = ", ".join(self.examples) + (f" and {more} more" if more else "")
        return f"{self.rule}: {named}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One promise: how much was looked at, and what does not hold."""

    promise: str
    figures: Mapping[str, int | str]
    faults: tuple[Fault, ...]

    @property
    def holds(self) -> bool:
        return not self.faults


def faults(rule: str, broken: Iterable[str]) -> tuple[Fault, ...]:
    """The fault of a rule, none when nothing breaks it."""
    found = tuple(broken)
    if not found:
        return ()
    return (Fault(rule=rule, count=len(found), examples=found[:EXAMPLES_MAX]),)
