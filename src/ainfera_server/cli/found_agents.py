"""Finding agents for whoever runs the server: all of them, whoever they belong to."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ainfera_server import identifiers
from ainfera_server.accounts import absent, names
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId, TenantId
from ainfera_server.postgres import pool as pools
from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Row

QUERIES = queries.load(__name__)
EVERY_AGENT = QUERIES["every_agent"]
AGENT_BY_ID = QUERIES["agent_by_id"]
AGENT_BY_ADDRESS = QUERIES["agent_by_address"]

AGENTS_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An agent, and whose it is."""

    agent_id: AgentId
    tenant_id: TenantId
    address: str
    name: str
    status: str
    created_at: datetime


async def every_agent(gateway: Gateway) -> tuple[Found, ...]:
    """The agents of every tenant, oldest first, AGENTS_MAX at most."""
    async with pools.transaction(gateway.pools.writer) as connection:
        rows = await connection.fetch(EVERY_AGENT, AGENTS_MAX)
    return tuple(_found(row) for row in rows)


async def named(gateway: Gateway, name: str) -> Found:
    """The agent with this id or address. Raises NotFound."""
    found = await find(gateway, name)
    if found is None:
        raise absent.agent()
    return found


async def find(gateway: Gateway, name: str) -> Found | None:
    """The agent with this id or address, `owner/agent`; None when there is none."""
    async with pools.transaction(gateway.pools.writer) as connection:
        agent_id = _as_id(name)
        if agent_id is not None:
            cell = identifiers.cell_of(agent_id)
            row = await connection.fetchrow(AGENT_BY_ID, cell, agent_id)
        else:
            owner, _, handle = name.removeprefix(f"{names.HOST}/").partition("/")
            row = await connection.fetchrow(AGENT_BY_ADDRESS, names.canonical_uri(owner, handle))
    return None if row is None else _found(row)


def _as_id(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def _found(row: Row) -> Found:
    return Found(
        agent_id=AgentId(row["agent_id"]),
        tenant_id=TenantId(row["tenant_id"]),
        address=str(row["canonical_uri"]).removeprefix(f"{names.HOST}/"),
        name=row["name"],
        status=row["status"],
        created_at=row["created_at"],
    )
