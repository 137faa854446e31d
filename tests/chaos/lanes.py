"""Everything that one kill after another needs: a database, providers, a gateway that recovers."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from ainfera_server import gateway as gateways
from ainfera_server.cli import first_start
from ainfera_server.gateway import Gateway
from ainfera_server.inference import record
from tests import scripted_provider
from tests.chaos import fork_server, provider_settings
from tests.chaos.fork_server import ForkServer
from tests.scripted_provider import ScriptedProvider

GONE_S_MAX = 60.0
PAUSE_S = 0.002
STILL_SERVED = "select count(*) from pg_stat_activity where pid = any($1::int[])"
TIME_IS_OVER = (
    "update transfers set expires_at = now() - interval '1 second' where state = 'pending';"
    "update idempotency_keys set expires_at = now() - interval '1 second' where state = 'running'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """`failing` refuses the first offer of every call; `superuser` looks past every rule."""

    dsn: str
    superuser_dsn: str
    superuser: "asyncpg.Connection[Any]"
    gateway: Gateway
    answering: ScriptedProvider
    failing: ScriptedProvider
    forks: ForkServer

    async def forgets(self, processes: Iterable[int]) -> None:
        """Wait until the database has noticed that those whom it served are dead."""
        numbers = list(set(processes))
        async with asyncio.timeout(GONE_S_MAX):
            while await self.superuser.fetchval(STILL_SERVED, numbers):  # noqa: ASYNC110 (no news)
                await asyncio.sleep(PAUSE_S)

    async def lets_time_pass(self) -> None:
        """Have every deadline behind us."""
        await self.superuser.execute(TIME_IS_OVER)


@contextlib.asynccontextmanager
async def opened(dsn: str, superuser_dsn: str, data_dir: Path) -> AsyncGenerator[Lane]:
    """Open a lane on a migrated database that is its own."""
    async with contextlib.AsyncExitStack() as stack:
        answering = stack.enter_context(scripted_provider.running())
        failing = stack.enter_context(scripted_provider.running())
        settings = provider_settings.settings(answering.root_url, data_dir)
        gateway = await stack.enter_async_context(
            gateways.opened(settings, dsn=dsn, writes=record.writes)
        )
        await first_start.prepare(gateway)
        forks = await stack.enter_async_context(
            fork_server.running(dsn, data_dir, answering.root_url)
        )
        # What warmed the process up asked for the cheapest offer, which the other one refuses.
        failing.fails(status=503, model=answering.requests[0].model)
        superuser = await asyncpg.connect(superuser_dsn)
        stack.push_async_callback(superuser.close)
        yield Lane(
            dsn=dsn,
            superuser_dsn=superuser_dsn,
            superuser=superuser,
            gateway=gateway,
            answering=answering,
            failing=failing,
            forks=forks,
        )
