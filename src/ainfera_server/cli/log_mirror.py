"""Following a public log from outside: fetch, check against what was kept, keep."""

import http.client
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import SplitResult, urlsplit

import orjson

from ainfera_server.audit.public_log import checkpoint_file, merkle, notes
from ainfera_server.audit.public_log import log as public_log
from ainfera_server.audit.public_log.checkpoint_file import NotACheckpointFile
from ainfera_server.audit.public_log.merkle import NotAProof
from ainfera_server.audit.public_log.notes import (
    Checkpoint,
    NotACheckpoint,
    NotAVerifierKey,
    SignedCheckpoint,
)
from ainfera_server.cli.failures import NOT_VERIFIED, WRONG_USAGE, Failure

CHECKPOINTS = "checkpoints"
KEY = "verifier-key"
FILES = (CHECKPOINTS, KEY)
KEY_DOCUMENT = "/.well-known/ainfera-public-key.json"
TIMEOUT_S = 30.0
ANSWER_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """Where the log is; `is_new` says whether it had moved since the last time."""

    origin: str
    size: int
    root: bytes
    is_new: bool


def brought_up_to_date(url: str, folder: Path, *, key: str | None) -> Mirrored:
    """Keep the newest checkpoint behind those of the folder.

    Raises Failure: with NOT_VERIFIED when the log broke its word, and then nothing is kept.
    """
    server = _address(url)
    folder.mkdir(parents=True, exist_ok=True)
    verifier_key = _kept_key(server, folder, given=key)
    file = folder / CHECKPOINTS
    fetched = _get(server, "/log/checkpoint")
    newest = _read(fetched, verifier_key, whose="The log's newest checkpoint")
    last = _last(file, verifier_key)
    if last is not None:
        _require_continued(server, last.checkpoint, newest.checkpoint)
    try:
        is_new = checkpoint_file.append(file, newest.note)
    except NotACheckpointFile as problem:
        raise Failure(f"{problem}. Name another folder.") from problem
    found = newest.checkpoint
    return Mirrored(origin=found.origin, size=found.size, root=found.root, is_new=is_new)


def _require_continued(server: SplitResult, last: Checkpoint, newest: Checkpoint) -> None:
    """What was kept and what is served now have to be one log."""
    if newest.size < last.size:
        raise Failure(
            f"The log shrank: it had {last.size} entries when it was last seen, and signs for "
            f"{newest.size} now.",
            exit_code=NOT_VERIFIED,
        )
    try:
        merkle.check_consistency(
            old_size=last.size,
            old_root=last.root,
            new_size=newest.size,
            new_root=newest.root,
            proof=_consistency_proof(server, last, newest),
        )
    except NotAProof as problem:
        raise Failure(
            f"The log forked: what it signs for {newest.size} entries does not continue what it "
            f"signed for {last.size}, because {problem}. Both checkpoints are evidence: keep them.",
            exit_code=NOT_VERIFIED,
        ) from problem


def _consistency_proof(
    server: SplitResult, last: Checkpoint, newest: Checkpoint
) -> tuple[bytes, ...]:
    if last.size in {0, newest.size}:
        return ()
    path = f"/log/proof/consistency?old_size={last.size}&new_size={newest.size}"
    return public_log.read_hashes(_member(_get(server, path), "hashes"))


def _last(file: Path, verifier_key: str) -> SignedCheckpoint | None:
    """What was kept last, signature and all: somebody may have been at the folder."""
    try:
        note = checkpoint_file.last(file, origin=notes.read_verifier_key(verifier_key).name)
    except NotACheckpointFile as problem:
        raise Failure(f"{problem}. Name another folder.") from problem
    if note is None:
        return None
    return _read(note, verifier_key, whose=f"The last checkpoint of {str(file)!r}")


def _read(note: bytes, verifier_key: str, *, whose: str) -> SignedCheckpoint:
    try:
        return notes.read_checkpoint(note, verifier_keys=(verifier_key,))
    except NotACheckpoint as problem:
        raise Failure(
            f"{whose} cannot be believed: {problem}.", exit_code=NOT_VERIFIED
        ) from problem


def _kept_key(server: SplitResult, folder: Path, *, given: str | None) -> str:
    """The key that this folder follows, kept at the first time and the same ever after."""
    file = folder / KEY
    kept = file.read_text(encoding="utf-8").strip() if file.exists() else None
    key = kept or given or _served_key(server)
    if given is not None and given != key:
        raise Failure(
            f"The folder follows the log with the key {key!r}, and another is given.",
            exit_code=NOT_VERIFIED,
        )
    try:
        notes.read_verifier_key(key)
    except NotAVerifierKey as problem:
        raise Failure(f"No log has such a key: {problem}.", exit_code=WRONG_USAGE) from problem
    if kept is None:
        file.write_text(key + "\n", encoding="utf-8")
    return key


def _served_key(server: SplitResult) -> str:
    key = _member(_get(server, KEY_DOCUMENT), "log", "verifier_key")
    if not isinstance(key, str):
        raise Failure("The server names no public log yet. Try again once it has recorded events.")
    return key


def _member(body: bytes, *names: str) -> object:
    """A member of a JSON document, however deep; None when there is none."""
    try:
        found: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    for name in names:
        found = cast("dict[str, object]", found).get(name) if isinstance(found, dict) else None
    return found


def _address(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.rstrip("/"))
        is_web = parts.scheme in {"http", "https"} and "@" not in parts.netloc
        is_address = is_web and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise Failure(
            "--url takes an address that begins with http:// or https://, without a user.",
            exit_code=WRONG_USAGE,
        )
    return urlsplit(url.rstrip("/"))


def _get(server: SplitResult, path: str) -> bytes:
    """Ask the server. Raises Failure when it does not answer, or not with what was asked for."""
    where = f"{server.geturl()}{path}"
    opened = http.client.HTTPSConnection if server.scheme == "https" else http.client.HTTPConnection
    connection = opened(server.netloc, timeout=TIMEOUT_S)
    try:
        connection.request("GET", server.path + path)
        answer = connection.getresponse()
        body = answer.read(ANSWER_BYTES_MAX)
    except (OSError, http.client.HTTPException) as problem:
        raise Failure(f"{where} does not answer: {problem}.") from problem
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise Failure(f"{where} answers with the status {answer.status}.")
    return body
