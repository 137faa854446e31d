"""The folder where a server keeps what it must not lose, and the note that says it is running."""

import contextlib
import os
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import orjson

from ainfera_server import keyring
from ainfera_server.cli.failures import WRONG_USAGE, Failure
from ainfera_server.keyring import BadSecret, Keyring
from ainfera_server.settings import Settings

NOTE = "running.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that was started on a data folder; a server that was killed leaves its note."""

    process_id: int
    url: str


def prepare(folder: Path) -> None:
    """Make the folder, for its owner alone, and try whether it can be written. Raises Failure."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        raise Failure(
            f"The data folder '{folder}' cannot be written: {problem.strerror}. Choose another "
            f"with --data-dir, or start as the account that owns it."
        ) from problem


def require(folder: Path) -> None:
    """Only `start` makes a folder; anybody else who finds none looks in a wrong place."""
    if not folder.is_dir():
        raise Failure(
            f"There is no Ainfera in '{folder}'. Start one with `ainfera-server start`, or name "
            f"its folder with --data-dir."
        )


def keys(settings: Settings) -> Keyring:
    """The server's own keys, made at the first start. Raises Failure."""
    if settings.secret is not None:
        try:
            return keyring.derived(keyring.parse_root(settings.secret))
        except BadSecret as problem:
            raise Failure(f"AINFERA_SECRET: {problem}.", exit_code=WRONG_USAGE) from problem
    try:
        return keyring.derived(keyring.kept_root(settings.data_dir))
    except (BadSecret, OSError, UnicodeDecodeError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else problem
        raise Failure(
            f"The secret in '{settings.data_dir / 'secret'}' cannot be used: {why}. Put it back "
            f"from a copy: API keys and agent cards that were made with it need it."
        ) from problem


@contextlib.contextmanager
def noted(folder: Path, url: str) -> Generator[None]:
    """Let other commands know where the server listens, while the block runs."""
    note = folder / NOTE
    written = orjson.dumps({"process_id": os.getpid(), "url": url})
    new = note.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_bytes(written)
    new.replace(note)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if note.read_bytes() == written:
                note.unlink()


def running(folder: Path) -> Running | None:
    """The server that noted itself last; None when none did, or it has stopped."""
    try:
        note = orjson.loads((folder / NOTE).read_bytes())
        read = cast("dict[str, object]", note)
        return Running(process_id=int(str(read["process_id"])), url=str(read["url"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
