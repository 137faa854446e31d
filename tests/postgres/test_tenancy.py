"""Nobody sees another tenant's rows, whoever logs in and whatever happened before."""

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import UUID

import asyncpg
import psycopg
import pytest
import pytest_asyncio
from psycopg import conninfo

from ainfera_server.errors import StoreUnavailable
from ainfera_server.identifiers import AgentId, TenantId
from ainfera_server.postgres import pool, tenancy
from ainfera_server.postgres.embedded import Server
from ainfera_server.postgres.pool import Connection, Pools

ANN = TenantId(UUID("00000000-0000-7000-8000-000000000a00"))
BOB = TenantId(UUID("00000000-0000-7000-8000-000000000b00"))
ANNS_AGENT = AgentId(UUID("00000000-0000-7000-8000-00000000a100"))
BOBS_AGENT = AgentId(UUID("00000000-0000-7000-8000-00000000b100"))
NAMES = "select name from tenants order by name"
ADD_TENANT = (
    "insert into tenants (cell, tenant_id, name, owner_handle, owner_source, created_at)"
    " values (0, $1, $2, '', 'anonymous', now())"
)
ADD_HEAD = "insert into chain_heads (cell, agent_id, tenant_id) values (0, $1, $2)"
CHAINS = "select agent_id from chain_heads"


async def names(connection: Connection) -> list[str]:
    return [row["name"] for row in await connection.fetch(NAMES)]


@pytest_asyncio.fixture
async def inhabited(pools: Pools) -> Pools:
    """Ann and Bob, each a tenant with an agent that has a chain."""
    for tenant_id, name, agent_id in ((ANN, "ann", ANNS_AGENT), (BOB, "bob", BOBS_AGENT)):
        async with tenancy.tenant_transaction(pools.app, tenant_id) as connection:
            await connection.execute(ADD_TENANT, tenant_id, name)
            await connection.execute(ADD_HEAD, agent_id, tenant_id)
    return pools


@pytest_asyncio.fixture
async def superusers_pools(
    inhabited: Pools, database: str, postgres_server: Server
) -> AsyncIterator[Pools]:
    """The same database, opened with a login that ignores row security."""
    name = conninfo.conninfo_to_dict(database)["dbname"]
    dsn = postgres_server.dsn_as(user="postgres", database=str(name))
    async with pool.opened(dsn) as pools:
        yield pools


async def test_a_tenant_sees_its_own_rows_only(inhabited: Pools) -> None:
    async with tenancy.tenant_transaction(inhabited.app, ANN) as connection:
        assert await names(connection) == ["ann"]
    async with tenancy.tenant_transaction(inhabited.app, BOB) as connection:
        assert await names(connection) == ["bob"]


async def test_row_security_binds_even_when_the_login_is_a_superuser(
    superusers_pools: Pools,
) -> None:
    async with tenancy.tenant_transaction(superusers_pools.app, ANN) as connection:
        assert await names(connection) == ["ann"]
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await connection.execute(ADD_TENANT, BOB, "a second bob")


async def test_without_a_tenant_there_is_nothing_to_see(inhabited: Pools) -> None:
    async with tenancy.public_transaction(inhabited.app) as connection:
        assert await names(connection) == []


async def test_a_row_of_another_tenant_cannot_be_written(inhabited: Pools) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with tenancy.tenant_transaction(inhabited.app, ANN) as connection:
            await connection.execute(ADD_HEAD, ANNS_AGENT, BOB)


async def test_the_writer_works_for_all_tenants(inhabited: Pools) -> None:
    async with pool.transaction(inhabited.writer) as connection:
        assert await names(connection) == ["ann", "bob"]


async def test_a_presented_key_shows_that_key_and_nothing_else(inhabited: Pools) -> None:
    await add_key(inhabited, ANN, ANNS_AGENT, "a" * 16)
    await add_key(inhabited, BOB, BOBS_AGENT, "b" * 16)
    async with tenancy.key_transaction(inhabited.app, "a" * 16) as connection:
        seen = await connection.fetch("select key_id, tenant_id from api_keys")
        assert [(row["key_id"], row["tenant_id"]) for row in seen] == [("a" * 16, ANN)]
        assert await names(connection) == []


