"""Gathering one agent's record for auditors, in one transaction of its owner's."""

from collections.abc import Mapping
from datetime import datetime

from ainfera_server import identifiers, money
from ainfera_server.accounts import absent, card_store, shown_cards
from ainfera_server.accounts import store as accounts_store
from ainfera_server.accounts.store import Agent, Tenant
from ainfera_server.audit import events
from ainfera_server.audit import store as audit_store
from ainfera_server.audit.annex_iv import (
    Checkpoint,
    PolicyChange,
    Record,
    Ruleset,
    SigningKey,
    Span,
    Use,
    Uses,
)
from ainfera_server.audit.public_log import log_store
from ainfera_server.contents import store as contents_store
from ainfera_server.conversation import Json
from ainfera_server.identifiers import AgentId, Cell
from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Connection, Row
from ainfera_server.usage import reports
from ainfera_server.usage.reports import ModelUse
from ainfera_server.wallet import policy

QUERIES = queries.load(__name__, "annex_iv.sql")
USES = QUERIES["uses"]
NEWEST_USES = QUERIES["newest_uses"]
PRICE_BOOKS = QUERIES["price_books"]
RULESETS = QUERIES["rulesets"]
RECEIPTS = QUERIES["receipts"]
EVENT_TYPES = QUERIES["event_types"]
SIGNING_KEYS = QUERIES["signing_keys"]
POLICY_CHANGES = QUERIES["policy_changes"]

USES_MAX = 500
ROWS_MAX = 1000
NOT_KEPT = "not stored; salted hashes only"


async def record(
    connection: Connection,
    agent_id: AgentId,
    *,
    public_key_pems: Mapping[str, str],
    now: datetime,
) -> Record:
    """Read everything, in the owner's transaction. Raises NotFound."""
    agent = await accounts_store.agent(connection, agent_id)
    head = await audit_store.head(connection, agent_id)
    verdict = await audit_store.verify(connection, agent_id, public_key_pems)
    if agent is None or head is None or verdict is None:
        raise absent.agent()
    tenant = await accounts_store.tenant(connection, agent.tenant_id)
    if tenant is None:
        raise absent.agent()
    first = await audit_store.links(connection, agent_id, limit=1)
    keys = await card_store.keys(connection, agent_id)
    return Record(
        agent=_agent(agent),
        tenant=_tenant(tenant),
        owner_contact=tenant.owner_contact,
        registered_at=agent.created_at,
        spend_policy=policy.facts(agent.spend_policy),
        policy_changes=await _policy_changes(connection, agent_id),
        models_used=[_model(one) for one in await reports.models_used(connection, agent_id)],
        uses=await _uses(connection, agent_id),
        newest_uses=await _newest_uses(connection, agent_id),
        price_books=await _price_books(connection, agent_id),
        rulesets=await _rulesets(connection, agent_id),
        receipts=await _receipts(connection, agent_id),
        card_keys=[shown_cards.key_facts(one, now=now) for one in keys],
        signing_keys=await _signing_keys(connection, agent_id),
        event_types=await _event_types(connection, agent_id),
        first_hash=first[0].event_hash if first else None,
        last_hash=head.event_hash,
        height=head.seq,
        verdict=verdict,
        checkpoint=await _checkpoint(connection),
        links=await audit_store.links(
            connection,
            agent_id,
            since_seq=max(head.seq - audit_store.PAGE_LINKS_MAX, 0),
            until_seq=head.seq,
        ),
        contents=await _contents(connection, tenant),
    )


def _agent(one: Agent) -> dict[str, Json]:
    return {
        "id": str(one.agent_id),
        "agent_id": str(one.agent_id),
        "tenant_id": str(one.tenant_id),
        "name": one.name,
        "handle": one.handle,
        "status": one.status,
        "canonical_uri": one.canonical_uri,
        "did_web": one.did_web,
        "wallet_address": one.wallet_address,
        "metadata": dict(one.metadata),
        "drain_proof_status": policy.drain_proof_status(one.spend_policy),
        "created_at": events.timestamp(one.created_at),
    }


