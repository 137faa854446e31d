"""The two programs in C of a benchmark: a provider that answers at once, and one that asks.

They are compiled when they are needed, because nothing slower can be trusted not to be what is
measured. That takes a C compiler called `cc`, and Linux.
"""

import contextlib
import shutil
import subprocess
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

SOURCES = Path(__file__).resolve().parent
COMPILE_TIMEOUT_S = 60
LOAD_TIMEOUT_S = 60


class Unmeasurable(Exception):
    """Nothing can be measured here; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The provider that runs, on a port of 127.0.0.1."""

    process_id: int
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Of many durations the middle one, and the one that one in a hundred exceeds."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the callers saw within the measured time; `answers_in_all` counts the rest as well.

    `relay_us` is how long each text of a stream was on its way from the provider's hands.
    """

    whole_us: Percentiles
    first_text_us: Percentiles
    relay_us: Percentiles
    seconds: float
    answers: int
    texts: int
    answers_in_all: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is sent, and to which port of 127.0.0.1."""

    port: int
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """How many ask and for how long; `texts` is how many a whole stream has, 0 if it is none."""

    callers: int
    warm_s: float
    measure_s: float
    texts: int = 0


def compile_both(folder: Path) -> None:
    """Make both programs in a folder. Raises Unmeasurable."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise Unmeasurable("A C compiler called `cc` is needed.")
    for name in ("upstream", "load"):
        command = (compiler, "-O2", "-o", str(folder / name), str(SOURCES / f"{name}.c"))
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=COMPILE_TIMEOUT_S
        )
        if done.returncode != 0:
            raise Unmeasurable(f"{name}.c does not compile here:\n{done.stderr}")


@contextlib.contextmanager
def upstream(folder: Path) -> Generator[Upstream]:
    """Have the provider run while the block does."""
    with subprocess.Popen((str(folder / "upstream"),), stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None, "it was asked to write into a pipe"
            port = int(process.stdout.readline())
            yield Upstream(process_id=process.pid, port=port)
        finally:
            process.terminate()


def load(folder: Path, question: Question, spell: Spell) -> Load:
    """Ask the same thing again and again. Raises Unmeasurable when any answer is not a success."""
    numbers = (
        question.port,
        spell.callers,
        round(spell.warm_s * 1000),
        round(spell.measure_s * 1000),
        spell.texts,
    )
    done = subprocess.run(
        (str(folder / "load"), *map(str, numbers)),
        input=_written(question),
        capture_output=True,
        check=False,
        timeout=LOAD_TIMEOUT_S,
    )
    if done.returncode != 0:
        raise Unmeasurable(f"The load generator failed: {done.stderr.decode()}")
    told = msgspec.json.decode(done.stdout, type=_Told)
    if told.failures or told.broken or told.unfinished or not told.load.answers:
        raise Unmeasurable(
            f"Of {told.load.answers_in_all} answers of {question.path} {told.failures} failed,"
            f" {told.broken} connections broke, {told.unfinished} answers did not end:"
            f" {told.first_failure!r}"
        )
    return told.load


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the load generator prints."""

    failures: int
    broken: int
    unfinished: int
    first_failure: str
    load: Load


def _written(question: Question) -> bytes:
    lines = [
        f"POST {question.path} HTTP/1.1",
        f"host: 127.0.0.1:{question.port}",
        "content-type: application/json",
        f"content-length: {len(question.body)}",
        *(f"{name}: {value}" for name, value in question.headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + question.body
