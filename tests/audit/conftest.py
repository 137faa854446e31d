"""What only the tests of the trail may do: reach behind the application's back."""

from collections.abc import Callable
from urllib.parse import urlsplit

import psycopg
import pytest

from ainfera_server.postgres.embedded import Server


@pytest.fixture
def administer_here(postgres_server: Server, database: str) -> Callable[[str], None]:
    """Run a statement as the superuser, in the database of this test."""
    name = urlsplit(database).path.removeprefix("/")

    def run(statement: str) -> None:
        dsn = postgres_server.dsn_as(user="postgres", database=name)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(statement.encode())

    return run
