"""The group commit: what was acknowledged is there once, whatever happens to the connection."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from urllib.parse import unquote, urlsplit

import asyncpg
import psycopg
import pytest

from ainfera_server import journal as journals
from ainfera_server.errors import Overloaded, StoreUnavailable
from ainfera_server.journal import Journal
from ainfera_server.postgres.embedded import Server
from ainfera_server.postgres.pool import Connection, Pools
from tests.conftest import Look
from tests.promises import proves

NOTE = "insert into notes select * from unnest($1::int[]) on conflict do nothing"
POISON = -1
KILL_WRITERS = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where application_name = 'ainfera_writer' and datname = current_database()"
)


class Notes:
    """Writes numbers, and can be told to do something in the middle of a batch."""

    def __init__(self, meanwhile: Callable[[Connection], Awaitable[None]] | None = None) -> None:
        self.batches: list[tuple[int, ...]] = []
        self._meanwhile = meanwhile

    async def __call__(
        self, connection: Connection, numbers: Sequence[int], attempt: int
    ) -> Sequence[tuple[int, int]]:
        """Each number with the attempt in which it was written."""
        self.batches.append(tuple(numbers))
        await connection.execute(NOTE, list(numbers))
        if self._meanwhile is not None:
            await self._meanwhile(connection)
        return [(number, attempt) for number in numbers]


@pytest.fixture
def superuser(postgres_server: Server, database: str) -> Iterator["psycopg.Connection"]:
    """A connection that may do everything, and a table of numbers that the journal may write."""
    name = unquote(urlsplit(database).path.removeprefix("/"))
    dsn = postgres_server.dsn_as(user="postgres", database=name)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create table notes (number int primary key check (number >= 0))")
        connection.execute("grant insert, select on notes to ainfera_writer")
        yield connection


@pytest.mark.usefixtures("superuser")
async def test_what_waits_while_a_batch_is_committed_is_the_next_batch(
    pools: Pools, look: Look
) -> None:
    notes = Notes()
    async with Journal(pools.writer, notes) as journal:
        results = await asyncio.gather(*map(journal.write, range(700)))

    assert results == [(number, 1) for number in range(700)]
    assert [number for batch in notes.batches for number in batch] == list(range(700))
    assert max(map(len, notes.batches)) == journals.BATCH_ENTRIES_MAX
    assert len(notes.batches) <= 3
    assert len(look("select * from notes")) == 700


@pytest.mark.usefixtures("superuser")
async def test_a_poisoned_entry_fails_alone(pools: Pools, look: Look) -> None:
    entries = [1, 2, POISON, 3, 4]
    async with Journal(pools.writer, Notes()) as journal:
        results = await asyncio.gather(*map(journal.write, entries), return_exceptions=True)

    assert isinstance(results.pop(2), asyncpg.CheckViolationError)
    assert results == [(1, 1), (2, 1), (3, 1), (4, 1)]
    assert len(look("select * from notes")) == 4


async def test_a_connection_that_is_cut_off_before_the_commit_costs_another_attempt(
    pools: Pools, superuser: "psycopg.Connection", look: Look
) -> None:
    async def cut_off(connection: Connection) -> None:
        if len(notes.batches) == 1:
            _terminate(superuser, await connection.fetchval("select pg_backend_pid()"))
            await connection.fetchval("select 1")

    notes = Notes(cut_off)
    async with Journal(pools.writer, notes) as journal:
        results = await asyncio.gather(*map(journal.write, range(10)))

    assert results == [(number, 2) for number in range(10)]
    assert len(look("select * from notes")) == 10


@proves("no-free-or-double-charge")
async def test_nothing_acknowledged_is_lost_while_the_writers_backends_are_killed(
    pools: Pools, superuser: "psycopg.Connection", look: Look
) -> None:
    acknowledged: list[int] = []

    async with Journal(pools.writer, Notes()) as journal:

        async def write(number: int) -> None:
            try:
                acknowledged.append((await journal.write(number))[0])
            except StoreUnavailable:
                return

        for start in range(0, 3000, 30):
            is_third = start % 90 == 0
            killing = [asyncio.to_thread(superuser.execute, KILL_WRITERS)] if is_third else []
            await asyncio.gather(*map(write, range(start, start + 30)), *killing)

    written = {row["number"] for row in look("select number from notes")}
    assert set(acknowledged) <= written
    assert len(acknowledged) == len(set(acknowledged)) >= 2000


async def test_a_deadlock_or_a_lock_that_is_held_costs_another_attempt_and_then_an_error(
    pools: Pools, superuser: "psycopg.Connection"
) -> None:
    tries: list[int] = []

    async def write(connection: Connection, entries: Sequence[str], attempt: int) -> Sequence[int]:
        tries.append(attempt)
        if entries[0] == "always" or attempt == 1:
            await connection.execute("do $$ begin raise sqlstate '40P01'; end $$")
        return [attempt for _ in entries]

    async with Journal(pools.writer, write) as journal:
        assert await journal.write("once") == 2
        with pytest.raises(StoreUnavailable) as refused:
            await journal.write("always")
    assert tries == [1, 2, 1, 2, 3]
    assert refused.value.retry_after_s


@proves("waiting-is-bounded")
async def test_a_full_queue_refuses_at_once_and_loses_nothing_that_waits(pools: Pools) -> None:
    has_begun, may_go_on = asyncio.Event(), asyncio.Event()

    async def write(_: Connection, entries: Sequence[int], attempt: int) -> Sequence[int]:
        has_begun.set()
        await may_go_on.wait()
        return entries

    room = journals.QUEUE_ENTRIES_MAX
    async with Journal(pools.writer, write) as journal:
        first = asyncio.create_task(journal.write(-1))
        await has_begun.wait()
        waiting = [asyncio.create_task(journal.write(number)) for number in range(room)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refused:
            await journal.write(room)
        assert refused.value.retry_after_s
        may_go_on.set()
        assert await asyncio.gather(first, *waiting) == [-1, *range(room)]


async def test_an_entry_is_written_although_its_caller_was_cancelled(
    pools: Pools, superuser: "psycopg.Connection", look: Look
) -> None:
    async with Journal(pools.writer, Notes()) as journal:
        waiting = asyncio.create_task(journal.write(1))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        assert waiting.cancelled()
    assert look("select * from notes") == [{"number": 1}]


async def test_a_journal_that_closes_writes_what_waits_and_takes_nothing_new(
    pools: Pools, superuser: "psycopg.Connection", look: Look
) -> None:
    async with Journal(pools.writer, Notes()) as journal:
        waiting = [asyncio.create_task(journal.write(number)) for number in range(50)]
        await asyncio.sleep(0)
    assert [await one for one in waiting] == [(number, 1) for number in range(50)]
    with pytest.raises(Overloaded):
        await journal.write(50)
    assert len(look("select * from notes")) == 50


def _terminate(superuser: "psycopg.Connection", pid: int) -> None:
    superuser.execute("select pg_terminate_backend(%s, 5000)", (pid,))
