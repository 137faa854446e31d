"""The audit trail in the database: appending to chains, reading and verifying them.

Appending locks chain heads first and the public log last; other locks are taken in between.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson

from ainfera_server import identifiers
from ainfera_server.audit import chain, signing
from ainfera_server.audit.chain import Head, Link, Verdict
from ainfera_server.audit.events import Event
from ainfera_server.audit.evidence.exhibits import SignedText
from ainfera_server.audit.signing import Signer
from ainfera_server.identifiers import AgentId, Cell, EventId, TenantId
from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Connection, Row

QUERIES = queries.load(__name__)
OPEN_CHAIN = QUERIES["open_chain"]
LOCK_HEADS = QUERIES["lock_heads"]
HEAD = QUERIES["head"]
WRITE_EVENTS = QUERIES["write_events"]
WRITE_HEADS = QUERIES["write_heads"]
WRITE_LOG = QUERIES["write_log"]
LINKS = QUERIES["links"]
LINKS_ABOUT = QUERIES["links_about"]
COVERED = QUERIES["covered"]
PLACE_IN_LOG = QUERIES["place_in_log"]
SIGNED_RECEIPTS = QUERIES["signed_receipts"]
DECISION_SNAPSHOTS = QUERIES["decision_snapshots"]
PUBLIC_FEED = QUERIES["public_feed"]
HEIGHT = QUERIES["height"]
KEEP_PUBLIC_KEY = QUERIES["keep_public_key"]
PUBLIC_KEYS = QUERIES["public_keys"]

LOG = 0
PAGE_LINKS_MAX = 500
SEQ_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """An event of a chain that the log's tree has, and its height in the log, from 1."""

    seq: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReceipt:
    """A receipt as it was signed; `decision_id` is None for a call that named its model."""

    receipt_id: UUID
    decision_id: UUID | None
    text: SignedText


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDecision:
    """What a decision knew, and the rules that made it."""

    decision_id: UUID
    snapshot: str
    ruleset_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicEvent:
    """An event as everybody may see it: that it happened, whose it is, and its commitment."""

    height: int
    event_type: str
    owner_handle: str
    agent_handle: str
    canonical_uri: str
    event_hash: str
    previous_hash: str | None
    created_at: datetime


async def append(
    connection: Connection, events: Sequence[Event], signer: Signer
) -> tuple[Link, ...]:
    """Link events to their agents' chains, as the last thing a transaction does.

    An action that locks other rows calls `lock_heads` before them, and this at the end.
    """
    heads = await lock_heads(connection, {event.agent_id for event in events})
    links: list[Link] = []
    for event in events:
        link = chain.link(heads[event.agent_id], event, signer)
        heads[event.agent_id] = link.head
        links.append(link)
    await write_links(connection, links)
    return tuple(links)


async def open_chain(connection: Connection, tenant_id: TenantId, agent_id: AgentId) -> None:
    """Begin a new agent's chain."""
    await connection.execute(OPEN_CHAIN, identifiers.cell_of(agent_id), agent_id, tenant_id)


async def lock_heads(connection: Connection, wanted: Iterable[AgentId]) -> dict[AgentId, Head]:
    """Lock the ends of chains until commit; an agent that is not there is left out."""
    keys = _as_json(
        [{"cell": identifiers.cell_of(one), "agent_id": one} for one in sorted(set(wanted))]
    )
    rows = await connection.fetch(LOCK_HEADS, keys)
    return {row["agent_id"]: Head(seq=row["seq"], event_hash=row["event_hash"]) for row in rows}


async def write_links(connection: Connection, links: Sequence[Link]) -> None:
    """Write links whose heads are locked. It locks the public log, so nothing may follow it."""
    if not links:
        return
    last_links = {link.agent_id: link for link in links}
    await connection.execute(WRITE_EVENTS, _as_json([_event_row(link) for link in links]))
    await connection.execute(WRITE_HEADS, _as_json([_head_row(one) for one in last_links.values()]))
    log_rows = [_log_row(link, number) for number, link in enumerate(links, start=1)]
    await connection.execute(WRITE_LOG, LOG, len(links), _as_json(log_rows))


async def head(connection: Connection, agent_id: AgentId) -> Head | None:
    """The end of a chain; None when the agent is not there for this transaction."""
    row = await connection.fetchrow(HEAD, identifiers.cell_of(agent_id), agent_id)
    return None if row is None else Head(seq=row["seq"], event_hash=row["event_hash"])


async def links(
    connection: Connection,
    agent_id: AgentId,
    *,
    since_seq: int = 0,
    until_seq: int = SEQ_MAX,
    limit: int = PAGE_LINKS_MAX,
) -> tuple[Link, ...]:
    """A page of a chain, oldest first; `since_seq` itself is left out, `until_seq` is not."""
    assert 1 <= limit <= PAGE_LINKS_MAX, "a page has a limit"
    cell = identifiers.cell_of(agent_id)
    rows = await connection.fetch(LINKS, cell, agent_id, since_seq, until_seq, limit)
    return tuple(_link(row) for row in rows)


async def links_about(
    connection: Connection, agent_id: AgentId, abouts: Iterable[UUID]
) -> tuple[Link, ...]:
    """What a chain says about an inference or a receipt, oldest first."""
    named = [str(one) for one in abouts]
    cell = identifiers.cell_of(agent_id)
    rows = await connection.fetch(LINKS_ABOUT, cell, agent_id, named, PAGE_LINKS_MAX)
    return tuple(_link(row) for row in rows)


