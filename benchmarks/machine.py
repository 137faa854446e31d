"""What Linux tells of the machine and of the processor time that processes have used."""

import contextlib
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PARTS = (
    "ainfera-server",
    "aiohttp",
    "asyncpg",
    "httptools",
    "msgspec",
    "orjson",
    "uvicorn",
    "uvloop",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Its kind, without a name by which to find it."""

    processor: str
    architecture: str
    cores: int
    memory_gib: int
    system: str


def kind() -> Machine:
    """The machine that this runs on."""
    release = ".".join(platform.release().split(".")[:2])
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        processor=_processor(),
        architecture=platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(memory / 2**30),
        system=f"{platform.system()} {release}",
    )


def versions() -> dict[str, str]:
    """Of Python, and of what stands in the way of a request."""
    return {"Python": platform.python_version(), **{one: metadata.version(one) for one in PARTS}}


def processor_s(process_id: int) -> float:
    """What a process and all that it started have used, those that are gone included."""
    children = _children()
    return sum(_own_s(one) for one in _tree(process_id, children))


def busy_s() -> float:
    """What everything on the machine has used."""
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, *_ = (
        int(number) for number in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + interrupts + soft_interrupts) / TICKS_PER_S


def _tree(process_id: int, children: dict[int, list[int]]) -> Iterator[int]:
    yield process_id
    for child in children.get(process_id, ()):
        yield from _tree(child, children)


def _children() -> dict[int, list[int]]:
    """By their parent, all processes that run now."""
    children: dict[int, list[int]] = {}
    for folder in PROC.glob("[1-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            parent = int(_numbers(int(folder.name))[1])
            children.setdefault(parent, []).append(int(folder.name))
    return children


def _numbers(process_id: int) -> list[str]:
    """What follows the name, which may itself have blanks and brackets."""
    return (PROC / str(process_id) / "stat").read_text().rpartition(")")[2].split()


def _own_s(process_id: int) -> float:
    """In user and system mode, of its own and of the children that it has buried.

    Counted in hundredths of a second, but measured, not sampled.
    """
    return sum(int(number) for number in _numbers(process_id)[11:15]) / TICKS_PER_S


def _processor() -> str:
    for line in (PROC / "cpuinfo").read_text().splitlines():
        name, _, text = line.partition(":")
        if name.strip() == "model name":
            return text.strip()
    return "unknown"
