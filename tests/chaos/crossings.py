"""Counts what a gateway does to the world, from outside: its pools, its transport, its answers.

The product knows nothing of this: it is handed these in place of the real ones, and they pass
everything on. A statement or a chunk that is new in the product is a new point by itself.
"""

import asyncio
import importlib.resources
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Connection, Pool, Pools
from ainfera_server.providers.provider import Endpoint, Timeouts
from ainfera_server.providers.transport import Answer, Streamed, Transport
from tests.chaos.points import Points

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """How statements are counted.

    `connected` hears the number of each process of the database that serves. `loses_commits` rolls
    back what is to be committed, and says nothing of it.
    """

    points: Points
    connected: Callable[[int], None]
    loses_commits: bool = False


def counted_pools(real: Pools, counting: Counting) -> Pools:
    """Both pools, counted."""
    return Pools(
        app=CountedPool(real.app, "app", counting),
        writer=CountedPool(real.writer, "writer", counting),
    )


class CountedPool:
    """A pool whose transactions are counted."""

    def __init__(self, real: Pool, name: str, counting: Counting) -> None:
        self._real = real
        self._name = name
        self._counting = counting

    async def acquire(self, *, timeout: float) -> Connection:  # noqa: ASYNC109 (the driver's name)
        """Borrow a connection."""
        connection = await self._real.acquire(timeout=timeout)
        process_id = connection.get_server_pid()  # pyright: ignore[reportAttributeAccessIssue]
        self._counting.connected(process_id)
        return CountedConnection(connection, self._name, self._counting)

    async def release(self, connection: Connection, /) -> None:
        """Give the real one back."""
        assert isinstance(connection, CountedConnection), "only what was borrowed here comes back"
        await self._real.release(connection.real)

    async def close(self) -> None:
        """As the real one."""
        await self._real.close()

    def terminate(self) -> None:
        """As the real one."""
        self._real.terminate()


class CountedConnection:
    """A connection whose statements are counted, before they are sent and after they are heard."""

    def __init__(self, real: Connection, name: str, counting: Counting) -> None:
        self.real = real
        self._name = name
        self._points = counting.points
        self._loses_commits = counting.loses_commits

    async def fetch(self, query: str, *args: object, **named: Any) -> Any:
        """A statement."""
        return await self._crossing(query, self.real.fetch(query, *args, **named))

    async def fetchrow(self, query: str, *args: object, **named: Any) -> Any:
        """A statement."""
        return await self._crossing(query, self.real.fetchrow(query, *args, **named))

    async def fetchval(self, query: str, *args: object, **named: Any) -> Any:
        """A statement."""
        return await self._crossing(query, self.real.fetchval(query, *args, **named))

    async def execute(self, query: str, *args: object, **named: Any) -> Any:
        """A statement."""
        return await self._crossing(query, self.real.execute(query, *args, **named))

    async def executemany(self, command: str, args: Any, /) -> None:
        """A statement."""
        await self._crossing(command, self.real.executemany(command, args))

    def transaction(self) -> AbstractAsyncContextManager[object]:
        """A transaction, whose end is a point of its own kind: sent, and not yet heard of."""
        return self._transaction()

    def is_closed(self) -> bool:
        """As the real one."""
        return self.real.is_closed()

    def terminate(self) -> None:
        """As the real one."""
        self.real.terminate()

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[None]:
        real = self.real.transaction()
        self._points.crosses(f"before {self._name} begin")
        await real.__aenter__()
        self._points.crosses(f"after {self._name} begin")
        try:
            yield
        except BaseException as problem:
            self._points.crosses(f"before {self._name} rollback")
            await real.__aexit__(type(problem), problem, problem.__traceback__)
            self._points.crosses(f"after {self._name} rollback")
            raise
        self._points.crosses(f"before {self._name} commit")
        lost = RuntimeError if self._loses_commits else None
        ending = asyncio.ensure_future(real.__aexit__(lost, None, None))
        await asyncio.sleep(0)
        self._points.crosses(f"unheard {self._name} commit")
        await ending
        self._points.crosses(f"after {self._name} commit")

    async def _crossing(self, query: str, sent: Awaitable[ResultT]) -> ResultT:
        label = f"{self._name} {names_of_queries().get(query, 'query of no file')}"
        self._points.crosses(f"before {label}")
        heard = await sent
        self._points.crosses(f"after {label}")
        return heard


class CountedTransport(Transport):
    """Questions to providers and the pieces of their answers, counted."""

    def __init__(self, real: Transport, points: Points) -> None:
        self._real = real
        self._points = points

    async def json(
        self,
        endpoint: Endpoint,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        timeouts: Timeouts,
    ) -> Answer:
        """A question and its whole answer."""
        self._points.crosses("before the question")
        answer = await self._real.json(
            endpoint, path, headers=headers, body=body, timeouts=timeouts
        )
        self._points.crosses("after the answer")
        return answer

    @asynccontextmanager
    async def stream(
        self,
        endpoint: Endpoint,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        timeouts: Timeouts,
    ) -> AsyncGenerator[Answer | Streamed]:
        """A question, and its answer piece by piece."""
        self._points.crosses("before the question")
        async with self._real.stream(
            endpoint, path, headers=headers, body=body, timeouts=timeouts
        ) as answer:
            self._points.crosses("after the head of the answer")
            if isinstance(answer, Answer):
                yield answer
            else:
                yield Streamed(
                    status=answer.status,
                    headers=answer.headers,
                    chunks=self._counted(answer.chunks),
                )

    async def _counted(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """Each event by itself, however many a fast provider sends at once."""
        self._points.crosses("before a chunk")
        async for chunk in chunks:
            for event in chunk.splitlines(keepends=True):
                if event.strip():
                    self._points.crosses("after a chunk")
                yield event
            self._points.crosses("before a chunk")
        self._points.crosses("after the last chunk")


@cache
def names_of_queries() -> Mapping[str, str]:
    """Every query of the product by its text."""
    package = importlib.resources.files("ainfera_server")
    found: dict[str, str] = {}
    for folder in package.iterdir():
        if not folder.is_dir():
            continue
        for file in folder.iterdir():
            text = file.read_text(encoding="utf-8") if file.name.endswith(".sql") else ""
            if "-- name: " in text:
                found |= {sql: name for name, sql in queries.parse(text, where="").items()}
    return found