async def test_a_named_agent_shows_its_chain_and_nothing_else(inhabited: Pools) -> None:
    async with tenancy.public_agent_transaction(inhabited.app, BOBS_AGENT) as connection:
        assert [row["agent_id"] for row in await connection.fetch(CHAINS)] == [BOBS_AGENT]
        assert await names(connection) == []


@pytest.mark.parametrize("end", ["commit", "error", "refusal", "cancellation"])
async def test_nothing_of_a_tenant_stays_on_the_connection(database: str, end: str) -> None:
    """However a transaction ended, the next one on its only connection belongs to nobody."""
    async with pool.opened(database, app_connections=1) as pools:
        async with tenancy.tenant_transaction(pools.app, ANN) as connection:
            await connection.execute(ADD_TENANT, ANN, "ann")
            backend = await connection.fetchval("select pg_backend_pid()")
        await ENDS[end](pools)
        async with tenancy.public_transaction(pools.app) as connection:
            assert await names(connection) == []
            assert not await connection.fetchval("select current_setting('app.tenant_id', true)")
            assert await connection.fetchval("select current_user") == "ainfera_app"
            assert await connection.fetchval("select pg_backend_pid()") == backend


async def commits(pools: Pools) -> None:
    async with tenancy.tenant_transaction(pools.app, ANN) as connection:
        assert await names(connection) == ["ann"]


async def raises(pools: Pools) -> None:
    with pytest.raises(LookupError):
        async with tenancy.tenant_transaction(pools.app, ANN):
            raise LookupError


async def is_refused(pools: Pools) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with tenancy.tenant_transaction(pools.app, ANN) as connection:
            await connection.execute("delete from tenants")


async def is_cancelled(pools: Pools) -> None:
    with pytest.raises(TimeoutError):
        async with (
            asyncio.timeout(0.05),
            tenancy.tenant_transaction(pools.app, ANN) as connection,
        ):
            await connection.execute("select pg_sleep(60)")


ENDS = {"commit": commits, "error": raises, "refusal": is_refused, "cancellation": is_cancelled}


async def test_a_setting_that_is_no_id_is_refused_by_its_type(inhabited: Pools) -> None:
    """An id is text on its way to the setting, so a hostile one would only be another setting."""
    hostile = "x'; reset role; --"
    async with tenancy.key_transaction(inhabited.app, hostile) as connection:
        assert await connection.fetchval("select current_setting('app.key_id')") == hostile
        assert await connection.fetchval("select current_user") == "ainfera_app"


async def test_every_table_with_a_tenant_forces_row_security(database: str) -> None:
    with psycopg.connect(database) as connection:
        unsafe = connection.execute(
            "select relname from pg_class join pg_attribute on attrelid = pg_class.oid"
            " where relkind in ('r', 'p') and attname = 'tenant_id'"
            " and not (relrowsecurity and relforcerowsecurity)"
        ).fetchall()
    assert unsafe == []


async def test_a_login_whose_role_ignores_row_security_gets_no_pool(
    database: str, administer: Callable[[str], None]
) -> None:
    administer("alter role ainfera_app bypassrls")
    try:
        with pytest.raises(StoreUnavailable, match="row security does not bind"):
            await open_and_close(database)
    finally:
        administer("alter role ainfera_app nobypassrls")


async def open_and_close(dsn: str) -> None:
    async with pool.opened(dsn):
        pass


async def add_key(pools: Pools, tenant_id: TenantId, agent_id: AgentId, key_id: str) -> None:
    async with tenancy.tenant_transaction(pools.app, tenant_id) as connection:
        await connection.execute(
            "insert into agents values (0, $1, $2, 'a', $3, 'u', 'd', 'active', null, null, '{}',"
            " null, '{}', 'k', 'EdDSA', 'pem', 'sealed', now())",
            agent_id,
            tenant_id,
            f"handle-{key_id}",
        )
        await connection.execute(
            "insert into api_keys values (0, $1, $2, $3, 'key', $4, 'last', now(), null)",
            key_id,
            tenant_id,
            agent_id,
            "0" * 64,
        )
