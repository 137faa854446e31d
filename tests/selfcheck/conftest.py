"""Books with every kind of call in them, made once, for tests to look at and to break."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from ainfera_server import background
from ainfera_server import gateway as gateways
from ainfera_server.cli import first_start
from ainfera_server.errors import AinferaError
from ainfera_server.gateway import Gateway
from ainfera_server.inference import record, run
from ainfera_server.postgres.embedded import Server
from ainfera_server.wallet.caps import Branch
from tests import running_server, scripted_provider
from tests.inference import callers
from tests.scripted_provider import ScriptedProvider

PINNED = "gpt-5-5"


@pytest_asyncio.fixture(scope="session")
async def kept_books(
    new_database: Callable[[str], AbstractContextManager[str]],
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[str]:
    with (
        new_database(migrated_template) as dsn,
        scripted_provider.running() as provider,
    ):
        settings = running_server.settings(provider, tmp_path_factory.mktemp("books"))
        async with gateways.opened(settings, dsn=dsn, writes=record.writes) as gateway:
            await _fill(running_server.impatient(gateway), provider)
        yield dsn


@pytest.fixture
def books(kept_books: str) -> str:
    """Their DSN. Whoever breaks them does so in a transaction that is never committed."""
    return kept_books


@pytest.fixture
def owner_dsn(books: str, postgres_server: Server) -> str:
    """The same books, for whoever may do everything."""
    name = urlsplit(books).path.removeprefix("/")
    return postgres_server.dsn_as(user="postgres", database=name)


async def _fill(gateway: Gateway, provider: ScriptedProvider) -> None:
    """Calls that were answered, streamed, broken off, refused, failed, and one that still runs."""
    await first_start.prepare(gateway)
    caller = await callers.signed_up(gateway, daily_cap=4_000_000)
    poor = await callers.signed_up(gateway, "poor", money=1)
    await caller.asks(gateway)
    await caller.asks(gateway, model=PINNED)
    for node, parent in ((None, None), ("above", None), ("below", "above")):
        branch = Branch(session="a session", node=node, parent=parent)
        await run.run(gateway, replace(caller.call(gateway), branch=branch))
    await background.publish_log(gateway)
    await callers.read_to_its_end(await caller.listens(gateway))
    provider.breaks_mid_stream(times=1)
    await callers.read_to_its_end(await caller.listens(gateway))
    provider.fails(status=503, times=1)
    await caller.asks(gateway)
    for refused in (poor.asks(gateway), caller.asks(gateway, routing_hint={"min_quality": 0.999})):
        with suppress(AinferaError):
            await refused
    provider.fails(status=503)
    with suppress(AinferaError):
        await caller.asks(gateway)
    provider.answers()
    await background.publish_log(gateway)
    await caller.listens(gateway)
