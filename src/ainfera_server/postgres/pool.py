"""The connections of a process: one pool that serves tenants, one that writes for all of them.

One address is enough for both: each connection logs in with it and takes on its role in the same
moment, as a setting of the connection. From then on it has that role's rights and no others, and
row security binds it, even if the login is a superuser; `_require_role` makes sure of it.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

import asyncpg

from ainfera_server.errors import StoreUnavailable
from ainfera_server.postgres import queries

OBEYS_ROW_SECURITY = queries.load(__name__, "pool.sql")["obeys_row_security"]

Role = Literal["ainfera_app", "ainfera_writer"]

APP_CONNECTIONS = 10
WRITER_CONNECTIONS = 8
"""One for the group commit, the others for idempotency keys and for what runs on a clock."""

WAIT_TIMEOUT_S = 1.0
CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 5.0
"""Longer than `statement_timeout`: the server speaks first, this is for when it is gone."""

CLOSE_TIMEOUT_S = 5.0
QUERIES_PER_CONNECTION_MAX = 1_000_000

SETTINGS: Mapping[str, str] = {
    "search_path": "public",
    "timezone": "UTC",
    "statement_timeout": "2s",
    "lock_timeout": "1s",
    "idle_in_transaction_session_timeout": "10s",
    "jit": "off",
}
WRITER_SETTINGS: Mapping[str, str] = {
    # `update ... from unnest($1)`, planned while its table is small, goes on reading all of it:
    # 9.6 ms instead of 0.8 ms for 64 of 60,000 rows. With these off, only the index is left.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # Off would lose money that was acknowledged.
    "synchronous_commit": "on",
}

NO_ANSWER = "The database does not answer. Try again in a moment."
UNAVAILABLE = (
    OSError,  # Refused, reset, and every timeout of ours.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InvalidAuthorizationSpecificationError,  # Our own login, never a caller's key.
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientResourcesError,  # Too many connections, disk full, out of memory.
    asyncpg.OperatorInterventionError,  # Shutting down, starting up, `statement_timeout`.
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,  # A deadlock, or another's write came first.
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # A replica, while the primary is being replaced.
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
)


class Row(Protocol):
    """One row of an answer, read by the names of its columns."""

    def __getitem__(self, column: str | int, /) -> Any: ...
    def keys(self) -> Iterable[str]: ...
    def __len__(self) -> int: ...


class Connection(Protocol):
    """What a store may do with a connection. The driver has no types of its own."""

    async def execute(self, query: str, /, *args: object) -> str: ...
    async def executemany(self, command: str, args: Iterable[Sequence[object]], /) -> None: ...
    async def fetch(self, query: str, /, *args: object) -> list[Row]: ...
    async def fetchrow(self, query: str, /, *args: object) -> Row | None: ...
    async def fetchval(self, query: str, /, *args: object) -> Any: ...
    def transaction(self) -> AbstractAsyncContextManager[object]: ...
    def is_closed(self) -> bool: ...
    def terminate(self) -> None: ...


class Pool(Protocol):
    """Connections of one role. Nobody but this module borrows one."""

    def acquire(self, *, timeout: float) -> Awaitable[Connection]: ...
    async def release(self, connection: Connection, /) -> None: ...
    async def close(self) -> None: ...
    def terminate(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """`app` shows one tenant at a time, `writer` carries out the group commit."""

    app: Pool
    writer: Pool


@contextlib.asynccontextmanager
async def opened(
    dsn: str,
    *,
    app_connections: int = APP_CONNECTIONS,
    writer_connections: int = WRITER_CONNECTIONS,
) -> AsyncGenerator[Pools]:
    """Connect both pools, and fail now if that cannot be done. Raises StoreUnavailable."""
    writer_settings = {**SETTINGS, **WRITER_SETTINGS}
    async with contextlib.AsyncExitStack() as stack:
        app = await _open("ainfera_app", dsn, settings=SETTINGS, connections=app_connections)
        stack.push_async_callback(_close, app)
        writer = await _open(
            "ainfera_writer", dsn, settings=writer_settings, connections=writer_connections
        )
        stack.push_async_callback(_close, writer)
        yield Pools(app=app, writer=writer)


@contextlib.asynccontextmanager
async def transaction(pool: Pool) -> AsyncGenerator[Connection]:
    """Borrow a connection for one transaction: it commits at the end, or leaves no trace.

    Raises StoreUnavailable when the database does not answer in time, is full or is gone; when that
    happened at the end, it may have been committed. A constraint's refusal stays what it is.
    """
    try:
        connection = await pool.acquire(timeout=WAIT_TIMEOUT_S)
    except (asyncpg.InterfaceError, *UNAVAILABLE) as error:
        raise StoreUnavailable(NO_ANSWER) from error
    try:
        async with connection.transaction():
            yield connection
    except UNAVAILABLE as error:
        if isinstance(error, asyncpg.InternalClientError):
            # Seen after a server was killed: the driver has lost track of this connection.
            connection.terminate()
        raise StoreUnavailable(NO_ANSWER) from error
    except asyncpg.InterfaceError as error:
        if not _is_lost(connection):
            raise  # We misused the driver.
        raise StoreUnavailable(NO_ANSWER) from error
    finally:
        await pool.release(connection)


def _is_lost(connection: Connection) -> bool:
    """Whether the server is gone; the pool takes such a connection from us without a word."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


async def _open(role: Role, dsn: str, *, settings: Mapping[str, str], connections: int) -> Pool:
    try:
        pool = await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=connections,
            max_queries=QUERIES_PER_CONNECTION_MAX,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            init=functools.partial(_require_role, role=role),
            reset=_leave_as_it_is,
            server_settings={**settings, "role": role, "application_name": role},
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        words = " ".join(str(error).split()) or "it does not answer"
        raise StoreUnavailable(f"The database cannot be used as {role!r}: {words}") from error
    return cast("Pool", pool)


async def _close(pool: Pool) -> None:
    """Let what runs finish, but not for ever."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def _require_role(connection: "asyncpg.Connection[asyncpg.Record]", role: Role) -> None:
    if not await connection.fetchval(OBEYS_ROW_SECURITY, role):
        raise StoreUnavailable(
            f"A connection to the database does not have the role {role!r}, or row security does "
            f"not bind it, and tenants would not be apart. Connect to PostgreSQL directly or "
            f"through a pooler in session mode that passes the setting `role`."
        )


async def _leave_as_it_is(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Spare a round trip: nothing we do outlives its transaction, so there is nothing to reset."""
