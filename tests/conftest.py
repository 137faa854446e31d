"""What every test may ask for: a migrated PostgreSQL, a scripted provider, a gateway, a server."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import pytest
import pytest_asyncio
from psycopg.rows import dict_row

from ainfera_server import gateway as gateways
from ainfera_server.gateway import Gateway
from ainfera_server.inference import record
from ainfera_server.postgres.embedded import Server
from ainfera_server.settings import Settings
from tests import running_server
from tests.running_server import RunningServer
from tests.scripted_provider import ScriptedProvider, scripted_provider

pytest_plugins = ["tests.network_guard", "tests.postgres_fixtures"]
__all__ = ["scripted_provider"]


@pytest.fixture
def settings(scripted_provider: ScriptedProvider, tmp_path: Path) -> Settings:
    """Settings under which OpenAI, Anthropic and Mistral are the scripted provider."""
    return running_server.settings(scripted_provider, tmp_path)


@pytest_asyncio.fixture
async def gateway(database: str, settings: Settings) -> AsyncIterator[Gateway]:
    """A gateway in the test's own loop, which never waits before it asks again."""
    async with gateways.opened(settings, dsn=database, writes=record.writes) as opened:
        yield running_server.impatient(opened)


@pytest.fixture
def server(database: str, settings: Settings) -> Iterator[RunningServer]:
    """A server in a thread of its own, on loopback, with one agent signed up."""
    with running_server.serving(database, settings) as running:
        yield running


Look = Callable[[str], list[dict[str, Any]]]
"""Read the database past every rule, as nobody in the product can."""


@pytest.fixture
def look(database: str, postgres_server: Server) -> Look:
    """Ask the test's database as a superuser."""
    name = unquote(urlsplit(database).path.removeprefix("/"))
    dsn = postgres_server.dsn_as(user="postgres", database=name)

    def rows(query: str) -> list[dict[str, Any]]:
        with psycopg.connect(dsn) as connection:
            cursor = connection.cursor(row_factory=dict_row)
            return cursor.execute(query.encode()).fetchall()

    return rows
