"""What checking evidence finds: a line for each check, and the first record that does not hold."""

from dataclasses import dataclass
from typing import Literal

State = Literal["holds", "fails", "open"]
"""`open` is what could not be checked, and why; it proves nothing either way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was checked; `count` is how many of the records held, from the first.

    `record` names the first that does not, and `place` counts it from 1; they are None when there
    is none, or when all of it is wrong together.
    """

    name: str
    records: str
    count: int
    state: State
    record: str | None = None
    place: int | None = None
    sentence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that was checked of a file, of which `subject` says what it is."""

    subject: str
    checks: tuple[Check, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found to be wrong."""
        return self.first_fault is None

    @property
    def not_made(self) -> tuple[str, ...]:
        """The names of the checks that could not be made."""
        return tuple(one.name for one in self.checks if one.state == "open")

    @property
    def first_fault(self) -> Check | None:
        """The first check that failed."""
        return next((one for one in self.checks if one.state == "fails"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """How many records held, and what the reader should know of them."""

    count: int
    sentence: str


class Fault(ValueError):
    """A record does not hold; `place` counts records from 1."""

    def __init__(
        self, sentence: str, *, record: str | None = None, place: int | None = None
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.record = record
        self.place = place


class Open(Exception):
    """A check cannot be made here; the message says why, and `held` how many records did hold."""

    def __init__(self, sentence: str, *, held: int = 0) -> None:
        super().__init__(sentence)
        self.held = held
