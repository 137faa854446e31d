"""A real PostgreSQL for the tests: one server for the run, and a fresh migrated database for each.

List it in `pytest_plugins`. `AINFERA_PG_BIN` chooses whose programs run, to test an older version.
"""

import itertools
import os
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

from ainfera_server.postgres import embedded, migrate, pool
from ainfera_server.postgres.embedded import Server
from ainfera_server.postgres.pool import Pools

CHOSEN = os.environ.get("AINFERA_PG_BIN")  # noqa: TID251 (whoever runs the tests chooses it)
BIN_DIR = None if CHOSEN is None else Path(CHOSEN)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests."""
    with embedded.running(tmp_path_factory.mktemp("data"), bin_dir=BIN_DIR) as server:
        yield server


@pytest.fixture(scope="session")
def administer(postgres_server: Server) -> Callable[[str], None]:
    """Run a statement as the superuser, outside of any test's database."""

    def run(statement: str) -> None:
        dsn = postgres_server.dsn_as(user="postgres", database="postgres")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(statement.encode())

    return run


@pytest.fixture(scope="session")
def new_database(
    postgres_server: Server, administer: Callable[[str], None]
) -> Callable[[str], AbstractContextManager[str]]:
    """Copy a template, `template1` for nothing at all, and have its DSN for a `with` block."""
    numbers = itertools.count(1)

    @contextmanager
    def make(template: str) -> Generator[str]:
        name = f"test_{next(numbers)}"
        administer(f"create database {name} template {template} owner ainfera")
        yield postgres_server.dsn_as(user="ainfera", database=name)
        administer(f"drop database {name} with (force)")

    return make


@pytest.fixture(scope="session")
def migrated_template(postgres_server: Server, administer: Callable[[str], None]) -> str:
    """A migrated database that nobody uses: copying it is quicker than migrating again."""
    administer("create database migrated_template owner ainfera")
    migrate.upgrade(postgres_server.dsn_as(user="ainfera", database="migrated_template"))
    return "migrated_template"


@pytest.fixture
def empty_database(new_database: Callable[[str], AbstractContextManager[str]]) -> Iterator[str]:
    """The DSN of a database with nothing in it, which only this test has."""
    with new_database("template1") as dsn:
        yield dsn


@pytest.fixture
def database(
    new_database: Callable[[str], AbstractContextManager[str]], migrated_template: str
) -> Iterator[str]:
    """The DSN of a migrated database, which only this test has."""
    with new_database(migrated_template) as dsn:
        yield dsn


@pytest_asyncio.fixture
async def pools(database: str) -> AsyncIterator[Pools]:
    """The two pools of a process, on the database of this test."""
    async with pool.opened(database) as pools:
        yield pools
