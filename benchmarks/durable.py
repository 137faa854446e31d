"""What a run of the write path has measured, as it is kept in a file."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.machine import Machine
from benchmarks.programs import Percentiles


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitRate:
    """How many transactions of one row a PostgreSQL commits a second."""

    connections: int
    a_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteCell:
    """Inferences by so many callers for so many agents; times are of a hold and its settlement.

    Processor times are those of one inference, in microseconds: of the process that writes, with
    all that a gateway does for the two writes, and of PostgreSQL.
    """

    agents: int
    callers: int
    inferences: int
    events: int
    seconds: float
    duration_us: Percentiles
    client_us: float
    server_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult:
    """One run; `commits` before and after the cells; `others_cores` is what somebody else used."""

    measured_on: str
    machine: Machine
    versions: Mapping[str, str]
    took_s: float
    others_cores: float
    commits: tuple[CommitRate, ...]
    commits_after: tuple[CommitRate, ...]
    cells: tuple[WriteCell, ...]
