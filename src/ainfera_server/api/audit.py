"""The audit trail: an agent's chain for its owner, its verification and the feed for everybody."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from ainfera_server.accounts import absent
from ainfera_server.api import answers, ids
from ainfera_server.api.answers import Shown
from ainfera_server.api.given import Caller, Opened
from ainfera_server.audit import store as audit_store
from ainfera_server.audit.chain import Link
from ainfera_server.audit.store import PublicEvent
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Connection

PAGE_EVENTS = 100


async def list_events(
    gateway: Opened,
    caller: Caller,
    agent_id: str,
    limit: Annotated[int, Query(ge=1, le=audit_store.PAGE_LINKS_MAX)] = PAGE_EVENTS,
    since_seq: Annotated[int, Query(ge=0, le=audit_store.SEQ_MAX)] = 0,
) -> Response:
    """Read an agent's chain, oldest first; `since_seq` is the last event you have."""
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        if await audit_store.head(connection, wanted) is None:
            raise absent.agent()
        links = await audit_store.links(connection, wanted, since_seq=since_seq, limit=limit)
    return answers.json({"agent_id": str(wanted), "events": [event(link) for link in links]})


async def verify_chain(gateway: Opened, agent_id: str) -> Response:
    """Check an agent's whole chain: hashes, order, end and signatures; anybody may."""
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    async with tenancy.public_agent_transaction(gateway.pools.app, wanted) as connection:
        verdict = await audit_store.verify(
            connection, wanted, await public_key_pems(connection, gateway)
        )
    if verdict is None:
        raise absent.agent()
    return answers.json(
        {
            "agent_id": str(wanted),
            "event_count": verdict.event_count,
            "valid": verdict.valid,
            "failure_seq": verdict.failure_seq,
            "failure_reason": verdict.failure_reason,
        }
    )


async def public_feed(
    gateway: Opened,
    limit: Annotated[int, Query(ge=1, le=audit_store.PAGE_LINKS_MAX)] = PAGE_EVENTS,
    before_height: Annotated[int, Query(ge=1, le=audit_store.SEQ_MAX)] = audit_store.SEQ_MAX,
) -> Response:
    """Read the newest events of everybody, newest first, as commitments without content."""
    async with tenancy.public_transaction(gateway.pools.app) as connection:
        events = await audit_store.public_feed(connection, limit=limit, before_height=before_height)
    return answers.json({"events": [_public_event(one) for one in events]})


async def public_height(gateway: Opened) -> Response:
    """Count the events of the public log."""
    return answers.json({"height": await height(gateway)})


async def height(gateway: Gateway) -> int:
    """How many events the public log has."""
    async with tenancy.public_transaction(gateway.pools.app) as connection:
        return await audit_store.height(connection)


async def public_key_pems(connection: Connection, gateway: Gateway) -> dict[str, str]:
    """Every key that ever signed, this server's own included."""
    kept = await audit_store.public_key_pems(connection)
    return {**kept, gateway.signer.key_id: gateway.signer.public_key_pem}


def event(link: Link) -> dict[str, Shown]:
    """An event; its payload goes out as the bytes that were hashed."""
    return {
        "id": str(link.event_id),
        "agent_id": str(link.agent_id),
        "seq": link.seq,
        "event_type": link.event_type,
        "payload": answers.stored(link.payload),
        "previous_hash": link.previous_hash,
        "prev_hash": link.previous_hash,
        "event_hash": link.event_hash,
        "key_id": link.key_id,
        "signature": link.signature,
        "created_at": answers.moment(link.created_at),
    }


def _public_event(one: PublicEvent) -> dict[str, Shown]:
    return {
        "seq": one.height,
        "event_type": one.event_type,
        "owner_handle": one.owner_handle,
        "agent_name": one.agent_handle,
        "canonical_uri": one.canonical_uri,
        "event_hash": one.event_hash,
        "previous_hash": one.previous_hash,
        "created_at": answers.moment(one.created_at),
    }
