"""Whole chains and the whole log as files: read page by page, sent as they are read.

No transaction stays open while a caller reads: what was written once never changes, so the pages
fit together.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from fastapi import Query
from fastapi.responses import Response, StreamingResponse

from ainfera_server import identifiers
from ainfera_server.accounts import absent
from ainfera_server.api import audit, ids
from ainfera_server.api.given import Caller, Opened
from ainfera_server.audit import exporting
from ainfera_server.audit import store as audit_store
from ainfera_server.audit.chain import Head, Link
from ainfera_server.audit.evidence import exhibits
from ainfera_server.audit.public_log import log_store, merkle
from ainfera_server.audit.store import KeptReceipt
from ainfera_server.errors import NotFound
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId, TenantId
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Connection

ENTRIES_PER_PAGE = 1_000

Pages = AsyncIterator[Sequence[object]]
"""Parts of a list, each as it was read."""

Chunks = AsyncIterator[bytes]
Read = Callable[[Connection, Sequence[Link]], Awaitable[Sequence[object]]]
"""What of a list comes from a page of a chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chain:
    """The chain of an agent up to a head, for its tenant."""

    gateway: Gateway
    tenant_id: TenantId
    agent_id: AgentId
    head: Head


async def export_chain(
    gateway: Opened,
    caller: Caller,
    agent_id: str,
    include: Annotated[Literal["receipts"] | None, Query()] = None,
) -> Response:
    """Export an agent's chain as a file that anybody can check without us; receipts on demand."""
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    tenant_id = caller.tenant_id
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        head = await audit_store.head(connection, wanted)
        if head is None:
            raise absent.agent()
        opening = await _opening_of_chain(connection, gateway, wanted, tenant_id, head)
    chain = _Chain(gateway=gateway, tenant_id=tenant_id, agent_id=wanted, head=head)
    lists = {"events": _pages(chain, _events)}
    if include == "receipts":
        lists["receipts"] = _pages(chain, _receipts)
        lists["decisions"] = _pages(chain, _decisions)
    return _streamed(opening, lists, name=f"chain-{wanted}.json")


async def export_log(gateway: Opened) -> Response:
    """Export the whole public log, as far as its newest checkpoint, as a file to check."""
    async with tenancy.public_transaction(gateway.pools.app) as connection:
        newest = await log_store.newest_checkpoint(connection)
        identity = await log_store.identity(connection)
        if newest is None or identity is None:
            raise NotFound("The log has no checkpoint yet. Ask again soon.", resource="log")
        note = await log_store.cosigned_note(connection, newest)
    opening = {
        "format": exhibits.LOG_EXPORT,
        "log_keys": [identity.verifier_key],
        "checkpoint": note.decode(),
    }
    lists = {
        "entries": _entries(gateway, newest.size, bytes.decode),
        "leaf_hashes": _entries(gateway, newest.size, _leaf_hash),
    }
    return _streamed(opening, lists, name="log.json")


async def _opening_of_chain(
    connection: Connection, gateway: Gateway, agent_id: AgentId, tenant_id: TenantId, head: Head
) -> Mapping[str, object]:
    """All but the lists: whose chain it is, where it ends, and what the log has of it."""
    identity = await log_store.identity(connection)
    newest = await log_store.newest_checkpoint(connection)
    covered = proof = None
    if newest is not None:
        covered = await audit_store.covered(
            connection, agent_id, until_seq=head.seq, size=newest.size
        )
    if covered is not None:
        proof = (await log_store.proofs(connection, [covered.height]))[covered.height]
    pems = await audit.public_key_pems(connection, gateway)
    end = exporting.end(
        head, agent_id=agent_id, tenant_id=tenant_id, now=gateway.now(), by=gateway.signer
    )
    return {
        "format": exhibits.CHAIN_EXPORT,
        "agent_id": str(agent_id),
        "public_keys": exporting.public_keys(pems),
        "log_keys": [] if identity is None else [identity.verifier_key],
        "end": end,
        **exporting.inclusion(proof),
        "inclusion_seq": None if covered is None else covered.seq,
    }


async def _pages(chain: _Chain, read: Read) -> Pages:
    """A list that is made of a chain page by page, each in a transaction of its own."""
    seq = 0
    while seq < chain.head.seq:
        pool = chain.gateway.pools.app
        async with tenancy.tenant_transaction(pool, chain.tenant_id) as connection:
            links = await audit_store.links(
                connection, chain.agent_id, since_seq=seq, until_seq=chain.head.seq
            )
            page = await read(connection, links)
        seq = links[-1].seq
        yield page


async def _events(_: Connection, links: Sequence[Link]) -> Sequence[object]:
    """Every event, from the first to the head."""
    return [exporting.event(link) for link in links]


async def _receipts(connection: Connection, links: Sequence[Link]) -> Sequence[object]:
    """Every receipt that an event commits to, in the order of those events."""
    return [one.text for one in await _kept_receipts(connection, links)]


async def _decisions(connection: Connection, links: Sequence[Link]) -> Sequence[object]:
    """The decision behind every receipt that names one, in the order of the receipts."""
    kept = await _kept_receipts(connection, links)
    named = [one.decision_id for one in kept if one.decision_id is not None]
    cell = identifiers.cell_of(links[0].agent_id)
    found = await audit_store.decision_snapshots(connection, cell, named)
    # Each is made again, which takes a millisecond or two, so it is done beside the event loop.
    return await asyncio.to_thread(lambda: [exporting.decision(one) for one in found])


async def _kept_receipts(connection: Connection, links: Sequence[Link]) -> Sequence[KeptReceipt]:
    cell = identifiers.cell_of(links[0].agent_id)
    return await audit_store.signed_receipts(connection, cell, exporting.receipt_ids(links))


async def _entries(gateway: Gateway, size: int, shown: Callable[[bytes], str]) -> Pages:
    """Every entry of the log, shown in some way."""
    for after in range(0, size, ENTRIES_PER_PAGE):
        async with tenancy.public_transaction(gateway.pools.app) as connection:
            entries = await log_store.entries(
                connection, after=after, entries_max=min(ENTRIES_PER_PAGE, size - after)
            )
        yield [shown(entry) for entry in entries]


def _leaf_hash(entry: bytes) -> str:
    return merkle.leaf_hash(entry).hex()


def _streamed(opening: Mapping[str, object], lists: Mapping[str, Pages], *, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(
        _written(opening, lists), media_type="application/json", headers=headers
    )


async def _written(opening: Mapping[str, object], lists: Mapping[str, Pages]) -> Chunks:
    """One JSON object: its small members, then its lists, an element in each line."""
    yield msgspec.json.encode(opening).removesuffix(b"}")
    for name, pages in lists.items():
        yield b',\n"' + name.encode("ascii") + b'":['
        separator = b"\n"
        async for page in pages:
            if page:
                yield separator + b",\n".join(msgspec.json.encode(one) for one in page)
                separator = b",\n"
        yield b"]"
    yield b"}\n"
