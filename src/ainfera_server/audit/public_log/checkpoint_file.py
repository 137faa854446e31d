"""A file of checkpoints, one after another, that only grows: what a log once said, kept elsewhere.

Several processes may append to it. What a crash left half-written is cut off by the next of them.
"""

import fcntl
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from ainfera_server.audit.public_log import notes

SIGNATURE_MARK = notes.SIGNATURE_MARK.encode()
TAIL_BYTES = 2 * notes.NOTE_BYTES_MAX
NOTE = re.compile(rb"[^\n]+\n[0-9]+\n[A-Za-z0-9+/]{43}=\n\n(?:\xe2\x80\x94 [^\n]+\n)+")


class NotACheckpointFile(ValueError):
    """The file holds something else, and is left as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """Where the last whole note ends, and that note; None in an empty file."""

    at: int
    note: bytes | None


def append(path: Path, note: bytes) -> bool:
    """Put a checkpoint behind the others, for good; False when the file has one as high already.

    A disk that is full leaves the file as it was. Raises OSError and NotACheckpointFile.
    """
    checkpoint = notes.read_text(notes.read_note(note).text)
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        end = _end(file, path, checkpoint.origin)
        if end.note is not None and _size(end.note) >= checkpoint.size:
            return False
        _put(file, end.at, note)
    if is_new:
        _keep_name(path)
    return True


def last(path: Path, *, origin: str) -> bytes | None:
    """The last whole note of a log; None when there is none. Raises OSError, NotACheckpointFile."""
    try:
        with path.open("rb", buffering=0) as file:
            return _end(file, path, origin).note
    except FileNotFoundError:
        return None


def _put(file: FileIO, at: int, note: bytes) -> None:
    file.truncate(at)
    file.seek(at)
    try:
        written = 0
        while written < len(note):
            written += file.write(note[written:])
        os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            file.truncate(at)
        raise


def _end(file: FileIO, path: Path, origin: str) -> _End:
    """Find the end of the last whole note. What follows it has to be the beginning of another.

    Nothing else is ever cut off: somebody may have named the wrong file.
    """
    length = file.seek(0, os.SEEK_END)
    file.seek(max(0, length - TAIL_BYTES))
    tail = file.read(TAIL_BYTES)
    whole = list(NOTE.finditer(tail))
    rest = tail[whole[-1].end() :] if whole else tail
    first_line = origin.encode() + b"\n"
    may_follow = (first_line, SIGNATURE_MARK) if whole else (first_line,)
    is_ours = not whole or whole[-1].group().startswith(first_line)
    if not is_ours or not any(rest.startswith(one) or one.startswith(rest) for one in may_follow):
        raise NotACheckpointFile(f"{str(path)!r} holds something else than checkpoints of {origin}")
    return _End(at=length - len(rest), note=whole[-1].group() if whole else None)


def _size(note: bytes) -> int:
    return int(note.split(b"\n", 2)[1])


def _keep_name(path: Path) -> None:
    """A new file is there after a crash only when its folder was written too."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