async def covered(
    connection: Connection, agent_id: AgentId, *, until_seq: int, size: int
) -> Covered | None:
    """The newest event of a chain among the first `size` of the log; None when none is there."""
    row = await connection.fetchrow(COVERED, LOG, agent_id, until_seq, size)
    return None if row is None else Covered(seq=row["seq"], height=row["height"])


async def place_in_log(connection: Connection, agent_id: AgentId, seq: int) -> int:
    """The height of an event in the log, from 1; every event has one."""
    height: int = await connection.fetchval(PLACE_IN_LOG, LOG, agent_id, seq)
    return height


async def signed_receipts(
    connection: Connection, cell: Cell, wanted: Sequence[UUID]
) -> tuple[KeptReceipt, ...]:
    """Receipts of the tenant in whose transaction this is, in the order asked for."""
    rows = await connection.fetch(SIGNED_RECEIPTS, cell, list(wanted))
    found = {row["receipt_id"]: row for row in rows}
    return tuple(_receipt(found[one]) for one in wanted if one in found)


async def decision_snapshots(
    connection: Connection, cell: Cell, wanted: Sequence[UUID]
) -> tuple[KeptDecision, ...]:
    """Decisions of the tenant in whose transaction this is, in the order asked for."""
    rows = await connection.fetch(DECISION_SNAPSHOTS, cell, list(wanted))
    found = {row["id"]: row for row in rows}
    return tuple(
        KeptDecision(
            decision_id=one,
            snapshot=found[one]["snapshot"],
            ruleset_hash=found[one]["ruleset_hash"],
        )
        for one in wanted
        if one in found
    )


async def verify(
    connection: Connection, agent_id: AgentId, public_key_pems: Mapping[str, str]
) -> Verdict | None:
    """Check a whole chain against its end on record; None when the agent is not there.

    The end is read first, so events that are added meanwhile do not matter. A page takes some
    60 ms of signature checks, measured, so it is checked beside the event loop.
    """
    recorded = await head(connection, agent_id)
    if recorded is None:
        return None
    verdict = Verdict(valid=True, head=chain.GENESIS)
    while verdict.valid:
        page = await links(connection, agent_id, since_seq=verdict.head.seq, until_seq=recorded.seq)
        if not page:
            break
        verdict = await asyncio.to_thread(
            chain.verify,
            page,
            agent_id=agent_id,
            public_key_pems=public_key_pems,
            after=verdict.head,
        )
    return chain.verify_end(verdict, recorded)


async def public_feed(
    connection: Connection, *, limit: int, before_height: int = SEQ_MAX
) -> tuple[PublicEvent, ...]:
    """The newest events of everybody, newest first."""
    rows = await connection.fetch(PUBLIC_FEED, LOG, before_height, limit)
    return tuple(
        PublicEvent(
            height=row["height"],
            event_type=row["event_type"],
            owner_handle=row["owner_handle"],
            agent_handle=row["agent_handle"],
            canonical_uri=row["canonical_uri"],
            event_hash=row["event_hash"],
            previous_hash=row["previous_hash"],
            created_at=row["created_at"],
        )
        for row in rows
    )


async def height(connection: Connection) -> int:
    """How many events the public log has."""
    found: int = await connection.fetchval(HEIGHT, LOG)
    return found


async def keep_public_key(connection: Connection, signer: Signer, *, purpose: str) -> None:
    """Publish the key that this server signs with, once and for good."""
    await connection.execute(
        KEEP_PUBLIC_KEY, signer.key_id, purpose, signing.ALGORITHM, signer.public_key_pem
    )


async def public_key_pems(connection: Connection) -> Mapping[str, str]:
    """All keys that events or receipts were ever signed with, by their ids."""
    return {row["key_id"]: row["public_key_pem"] for row in await connection.fetch(PUBLIC_KEYS)}


def _event_row(link: Link) -> Mapping[str, object]:
    return {
        "cell": link.cell,
        "agent_id": link.agent_id,
        "seq": link.seq,
        "event_id": link.event_id,
        "tenant_id": link.tenant_id,
        "event_type": link.event_type,
        "payload": link.payload,
        "previous_hash": link.previous_hash,
        "event_hash": link.event_hash,
        "key_id": link.key_id,
        "signature": link.signature,
        "created_at": link.created_at,
    }


def _head_row(link: Link) -> Mapping[str, object]:
    return {
        "cell": link.cell,
        "agent_id": link.agent_id,
        "seq": link.seq,
        "event_hash": link.event_hash,
    }


def _log_row(link: Link, number: int) -> Mapping[str, object]:
    """What the public log keeps of a link; `number` counts within the batch, from 1."""
    return {
        "height": number,
        "cell": link.cell,
        "agent_id": link.agent_id,
        "seq": link.seq,
        "event_type": link.event_type,
        "event_hash": link.event_hash,
        "previous_hash": link.previous_hash,
        "created_at": link.created_at,
    }


def _link(row: Row) -> Link:
    return Link(
        agent_id=AgentId(row["agent_id"]),
        seq=row["seq"],
        event_id=EventId(row["event_id"]),
        tenant_id=TenantId(row["tenant_id"]),
        event_type=row["event_type"],
        payload=row["payload"],
        previous_hash=row["previous_hash"],
        event_hash=row["event_hash"],
        key_id=row["key_id"],
        signature=row["signature"],
        created_at=row["created_at"],
    )


def _receipt(row: Row) -> KeptReceipt:
    return KeptReceipt(
        receipt_id=row["receipt_id"],
        decision_id=row["decision_id"],
        text=SignedText(signed_text=row["body"], key_id=row["key_id"], signature=row["signature"]),
    )


def _as_json(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as one parameter, read by their columns' names.

    The driver's UUIDs are a class of their own that orjson does not know: `default` writes them.
    """
    return orjson.dumps(rows, default=str).decode()
