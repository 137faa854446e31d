"""A migrated database of its own for whoever kills what works on it."""

import contextlib
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

import pytest

from ainfera_server.postgres.embedded import Server
from tests.chaos.fleet import NewDatabase


@pytest.fixture
def migrated(
    new_database: Callable[[str], AbstractContextManager[str]],
    migrated_template: str,
    postgres_server: Server,
) -> NewDatabase:
    """Make one, and tell its DSN for the product and for the superuser."""

    @contextlib.contextmanager
    def make() -> Generator[tuple[str, str]]:
        with new_database(migrated_template) as dsn:
            name = urlsplit(dsn).path.removeprefix("/")
            yield dsn, postgres_server.dsn_as(user="postgres", database=name)

    return make
