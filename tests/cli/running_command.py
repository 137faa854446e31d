"""The command itself, run as a user runs it, in a process of its own; every wait has an end."""

import contextlib
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

COMMAND = (str(Path(sys.executable).with_name("ainfera-server")),)
READY_S_MAX = 60.0
STOP_S_MAX = 30.0
COMMAND_S_MAX = 60.0
LAST_LINE = "Ctrl-C stops it."
"""The last line of what a start prints."""

NOTHING: Mapping[str, str] = {}
NO_MODEL: Mapping[str, str] = {"AINFERA_LOCAL_MODEL_URL": "http://127.0.0.1:9/v1"}
"""Spares a test the local model: it says that one runs, where none does."""


def environment(home: Path, variables: Mapping[str, str] = NOTHING) -> dict[str, str]:
    """What a command gets to see of the machine: none of our own settings and keys."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), **variables}


def run(
    *arguments: str, home: Path, variables: Mapping[str, str] = NOTHING
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        (*COMMAND, *arguments),
        env=environment(home, variables),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_S_MAX,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A server that was started; `welcome` is what it printed."""

    process: "subprocess.Popen[str]"
    url: str
    data_dir: Path
    welcome: tuple[str, ...]
    complaints: "queue.Queue[str | None]" = field(repr=False)

    def section(self, title: str) -> tuple[str, ...]:
        """The lines to paste under a title that begins so."""
        starts = [n for n, line in enumerate(self.welcome) if line.startswith(f"# {title}")]
        after = self.welcome[starts[0] + 1 :]
        return after[: after.index("")]

    def row(self, name: str) -> str:
        """What the table says behind a name."""
        (line,) = (one for one in self.welcome if one.startswith(f"  {name} "))
        return line.removeprefix(f"  {name} ").strip()

    @property
    def api_key(self) -> str:
        """The key that was printed."""
        return self.row("Its API key").split()[0]

    @property
    def secret(self) -> str:
        """The part of the key that nobody may store."""
        return self.api_key.split("_", 2)[2]

    def waits_for_complaint(self, words: str) -> str:
        """The next line on standard error that has these words in it."""
        while (line := self.complaints.get(timeout=STOP_S_MAX)) is not None:
            if words in line:
                return line
        raise AssertionError(f"the server ended and never said {words!r}")

    def processes(self) -> tuple[int, ...]:
        """The server, all that it started, and the database."""
        roots = [self.process.pid]
        with contextlib.suppress(FileNotFoundError):
            note = self.data_dir / "postgres" / "cluster" / "postmaster.pid"
            roots.append(int(note.read_text().splitlines()[0]))
        return tuple(roots + [child for root in roots for child in descendants(root)])

    def stop(self) -> int:
        """Stop it as a service manager does, and return its exit code."""
        self.process.terminate()
        return self.process.wait(STOP_S_MAX)


@contextlib.contextmanager
def started(
    home: Path,
    *arguments: str,
    command: tuple[str, ...] = COMMAND,
    user: int | None = None,
    variables: Mapping[str, str] = NOTHING,
) -> Generator[Started]:
    """Have a server while the block runs, in `home / "data"` on a free port."""
    port = free_port()
    data_dir = home / "data"
    process = subprocess.Popen(
        (*command, "start", "--port", str(port), "--data-dir", str(data_dir), *arguments),
        env=environment(home, variables),
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    assert process.stdout is not None
    assert process.stderr is not None
    said, complaints = _lines(process.stdout), _lines(process.stderr)
    try:
        yield Started(
            process=process,
            url=f"http://127.0.0.1:{port}",
            data_dir=data_dir,
            welcome=tuple(_until_ready(said, complaints)),
            complaints=complaints,
        )
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdout, process.stderr):
            pipe.close()


def have_ended(process_ids: tuple[int, ...], *, within_s: float) -> bool:
    """Wait for processes that are not our children to be gone; one that is dead is gone."""
    for process_id in process_ids:
        with contextlib.suppress(ProcessLookupError):
            watch = os.pidfd_open(process_id)
            try:
                if not select.select([watch], [], [], within_s)[0]:
                    return False
            finally:
                os.close(watch)
    return True


def descendants(process_id: int) -> Iterator[int]:
    """Everything that a process started, however deep."""
    parents = dict(_parents())
    for child, parent in parents.items():
        if parent == process_id:
            yield child
            yield from descendants(child)


def free_port() -> int:
    """A port that nobody uses, a moment ago at least."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether anybody answers there."""
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((host, port)) == 0


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # The second field is a name in parentheses, which may hold anything.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            yield int(folder.name), int(fields[1])


def _lines(pipe: IO[str]) -> "queue.Queue[str | None]":
    """The lines of a pipe as they come, and None at its end."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        with contextlib.suppress(ValueError):  # Closed by us.
            for line in pipe:
                lines.put(line.rstrip("\n"))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    return lines


def _until_ready(
    said: "queue.Queue[str | None]", complaints: "queue.Queue[str | None]"
) -> Iterator[str]:
    while (line := said.get(timeout=READY_S_MAX)) is not None:
        yield line
        if line == LAST_LINE:
            return
    heard = [one for one in iter(lambda: complaints.get(timeout=STOP_S_MAX), None) if one]
    raise AssertionError("the server did not start: " + "\n".join(heard))
