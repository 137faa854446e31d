"""What a process of the harness is told to do, and what it tells before it ends, as JSON lines."""

from dataclasses import dataclass
from typing import Literal

from tests.chaos.asking import Question

NoteKind = Literal["point", "connected", "begun", "body", "end", "recovered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One life of a gateway: the questions it is asked, in order or `at_once`, and its last point.

    `recovers` has it look for expired holds instead. `deadly` is the number of a point, or its
    label; None lets it live to the end. `loses_commits` is a fault that the harness has to find:
    what the gateway writes is rolled back, and it is told that it was committed.
    """

    provider_url: str
    questions: tuple[Question, ...] = ()
    at_once: bool = False
    recovers: bool = False
    deadly: int | str | None = None
    loses_commits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that left a process: a point, or a piece of an answer on its way to the caller.

    `asked` says of which question. `text` is a point's label; `number` a process of the database,
    a status or how many holds were released; `headers` and `body` are of an answer.
    """

    kind: NoteKind
    asked: int = 0
    text: str = ""
    number: int = 0
    headers: dict[str, str] | None = None
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """How a process ended: by which signal, 0 for none, and all that it had told."""

    signal: int
    exit_code: int
    notes: tuple[Note, ...]
