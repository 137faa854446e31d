"""The warm process that forks gateways, from the outside: orders in, lives out."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.chaos.orders import Life, Order

REPOSITORY = Path(__file__).resolve().parents[2]
WARM_S_MAX = 120.0
LIFE_S_MAX = 90.0
LINE_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkServer:
    """Serves one order at a time."""

    process: asyncio.subprocess.Process

    async def lives(self, order: Order) -> Life:
        """Have a gateway live as ordered, and hear all that it told until it ended."""
        assert self.process.stdin is not None, "it was given a pipe"
        assert self.process.stdout is not None, "it was given a pipe"
        self.process.stdin.write(msgspec.json.encode(order) + b"\n")
        async with asyncio.timeout(LIFE_S_MAX):
            line = await self.process.stdout.readline()
        assert line, "the process that forks has died; its words are above"
        return msgspec.json.decode(line, type=Life)


@contextlib.asynccontextmanager
async def running(dsn: str, data_dir: Path, provider_url: str) -> AsyncGenerator[ForkServer]:
    """Have one for as long as the block runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.chaos.doomed_process",
        dsn,
        str(data_dir),
        provider_url,
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_BYTES_MAX,
    )
    assert process.stdin is not None, "it was given a pipe"
    assert process.stdout is not None, "it was given a pipe"
    try:
        async with asyncio.timeout(WARM_S_MAX):
            assert await process.stdout.readline() == b"warm\n", "it did not get warm"
        yield ForkServer(process=process)
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(LIFE_S_MAX):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
