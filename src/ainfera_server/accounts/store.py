"""The queries about tenants, agents and keys: one function runs one query."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

import orjson

from ainfera_server import identifiers
from ainfera_server.accounts.agent_cards import CardAlg
from ainfera_server.accounts.api_keys import KeyId, KeyScope, NewKey
from ainfera_server.contents.keeping import Keeping
from ainfera_server.conversation import Json
from ainfera_server.identifiers import AccountId, AgentId, Cell, TenantId
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Connection, Row
from ainfera_server.wallet import policy, policy_store
from ainfera_server.wallet.policy import SpendPolicy

QUERIES = queries.load(__name__)
CLAIM_ADDRESS = QUERIES["claim_address"]
LISTED = QUERIES["listed"]
WRITE_TENANT = QUERIES["write_tenant"]
WRITE_AGENT = QUERIES["write_agent"]
WRITE_API_KEY = QUERIES["write_api_key"]
REVOKE_API_KEY = QUERIES["revoke_api_key"]
PRESENTED_KEY = QUERIES["presented_key"]
API_KEYS = QUERIES["api_keys"]
API_KEY = QUERIES["api_key"]
PAYER = QUERIES["payer"]
TENANT = QUERIES["tenant"]
AGENT = QUERIES["agent"]
AGENTS = QUERIES["agents"]

LIST_ROWS_MAX = 1000

OwnerSource = Literal["anonymous", "github_user"]
AgentStatus = Literal["active", "paused", "killed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Whoever owns agents; `owner_contact` is None when none was given."""

    tenant_id: TenantId
    name: str
    owner_handle: str
    owner_source: OwnerSource
    owner_contact: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An agent as its owner sees it; `wallet_address` is None when none was given."""

    agent_id: AgentId
    tenant_id: TenantId
    name: str
    handle: str
    canonical_uri: str
    did_web: str
    status: AgentStatus
    spend_policy: SpendPolicy
    wallet_address: str | None
    metadata: Mapping[str, Json]
    card_key_id: str
    card_alg: CardAlg
    public_key_pem: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What anybody may know about an agent."""

    agent_id: AgentId
    canonical_uri: str
    owner_handle: str
    agent_handle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """Who pays for an inference, and within which limits; None is no limit of the owner's.

    What the wallet alone cannot cover is paid from the tenant's pool, unless wallets are strict.
    `keeps` is None unless the tenant wants its prompts and answers kept.
    """

    tenant_id: TenantId
    agent_id: AgentId
    wallet_id: AccountId
    pool_id: AccountId
    provider_cost_id: AccountId
    revenue_id: AccountId
    status: AgentStatus = "active"
    per_call_cap: UsdMicros | None = None
    daily_cap: UsdMicros | None = None
    min_quality: Decimal | None = None
    allowed_models: tuple[str, ...] | None = None
    allowed_providers: tuple[str, ...] | None = None
    may_exceed_hold: bool = False
    keeps: Keeping | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOnRecord:
    """What is known of a presented key; its agent is the one that calls when none is named."""

    key_id: KeyId
    tenant_id: TenantId
    agent_id: AgentId
    scope: KeyScope
    secret_hash: str = field(repr=False)
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedKey:
    """A key as its owner sees it; `revoked_at` is None while it works."""

    key_id: KeyId
    tenant_id: TenantId
    agent_id: AgentId
    name: str
    scope: KeyScope
    last_four: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAgent:
    """An agent to write, with the key of its cards, sealed."""

    agent: Agent
    owner_handle: str
    private_key_sealed: str = field(repr=False)


async def claim_address(connection: Connection, new: NewAgent) -> bool:
    """Enter an agent in the directory; False when somebody has its address."""
    agent = new.agent
    claimed = await connection.fetchval(
        CLAIM_ADDRESS,
        agent.canonical_uri,
        identifiers.cell_of(agent.agent_id),
        agent.agent_id,
        new.owner_handle,
        agent.handle,
        agent.created_at,
    )
    return claimed is not None


async def listed(connection: Connection, agent_id: AgentId) -> Listed | None:
    """What anybody may know about an agent; None when there is no such agent."""
    row = await connection.fetchrow(LISTED, agent_id)
    if row is None:
        return None
    return Listed(
        agent_id=AgentId(row["agent_id"]),
        canonical_uri=row["canonical_uri"],
        owner_handle=row["owner_handle"],
        agent_handle=row["agent_handle"],
    )


async def write_tenant(connection: Connection, tenant: Tenant) -> None:
    """Write a new tenant."""
    await connection.execute(
        WRITE_TENANT,
        identifiers.cell_of(tenant.tenant_id),
        tenant.tenant_id,
        tenant.name,
        tenant.owner_handle,
        tenant.owner_source,
        tenant.owner_contact,
        tenant.created_at,
    )


async def write_agent(connection: Connection, new: NewAgent) -> None:
    """Write a new agent."""
    agent = new.agent
    await connection.execute(
        WRITE_AGENT,
        identifiers.cell_of(agent.agent_id),
        agent.agent_id,
        agent.tenant_id,
        agent.name,
        agent.handle,
        agent.canonical_uri,
        agent.did_web,
        agent.spend_policy.per_call_cap,
        agent.spend_policy.daily_cap,
        agent.spend_policy.monthly_cap,
        agent.spend_policy.session_cap,
        agent.spend_policy.subagent_cap,
        agent.spend_policy.may_exceed_hold,
        policy.encode(agent.spend_policy),
        agent.wallet_address,
        orjson.dumps(agent.metadata).decode(),
        agent.card_key_id,
        agent.card_alg,
        agent.public_key_pem,
        new.private_key_sealed,
        agent.created_at,
    )


