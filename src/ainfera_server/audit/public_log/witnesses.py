"""Witnesses: others who sign a checkpoint only when it continues what they saw before.

We ask as https://c2sp.org/tlog-witness says, and take a cosignature that somebody brings us.
"""

import base64
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from ainfera_server.audit.public_log import log_store, merkle, notes
from ainfera_server.audit.public_log.log_store import Stored
from ainfera_server.audit.public_log.notes import Cosignature, NotACheckpoint, VerifierKey
from ainfera_server.postgres import pool as pools
from ainfera_server.postgres.pool import Connection, Pool
from ainfera_server.providers.transport import Answer, NotReached, Transport

ASK_EVERY_S = 60.0
ANSWER_TIMEOUT_S = 15.0
BEHIND_OR_AHEAD = 409
SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\n", re.ASCII)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Somebody who follows the log; `url` is what `/add-checkpoint` is put behind."""

    key: VerifierKey
    url: str


class NoSuchCheckpoint(LookupError):
    """A note is about a checkpoint that this log never signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What a witness is asked: to go from a size that it knows to a checkpoint."""

    old_size: int
    proof: tuple[bytes, ...]
    signed: Stored

    @property
    def body(self) -> bytes:
        hashes = "".join(f"{base64.b64encode(one).decode('ascii')}\n" for one in self.proof)
        return f"old {self.old_size}\n{hashes}\n{self.signed.note}".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cosigned:
    """The witness signed; `line` is its signature line."""

    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Follows:
    """The witness follows from another size than we thought."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refused:
    """The witness did not sign, for this reason."""

    reason: str


def configured(pairs: Sequence[tuple[str, str]]) -> tuple[Witness, ...]:
    """The witnesses of the settings, which has looked at each key."""
    return tuple(Witness(key=notes.read_verifier_key(key), url=url) for key, url in pairs)


async def ask(
    pool: Pool, transport: Transport, witness: Witness, *, every_s: float = ASK_EVERY_S
) -> None:
    """Have the newest checkpoint cosigned, unless the witness has or was asked lately.

    What goes wrong is logged: the log goes on without a witness. Raises StoreUnavailable.
    """
    async with pools.transaction(pool) as connection:
        signed = await log_store.newest_checkpoint(connection)
        if signed is None:
            return
        old_size = await log_store.claim_witness(
            connection, witness.key.text, size=signed.size, every_s=every_s
        )
    if old_size is None:
        return
    outcome = await _asked(pool, transport, witness, old_size=old_size, signed=signed)
    if isinstance(outcome, _Follows) and outcome.size <= signed.size:
        # It lost something, or we lost its last answer. Once is enough: the next turn comes.
        outcome = await _asked(pool, transport, witness, old_size=outcome.size, signed=signed)
    match outcome:
        case _Cosigned():
            async with pools.transaction(pool) as connection:
                await _keep(connection, witness.key, signed.size, outcome.line)
                await log_store.witness_follows(connection, witness.key.text, signed.size)
        case _Follows():
            _complain(witness, signed, f"it says that it has seen the size {outcome.size}")
        case _Refused():
            _complain(witness, signed, outcome.reason)
        case _:
            assert_never(outcome)


async def accept(
    connection: Connection, note: bytes, witnesses: Sequence[Witness]
) -> tuple[Cosignature, ...]:
    """Keep what known witnesses wrote under one of our checkpoints.

    Raises NotACheckpoint for a malformed note, a wrong signature or none by a known witness, and
    NoSuchCheckpoint when we did not sign the text.
    """
    brought = notes.read_note(note)
    said = notes.read_text(brought.text)
    signed = await log_store.checkpoint(connection, said.size)
    if signed is None or _text(signed) != brought.text:
        raise NoSuchCheckpoint(f"this log signed no such checkpoint of {said.size} entries")
    known = {(one.key.name, one.key.key_id): one.key for one in witnesses}
    kept: list[Cosignature] = []
    for one in brought.signatures:
        key = known.get((one.name, one.key_id))
        if key is not None:
            kept.append(notes.verified_cosignature(one, key=key, text=brought.text))
            await _keep(connection, key, signed.size, one.line)
    if not kept:
        raise NotACheckpoint("no witness that is known here signed the checkpoint")
    return tuple(kept)


async def _asked(
    pool: Pool, transport: Transport, witness: Witness, *, old_size: int, signed: Stored
) -> _Cosigned | _Follows | _Refused:
    async with pools.transaction(pool) as connection:
        proof = await log_store.consistency_proof(
            connection, old_size=old_size, new_size=signed.size
        )
    question = _Question(old_size=old_size, proof=proof, signed=signed)
    try:
        answer = await transport.text(
            f"{witness.url}/add-checkpoint", question.body, timeout_s=ANSWER_TIMEOUT_S
        )
    except NotReached as problem:
        return _Refused(reason=f"it cannot be reached: {problem}")
    return _understood(answer, witness.key, signed)


def _understood(
    answer: Answer, key: VerifierKey, signed: Stored
) -> _Cosigned | _Follows | _Refused:
    if answer.status == BEHIND_OR_AHEAD:
        said = SIZE.fullmatch(answer.body.decode("latin-1"))
        if said is not None and int(said[1]) <= merkle.SIZE_MAX:
            return _Follows(size=int(said[1]))
    if answer.status != 200:
        return _Refused(reason=f"it answered {answer.status}")
    try:
        for one in notes.read_signatures(answer.body):
            if (one.name, one.key_id) == (key.name, key.key_id):
                notes.verified_cosignature(one, key=key, text=_text(signed))
                return _Cosigned(line=one.line)
    except NotACheckpoint as problem:
        return _Refused(reason=str(problem))
    return _Refused(reason="its answer has no signature of its key")


async def _keep(connection: Connection, key: VerifierKey, size: int, line: str) -> None:
    await log_store.add_cosignature(connection, size, witness=key.text, line=line)


def _text(signed: Stored) -> str:
    return notes.read_note(signed.note.encode()).text


def _complain(witness: Witness, signed: Stored, reason: str) -> None:
    extra = {"witness": witness.key.name, "size": signed.size, "reason": reason}
    log.warning("witness_did_not_cosign", extra=extra)
