"""Two pools with their own rights and plans, and one word for a database that does not answer."""

from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from psycopg import conninfo

from ainfera_server.errors import StoreUnavailable
from ainfera_server.postgres import pool
from ainfera_server.postgres.pool import Pool, Pools


async def settings(opened: Pool, *names: str) -> list[str]:
    async with pool.transaction(opened) as connection:
        return [await connection.fetchval("select current_setting($1)", name) for name in names]


async def test_each_pool_has_its_role_and_its_limits(pools: Pools) -> None:
    limits = ("role", "statement_timeout", "lock_timeout", "jit", "search_path", "TimeZone")
    assert await settings(pools.app, *limits) == ["ainfera_app", "2s", "1s", "off", "public", "UTC"]
    assert (await settings(pools.writer, *limits))[0] == "ainfera_writer"


async def test_only_the_writer_is_kept_from_reading_whole_tables(pools: Pools) -> None:
    plans = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")
    for _ in range(3):
        assert await settings(pools.writer, *plans) == ["off", "off", "off"]
        assert await settings(pools.app, *plans) == ["on", "on", "on"]


async def test_the_app_cannot_do_what_only_the_writer_may(pools: Pools) -> None:
    query = "delete from idempotency_keys"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await run(pools.app, query)
    await run(pools.writer, query)


async def test_json_is_left_as_the_text_it_is(pools: Pools) -> None:
    assert await run(pools.app, """select '{"a": 1}'::jsonb""") == '{"a": 1}'


async def run(opened: Pool, *statements: str) -> object:
    """Run statements in one transaction, and have the value of the last."""
    value: object = None
    async with pool.transaction(opened) as connection:
        for statement in statements:
            value = await connection.fetchval(statement)
    return value


SHORT_PATIENCE = "select set_config('statement_timeout', '20ms', true)"
SHORT_QUEUE = "select set_config('lock_timeout', '20ms', true)"


@pytest.mark.parametrize("sqlstate", ["28P01", "40001", "40P01", "53100", "53300", "57P03"])
async def test_a_database_that_cannot_answer_now_has_one_word(pools: Pools, sqlstate: str) -> None:
    with pytest.raises(StoreUnavailable, match=r"^The database does not answer") as refusal:
        await run(pools.app, f"do $$ begin raise sqlstate '{sqlstate}'; end $$")
    assert isinstance(refusal.value.__cause__, asyncpg.PostgresError)
    assert await run(pools.app, "select 1") == 1


async def test_a_statement_runs_only_so_long(pools: Pools) -> None:
    with pytest.raises(StoreUnavailable):
        await run(pools.app, SHORT_PATIENCE, "select pg_sleep(60)")
    assert await run(pools.app, "select 1") == 1


async def test_a_connection_that_is_cut_off_is_replaced(
    pools: Pools, administer: Callable[[str], None]
) -> None:
    backends: list[int] = []

    async def lose_the_connection() -> None:
        async with pool.transaction(pools.app) as connection:
            backends.append(await connection.fetchval("select pg_backend_pid()"))
            administer(f"select pg_terminate_backend({backends[0]}, 5000)")
            await connection.fetchval("select 1")

    with pytest.raises(StoreUnavailable):
        await lose_the_connection()
    assert await run(pools.app, "select pg_backend_pid()") not in backends


async def test_a_held_lock_is_waited_for_only_so_long(pools: Pools) -> None:
    update = "select height from audit_log_heads where log = 0 for update"
    async with pool.transaction(pools.app) as holder:
        await holder.execute(update)
        with pytest.raises(StoreUnavailable):
            await run(pools.app, SHORT_QUEUE, update)


async def test_a_pool_with_no_connection_left_says_so_in_time(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "WAIT_TIMEOUT_S", 0.05)
    async with (
        pool.opened(database, app_connections=1) as pools,
        pool.transaction(pools.app),
    ):
        with pytest.raises(StoreUnavailable):
            await run(pools.app, "select 1")


async def test_a_closed_pool_is_a_database_that_does_not_answer(database: str) -> None:
    async with pool.opened(database) as pools:
        pass
    with pytest.raises(StoreUnavailable):
        await run(pools.app, "select 1")


async def test_a_refusal_by_a_constraint_stays_what_it_is(pools: Pools) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await run(pools.app, "update audit_log_heads set height = -1")


@pytest.mark.parametrize(
    ("query", "values", "error"),
    [
        ("select $1::int", ("three",), asyncpg.DataError),
        ("select $1::int", (), asyncpg.InterfaceError),
        ("select no_such_column", (), asyncpg.UndefinedColumnError),
    ],
)
async def test_a_mistake_of_ours_is_not_blamed_on_the_database(
    pools: Pools, query: str, values: tuple[object, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        async with pool.transaction(pools.app) as connection:
            await connection.fetchval(query, *values)


async def test_an_error_inside_leaves_no_trace(pools: Pools) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError):
        await run(pools.app, "update audit_log_heads set height = 7", "select 1 / 0")
    assert await run(pools.app, "select height from audit_log_heads") == 0


async def test_nobody_at_the_address_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be used as 'ainfera_app'"):
        await open_and_close(f"postgresql://ainfera@/ainfera?host={tmp_path}")


async def test_a_login_that_may_not_take_the_role_is_told(database: str) -> None:
    who = conninfo.conninfo_to_dict(database)
    dsn = f"postgresql://nobody_here@/{who['dbname']}?host={who['host']}&port={who['port']}"
    with pytest.raises(StoreUnavailable, match="nobody_here"):
        await open_and_close(dsn)


async def open_and_close(dsn: str) -> None:
    async with pool.opened(dsn):
        pass
