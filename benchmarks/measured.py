"""What a run has measured, as it is kept in a file."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.machine import Machine
from benchmarks.programs import Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One question in one manner by so many callers: to the provider, then through Ainfera.

    The processor times are those of one answer, in microseconds. What the provider takes when it is
    called directly is the yardstick by which runs on different machines compare.
    """

    way: str
    manner: str
    callers: int
    direct: Load
    ainfera: Load
    upstream_us: float
    server_us: float
    database_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run; `others_cores` is how many cores somebody else kept busy meanwhile."""

    measured_on: str
    machine: Machine
    versions: Mapping[str, str]
    took_s: float
    others_cores: float
    cells: tuple[Cell, ...]
