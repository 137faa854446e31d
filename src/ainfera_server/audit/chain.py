"""The hash chain of an agent: each link seals its event and every event before it.

`event_hash` is the SHA-256 of the previous link's hash, as hex text, followed by the canonical
JSON of the payload. The payload repeats what stands beside it in the row, so the hash covers that
too. Whoever has the links and the public keys can check all of it with nothing but this file.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

import orjson

from ainfera_server import identifiers
from ainfera_server.audit import events, signing
from ainfera_server.audit.events import Event, NotRecordable
from ainfera_server.audit.signing import Signer
from ainfera_server.conversation import Json
from ainfera_server.identifiers import AgentId, Cell, EventId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of a chain; `event_hash` is None while the chain is empty."""

    seq: int
    event_hash: str | None


GENESIS = Head(seq=0, event_hash=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One event in its place; `payload` is the exact text that was hashed."""

    agent_id: AgentId
    seq: int
    event_id: EventId
    tenant_id: TenantId
    event_type: str
    payload: str
    previous_hash: str | None
    event_hash: str
    key_id: str
    signature: str
    created_at: datetime

    @property
    def cell(self) -> Cell:
        """Where the agent lives."""
        return identifiers.cell_of(self.agent_id)

    @property
    def head(self) -> Head:
        """The end of a chain that ends here."""
        return Head(seq=self.seq, event_hash=self.event_hash)


FailureReason = Literal[
    "sequence_gap",
    "previous_hash_mismatch",
    "event_hash_mismatch",
    "payload_not_canonical",
    "payload_differs_from_row",
    "unknown_key",
    "signature_mismatch",
    "head_mismatch",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What checking a chain found; `event_count` is how many links hold, from the first.

    `head` is the last link that holds. The failure's fields are None for a chain that is whole.
    """

    valid: bool
    head: Head
    failure_seq: int | None = None
    failure_reason: FailureReason | None = None

    @property
    def event_count(self) -> int:
        return self.head.seq


def canonical(payload: Mapping[str, Json]) -> bytes:
    """Write a payload as everybody does who checks: keys sorted, no spaces, UTF-8.

    The rule is Python's `json.dumps`. For recordable payloads orjson writes the same bytes in a
    twentieth of the time; only others, which we never write, take the long way.
    """
    try:
        events.require_recordable(payload)
    except NotRecordable:
        text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode()
    return orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)


def event_hash(previous_hash: str | None, payload: bytes) -> str:
    """Seal a payload together with everything before it."""
    return hashlib.sha256((previous_hash or "").encode("ascii") + payload).hexdigest()


def link(head: Head, event: Event, by: Signer) -> Link:
    """Give an event its place behind a head."""
    seq = head.seq + 1
    payload = canonical({**event.facts, **_repeated(event, seq)})
    sealed = event_hash(head.event_hash, payload)
    return Link(
        agent_id=event.agent_id,
        seq=seq,
        event_id=event.event_id,
        tenant_id=event.tenant_id,
        event_type=event.event_type,
        payload=payload.decode(),
        previous_hash=head.event_hash,
        event_hash=sealed,
        key_id=by.key_id,
        signature=signing.signature(by, sealed.encode("ascii")),
        created_at=event.created_at,
    )


def verify(
    links: Iterable[Link],
    *,
    agent_id: AgentId,
    public_key_pems: Mapping[str, str],
    after: Head = GENESIS,
) -> Verdict:
    """Check links that follow a head, and name the first that does not hold."""
    head = after
    for one in links:
        reason = _failure(one, head, agent_id, public_key_pems)
        if reason is not None:
            return Verdict(valid=False, head=head, failure_seq=one.seq, failure_reason=reason)
        head = one.head
    return Verdict(valid=True, head=head)


def verify_end(verdict: Verdict, recorded: Head) -> Verdict:
    """Compare the end that checking reached with the end on record: a cut tail shows here."""
    if not verdict.valid or verdict.head == recorded:
        return verdict
    return Verdict(
        valid=False,
        head=verdict.head,
        failure_seq=verdict.head.seq + 1,
        failure_reason="head_mismatch",
    )


def _failure(
    one: Link, head: Head, agent_id: AgentId, public_key_pems: Mapping[str, str]
) -> FailureReason | None:
    """The first rule that a link breaks; None when it keeps them all."""
    payload = one.payload.encode(errors="surrogatepass")
    if one.seq != head.seq + 1:
        return "sequence_gap"
    if one.previous_hash != head.event_hash:
        return "previous_hash_mismatch"
    if event_hash(head.event_hash, payload) != one.event_hash:
        return "event_hash_mismatch"
    written = _object(payload)
    if written is None or canonical(written) != payload:
        return "payload_not_canonical"
    if one.agent_id != agent_id or not _repeats(written, one):
        return "payload_differs_from_row"
    public_key_pem = public_key_pems.get(one.key_id)
    if public_key_pem is None:
        return "unknown_key"
    sealed = one.event_hash.encode("ascii")
    if not signing.is_signature(one.signature, message=sealed, public_key_pem=public_key_pem):
        return "signature_mismatch"
    return None


def _object(payload: bytes) -> Mapping[str, Json] | None:
    """Read a payload back; None when it is no JSON object."""
    try:
        written = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    return cast("dict[str, Json]", written) if isinstance(written, dict) else None


def _repeats(written: Mapping[str, Json], one: Link) -> bool:
    """Whether the payload says of itself what the row says of it."""
    return all(written.get(name) == value for name, value in _repeated(one, one.seq).items())


def _repeated(of: Event | Link, seq: int) -> Mapping[str, Json]:
    return {
        "agent_id": str(of.agent_id),
        "created_at": events.timestamp(of.created_at),
        "event_id": str(of.event_id),
        "event_type": str(of.event_type),
        "seq": seq,
        "tenant_id": str(of.tenant_id),
    }
