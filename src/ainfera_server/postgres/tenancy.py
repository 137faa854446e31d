"""The only ways to rows that belong to somebody: each opens one transaction for one purpose."""

import contextlib
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager

from ainfera_server.identifiers import AgentId, TenantId
from ainfera_server.postgres import pool as pools
from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Connection, Pool

QUERIES = queries.load(__name__, "tenancy.sql")
BECOME_TENANT = QUERIES["become_tenant"]
PRESENT_KEY = QUERIES["present_key"]
NAME_PUBLIC_AGENT = QUERIES["name_public_agent"]


def tenant_transaction(pool: Pool, tenant_id: TenantId) -> AbstractAsyncContextManager[Connection]:
    """A transaction that sees and writes this tenant's rows and nobody else's."""
    return _transaction_with(pool, BECOME_TENANT, str(tenant_id))


def public_transaction(pool: Pool) -> AbstractAsyncContextManager[Connection]:
    """A transaction for what belongs to nobody: in a tenant's tables it sees no row."""
    return pools.transaction(pool)


def key_transaction(pool: Pool, key_id: str) -> AbstractAsyncContextManager[Connection]:
    """A transaction that sees one API key, to find out who calls."""
    return _transaction_with(pool, PRESENT_KEY, key_id)


def public_agent_transaction(
    pool: Pool, agent_id: AgentId
) -> AbstractAsyncContextManager[Connection]:
    """A transaction that sees one agent's chain, for anybody who wants to verify it."""
    return _transaction_with(pool, NAME_PUBLIC_AGENT, str(agent_id))


@contextlib.asynccontextmanager
async def _transaction_with(pool: Pool, setting: str, value: str) -> AsyncGenerator[Connection]:
    async with pools.transaction(pool) as connection:
        await connection.execute(setting, value)
        yield connection