async def write_api_key(
    connection: Connection,
    key: NewKey,
    *,
    tenant_id: TenantId,
    agent_id: AgentId,
    name: str,
    scope: KeyScope,
    created_at: datetime,
) -> None:
    """Write what is kept of a new key."""
    await connection.execute(
        WRITE_API_KEY,
        identifiers.cell_of(agent_id),
        key.key_id,
        tenant_id,
        agent_id,
        name,
        scope,
        key.secret_hash,
        key.last_four,
        created_at,
    )


async def revoke_api_key(
    connection: Connection, cell: Cell, key_id: KeyId, *, now: datetime
) -> bool:
    """Revoke a key; False when it was revoked before."""
    return await connection.fetchval(REVOKE_API_KEY, cell, key_id, now) is not None


async def presented_key(connection: Connection, cell: Cell, key_id: KeyId) -> KeyOnRecord | None:
    """What is on record about a presented key; None when there is no such key."""
    row = await connection.fetchrow(PRESENTED_KEY, cell, key_id)
    if row is None:
        return None
    return KeyOnRecord(
        key_id=row["key_id"],
        tenant_id=TenantId(row["tenant_id"]),
        agent_id=AgentId(row["agent_id"]),
        scope=row["scope"],
        secret_hash=row["secret_hash"],
        revoked_at=row["revoked_at"],
    )


async def api_keys(connection: Connection, tenant_id: TenantId) -> tuple[ListedKey, ...]:
    """A tenant's keys, newest first; never their hashes."""
    cell = identifiers.cell_of(tenant_id)
    rows = await connection.fetch(API_KEYS, cell, tenant_id, LIST_ROWS_MAX)
    return tuple(_listed_key(row) for row in rows)


async def api_key(connection: Connection, cell: Cell, key_id: KeyId) -> ListedKey | None:
    """One key; None when there is no such key."""
    row = await connection.fetchrow(API_KEY, cell, key_id)
    return None if row is None else _listed_key(row)


async def payer(connection: Connection, agent_id: AgentId) -> Payer | None:
    """Who pays for an inference of this agent; None when there is no such agent."""
    row = await connection.fetchrow(PAYER, identifiers.cell_of(agent_id), agent_id)
    if row is None:
        return None
    allowed = policy_store.policy_of(row)
    return Payer(
        tenant_id=TenantId(row["tenant_id"]),
        agent_id=AgentId(row["agent_id"]),
        wallet_id=AccountId(row["wallet_id"]),
        pool_id=AccountId(row["pool_id"]),
        provider_cost_id=AccountId(row["provider_cost_id"]),
        revenue_id=AccountId(row["revenue_id"]),
        status=row["status"],
        per_call_cap=allowed.per_call_cap,
        daily_cap=allowed.daily_cap,
        min_quality=allowed.min_quality,
        allowed_models=allowed.allowed_models,
        allowed_providers=allowed.allowed_providers,
        may_exceed_hold=allowed.may_exceed_hold,
        keeps=_keeping(row),
    )


async def tenant(connection: Connection, tenant_id: TenantId) -> Tenant | None:
    """A tenant; None when there is no such tenant."""
    row = await connection.fetchrow(TENANT, identifiers.cell_of(tenant_id), tenant_id)
    if row is None:
        return None
    return Tenant(
        tenant_id=TenantId(row["tenant_id"]),
        name=row["name"],
        owner_handle=row["owner_handle"],
        owner_source=row["owner_source"],
        owner_contact=row["owner_contact"],
        created_at=row["created_at"],
    )


async def agent(connection: Connection, agent_id: AgentId) -> Agent | None:
    """An agent; None when there is no such agent."""
    row = await connection.fetchrow(AGENT, identifiers.cell_of(agent_id), agent_id)
    return None if row is None else _agent(row)


async def agents(connection: Connection, tenant_id: TenantId) -> tuple[Agent, ...]:
    """A tenant's agents, newest first."""
    cell = identifiers.cell_of(tenant_id)
    rows = await connection.fetch(AGENTS, cell, tenant_id, LIST_ROWS_MAX)
    return tuple(_agent(row) for row in rows)


def _agent(row: Row) -> Agent:
    return Agent(
        agent_id=AgentId(row["agent_id"]),
        tenant_id=TenantId(row["tenant_id"]),
        name=row["name"],
        handle=row["handle"],
        canonical_uri=row["canonical_uri"],
        did_web=row["did_web"],
        status=row["status"],
        spend_policy=policy_store.policy_of(row),
        wallet_address=row["wallet_address"],
        metadata=orjson.loads(row["metadata"]),
        card_key_id=row["card_key_id"],
        card_alg=row["card_key_alg"],
        public_key_pem=row["card_public_key_pem"],
        created_at=row["created_at"],
    )


def _listed_key(row: Row) -> ListedKey:
    return ListedKey(
        key_id=row["key_id"],
        tenant_id=TenantId(row["tenant_id"]),
        agent_id=AgentId(row["agent_id"]),
        name=row["name"],
        scope=row["scope"],
        last_four=row["last_four"],
        created_at=row["created_at"],
        revoked_at=row["revoked_at"],
    )


def _keeping(row: Row) -> Keeping | None:
    if row["content_key_id"] is None:
        return None
    return Keeping(
        days=row["content_days"],
        key_id=row["content_key_id"],
        sealed_key=row["content_key_sealed"],
    )
