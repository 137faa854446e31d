"""How often a PostgreSQL commits at all: one row in each transaction, from one connection or more.

The yardstick of everything durable: what stands beside it in the same run was written to the same
disk in the same minute.
"""

import asyncio
import time
from collections.abc import Sequence

import asyncpg

from benchmarks.durable import CommitRate

CONNECTIONS = (1, 16)
MEASURE_S = 1.5
TABLE = "create table if not exists commits (number bigint generated always as identity, why text)"
INSERT = "insert into commits (why) values ($1)"


async def measured(dsn: str) -> tuple[CommitRate, ...]:
    """Measure with each number of connections, on a table of its own."""
    connections: Sequence[asyncpg.Connection[asyncpg.Record]] = [
        await asyncpg.connect(dsn) for _ in range(max(CONNECTIONS))
    ]
    try:
        await connections[0].execute(TABLE)
        return tuple([await _rate(connections[:count]) for count in CONNECTIONS])
    finally:
        for connection in connections:
            await connection.close()


async def _rate(connections: "Sequence[asyncpg.Connection[asyncpg.Record]]") -> CommitRate:
    await asyncio.gather(*(_commits(one, until_s=time.monotonic() + 0.2) for one in connections))
    began_s = time.monotonic()
    until_s = began_s + MEASURE_S
    counts = await asyncio.gather(*(_commits(one, until_s=until_s) for one in connections))
    a_second = sum(counts) / (time.monotonic() - began_s)
    return CommitRate(connections=len(connections), a_second=round(a_second, 1))


async def _commits(connection: "asyncpg.Connection[asyncpg.Record]", *, until_s: float) -> int:
    """Commit one row after another; a statement outside of a transaction is one by itself."""
    count = 0
    while time.monotonic() < until_s:
        await connection.execute(INSERT, "because")
        count += 1
    return count
