"""The group commit: many requests' writes in one durable transaction.

A request hands in an entry and waits for its result. One task per process takes what waits,
writes it as one transaction, commits, and wakes the requests. There is no timer: the next batch
is whatever queued up while the last one was committed. What an entry says in the database is not
known here; the writer is given.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import asyncpg

from ainfera_server.errors import Overloaded, StoreUnavailable
from ainfera_server.postgres import pool as pools
from ainfera_server.postgres.pool import Connection, Pool

EntryT = TypeVar("EntryT")
ResultT = TypeVar("ResultT")

Write = Callable[[Connection, Sequence[EntryT], int], Awaitable[Sequence[ResultT]]]
"""Writes a batch in an open transaction and returns one result for each entry, in order.

The number counts the attempts. From the second on, the first may have been committed although
nobody heard so: the writer skips what it finds.
"""

BATCH_ENTRIES_MAX = 512
QUEUE_ENTRIES_MAX = 4096
ATTEMPTS_MAX = 3
WAIT_S_MAX = 10.0
"""How long a batch may take. Statements have their own, shorter limits in the pool."""

WORTH_ANOTHER_ATTEMPT = (
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,  # How the driver says that the connection was lost in the middle.
    asyncpg.InternalClientError,  # How it says so when it has lost track itself.
    ConnectionError,
)
"""A database that is slow or full is not asked again: that would only make it slower."""

log = logging.getLogger(__name__)


class Journal(Generic[EntryT, ResultT]):
    """Use as `async with Journal(...)`; leaving writes what still waits."""

    def __init__(self, pool: Pool, write: Write[EntryT, ResultT]) -> None:
        self._pool = pool
        self._write = write
        self._waiting: list[tuple[EntryT, asyncio.Future[ResultT]]] = []
        self._work = asyncio.Event()
        self._is_closing = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Journal[EntryT, ResultT]":
        self._task = asyncio.create_task(self._run(), name="journal")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_closing = True
        self._work.set()
        if self._task is not None:
            await self._task

    async def write(self, entry: EntryT) -> ResultT:
        """Have an entry written; returns once it is durable.

        The entry is written even when the caller is cancelled while it waits.
        Raises Overloaded when too many wait, StoreUnavailable when the database does not answer.
        """
        if self._is_closing or len(self._waiting) >= QUEUE_ENTRIES_MAX:
            problem = Overloaded("Too many requests are waiting. Try again in a moment.")
            problem.retry_after_s = 1
            raise problem
        result: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, result))
        self._work.set()
        return await asyncio.shield(result)

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            batch = self._waiting[:BATCH_ENTRIES_MAX]
            del self._waiting[:BATCH_ENTRIES_MAX]
            if not self._waiting and not self._is_closing:
                self._work.clear()
            if batch:
                await self._resolve(batch)
            elif self._is_closing:
                return

    async def _resolve(self, batch: Sequence[tuple[EntryT, "asyncio.Future[ResultT]"]]) -> None:
        """Write a batch and wake its requests; a bad entry must not fail its neighbours."""
        try:
            results = await self._committed([entry for entry, _ in batch])
        except StoreUnavailable as problem:
            log.warning("the journal cannot write: %r", problem.__cause__)
            for _, future in batch:
                _fail(future, problem)
        except Exception as problem:  # tidy: the waiting requests must hear, whatever it is
            if len(batch) == 1:
                _fail(batch[0][1], problem)
                return
            log.exception("a batch of %d failed and is written one by one", len(batch))
            for one in batch:
                await self._resolve([one])
        else:
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)

    async def _committed(self, entries: Sequence[EntryT]) -> Sequence[ResultT]:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                async with (
                    asyncio.timeout(WAIT_S_MAX),
                    pools.transaction(self._pool) as connection,
                ):
                    return await self._write(connection, entries, attempt)
            except StoreUnavailable as problem:
                is_last = attempt == ATTEMPTS_MAX
                if is_last or not isinstance(problem.__cause__, WORTH_ANOTHER_ATTEMPT):
                    raise _not_written() from problem
            except TimeoutError as problem:
                raise _not_written() from problem
        raise AssertionError("the last attempt returns or raises")


def _not_written() -> StoreUnavailable:
    return StoreUnavailable("The ledger cannot be written just now. Try again in a moment.")


def _fail(future: "asyncio.Future[ResultT]", problem: BaseException) -> None:
    if not future.done():
        future.set_exception(problem)