def _tenant(one: Tenant) -> dict[str, Json]:
    return {
        "id": str(one.tenant_id),
        "tenant_id": str(one.tenant_id),
        "name": one.name,
        "owner_handle": one.owner_handle,
        "owner_source": one.owner_source,
        "created_at": events.timestamp(one.created_at),
    }


def _model(one: ModelUse) -> dict[str, Json]:
    return {
        "slug": one.model_slug,
        "provider": one.provider,
        "calls": one.calls,
        "cost_usd": money.usd(one.cost),
    }


async def _policy_changes(connection: Connection, agent_id: AgentId) -> list[PolicyChange]:
    rows = await connection.fetch(POLICY_CHANGES, *_place(agent_id), ROWS_MAX)
    return [
        PolicyChange(seq=row["seq"], changed_at=row["created_at"], payload=row["payload"])
        for row in rows
    ]


async def _uses(connection: Connection, agent_id: AgentId) -> list[Uses]:
    return [
        Uses(
            status=row["status"],
            calls=row["calls"],
            cost=row["cost"],
            first_began_at=row["first_began_at"],
            last_began_at=row["last_began_at"],
        )
        for row in await connection.fetch(USES, *_place(agent_id))
    ]


async def _newest_uses(connection: Connection, agent_id: AgentId) -> list[Use]:
    rows = await connection.fetch(NEWEST_USES, *_place(agent_id), USES_MAX)
    return [
        Use(
            inference_id=row["inference_id"],
            status=row["status"],
            model_asked=row["model_asked"],
            model_slug=row["model_slug"],
            provider=row["provider"],
            price_book_version=row["price_book_version"],
            cost=row["cost"],
            receipt_id=row["receipt_id"],
            began_at=row["began_at"],
            ended_at=row["ended_at"],
        )
        for row in rows
    ]


async def _price_books(connection: Connection, agent_id: AgentId) -> list[Span]:
    return [_span(row) for row in await connection.fetch(PRICE_BOOKS, *_place(agent_id), ROWS_MAX)]


async def _rulesets(connection: Connection, agent_id: AgentId) -> list[Ruleset]:
    rows = await connection.fetch(RULESETS, *_place(agent_id), ROWS_MAX)
    return [Ruleset(ruleset_hash=row["ruleset_hash"], decisions=_span(row)) for row in rows]


async def _receipts(connection: Connection, agent_id: AgentId) -> list[Span]:
    return [_span(row) for row in await connection.fetch(RECEIPTS, *_place(agent_id))]


async def _signing_keys(connection: Connection, agent_id: AgentId) -> list[SigningKey]:
    return [
        SigningKey(
            key_id=row["key_id"],
            algorithm=row["algorithm"],
            public_key_pem=row["public_key_pem"],
            events=row["events"],
            first_seq=row["first_seq"],
            last_seq=row["last_seq"],
        )
        for row in await connection.fetch(SIGNING_KEYS, *_place(agent_id))
    ]


async def _event_types(connection: Connection, agent_id: AgentId) -> dict[str, int]:
    rows = await connection.fetch(EVENT_TYPES, *_place(agent_id))
    return {row["event_type"]: row["events"] for row in rows}


async def _checkpoint(connection: Connection) -> Checkpoint | None:
    newest = await log_store.newest_checkpoint(connection)
    return None if newest is None else Checkpoint(size=newest.size, note=newest.note)


async def _contents(connection: Connection, tenant: Tenant) -> str:
    chosen = await contents_store.retention(connection, tenant.tenant_id)
    if chosen is None or not chosen.store_content:
        return NOT_KEPT
    return f"kept, encrypted with the tenant's own key, for {chosen.days} days"


def _span(row: Row) -> Span:
    return Span(
        name=row["name"], count=row["count"], first_at=row["first_at"], last_at=row["last_at"]
    )


def _place(agent_id: AgentId) -> tuple[Cell, AgentId]:
    return identifiers.cell_of(agent_id), agent_id
