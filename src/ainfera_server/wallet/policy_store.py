"""The queries about what owners allow: one function runs one query."""

from decimal import Decimal

from ainfera_server import identifiers
from ainfera_server.identifiers import AgentId, TenantId
from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Connection, Row
from ainfera_server.wallet import policy
from ainfera_server.wallet.policy import SpendPolicy, TenantPolicy

QUERIES = queries.load(__name__, "policies.sql")
SPEND_POLICY = QUERIES["spend_policy"]
WRITE_SPEND_POLICY = QUERIES["write_spend_policy"]
TENANT_POLICY = QUERIES["tenant_policy"]
LOCK_TENANT_POLICY = QUERIES["lock_tenant_policy"]
WRITE_TENANT_POLICY = QUERIES["write_tenant_policy"]
LOCK_OPEN_WINDOWS = QUERIES["lock_open_windows"]
WRITE_CAPS_OF_WINDOWS = QUERIES["write_caps_of_windows"]
WRITE_CAPS_OF_TENANT_WINDOWS = QUERIES["write_caps_of_tenant_windows"]
FIRST_AGENT = QUERIES["first_agent"]


async def spend_policy(connection: Connection, agent_id: AgentId) -> SpendPolicy | None:
    """What an owner allows an agent; None when the agent is not there."""
    row = await connection.fetchrow(SPEND_POLICY, identifiers.cell_of(agent_id), agent_id)
    return None if row is None else policy_of(row)


async def write_spend_policy(
    connection: Connection, agent_id: AgentId, allowed: SpendPolicy
) -> None:
    """Say what an agent may spend from now on."""
    await connection.execute(
        WRITE_SPEND_POLICY,
        identifiers.cell_of(agent_id),
        agent_id,
        allowed.per_call_cap,
        allowed.daily_cap,
        allowed.monthly_cap,
        allowed.session_cap,
        allowed.subagent_cap,
        allowed.may_exceed_hold,
        policy.encode(allowed),
    )


async def tenant_policy(connection: Connection, tenant_id: TenantId) -> TenantPolicy | None:
    """What an owner allows all agents together; None when the tenant is not there."""
    row = await connection.fetchrow(TENANT_POLICY, identifiers.cell_of(tenant_id), tenant_id)
    return None if row is None else _tenant_policy(row)


async def lock_tenant_policy(connection: Connection, tenant_id: TenantId) -> TenantPolicy | None:
    """The same, locked until commit."""
    row = await connection.fetchrow(LOCK_TENANT_POLICY, identifiers.cell_of(tenant_id), tenant_id)
    return None if row is None else _tenant_policy(row)


async def write_tenant_policy(
    connection: Connection, tenant_id: TenantId, allowed: TenantPolicy
) -> None:
    """Say what all agents together may spend from now on."""
    await connection.execute(
        WRITE_TENANT_POLICY,
        identifiers.cell_of(tenant_id),
        tenant_id,
        allowed.daily_cap,
        allowed.monthly_cap,
        allowed.wallet_strict_per_agent,
    )


async def lock_open_windows(
    connection: Connection, tenant_id: TenantId, agent_id: AgentId | None
) -> None:
    """Lock what an agent may still spend in; with None, what all agents together may."""
    cell = identifiers.cell_of(tenant_id)
    await connection.fetch(LOCK_OPEN_WINDOWS, cell, tenant_id, agent_id)


async def write_caps_of_windows(
    connection: Connection, tenant_id: TenantId, agent_id: AgentId, allowed: SpendPolicy
) -> None:
    """Have the database enforce other caps on an agent, in windows that are open."""
    await connection.execute(
        WRITE_CAPS_OF_WINDOWS,
        identifiers.cell_of(agent_id),
        tenant_id,
        agent_id,
        allowed.daily_cap,
        allowed.monthly_cap,
        allowed.session_cap,
        allowed.subagent_cap,
    )


async def write_caps_of_tenant_windows(
    connection: Connection, tenant_id: TenantId, allowed: TenantPolicy
) -> None:
    """Have the database enforce other caps on a tenant, in windows that are open."""
    cell = identifiers.cell_of(tenant_id)
    await connection.execute(
        WRITE_CAPS_OF_TENANT_WINDOWS, cell, tenant_id, allowed.daily_cap, allowed.monthly_cap
    )


async def first_agent(connection: Connection, tenant_id: TenantId) -> AgentId | None:
    """A tenant's oldest agent, whose chain tells what concerns them all; None for no tenant."""
    found = await connection.fetchval(FIRST_AGENT, identifiers.cell_of(tenant_id), tenant_id)
    return None if found is None else AgentId(found)


def policy_of(row: Row) -> SpendPolicy:
    """The policy in a row of agents."""
    kept = policy.decode(row["spend_policy"])
    return SpendPolicy(
        per_call_cap=row["per_call_cap"],
        daily_cap=row["daily_cap"],
        monthly_cap=row["monthly_cap"],
        session_cap=row["session_cap"],
        subagent_cap=row["subagent_cap"],
        min_quality=None if kept.min_quality is None else Decimal(kept.min_quality),
        allowed_models=kept.allowed_models,
        allowed_providers=kept.allowed_providers,
        may_exceed_hold=row["may_exceed_hold"],
    )


def _tenant_policy(row: Row) -> TenantPolicy:
    return TenantPolicy(
        daily_cap=row["daily_cap"],
        monthly_cap=row["monthly_cap"],
        wallet_strict_per_agent=row["wallet_strict_per_agent"],
    )
