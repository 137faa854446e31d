"""What tests of inferences may ask for too: a second gateway, and a hand in the database."""

from collections.abc import AsyncIterator, Callable
from urllib.parse import unquote, urlsplit

import psycopg
import pytest
import pytest_asyncio

from ainfera_server import gateway as gateways
from ainfera_server.gateway import Gateway
from ainfera_server.inference import record
from ainfera_server.postgres.embedded import Server
from ainfera_server.settings import Settings
from tests import running_server
from tests.inference import nightly

nightly.register()


@pytest_asyncio.fixture
async def other_gateway(database: str, settings: Settings) -> AsyncIterator[Gateway]:
    """Another process on the same database, as good as."""
    async with gateways.opened(settings, dsn=database, writes=record.writes) as opened:
        yield running_server.impatient(opened)


@pytest.fixture
def superuser_dsn(postgres_server: Server, database: str) -> str:
    """The database of this test, for whoever may do everything."""
    name = unquote(urlsplit(database).path.removeprefix("/"))
    return postgres_server.dsn_as(user="postgres", database=name)


@pytest.fixture
def administer_here(superuser_dsn: str) -> Callable[[str], None]:
    """Run a statement as the superuser, in the database of this test."""

    def run(statement: str) -> None:
        with psycopg.connect(superuser_dsn, autocommit=True) as connection:
            connection.execute(statement.encode())

    return run
