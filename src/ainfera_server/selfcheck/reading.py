"""The one transaction in which a check reads: a snapshot of everything, which cannot be written."""

import contextlib
from collections.abc import Generator, Iterator, Mapping

import psycopg
from psycopg.rows import dict_row

from ainfera_server.errors import StoreUnavailable
from ainfera_server.postgres import queries

QUERIES: Mapping[str, str] = {
    **queries.load(__name__, "database.sql"),
    **queries.load(__name__, "money.sql"),
    **queries.load(__name__, "evidence.sql"),
}
CONNECT_TIMEOUT_S = 10
ROWS_AT_ONCE = 2000

SETTINGS: Mapping[str, str] = {
    "default_transaction_read_only": "on",
    "search_path": "public",
    "timezone": "UTC",
    "jit": "off",
    # All of the books are read, however long that takes, and signatures are checked in between.
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": "3s",
    "application_name": "ainfera_selfcheck",
}

Row = Mapping[str, object]


class Reader:
    """Runs named queries in the snapshot."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def rows(self, name: str, *parameters: object) -> list[Row]:
        """All rows of a query."""
        with psycopg.RawCursor(self._connection, row_factory=dict_row) as cursor:
            return list(cursor.execute(_query(name), parameters).fetchall())

    def row(self, name: str, *parameters: object) -> Row:
        """The one row of a query."""
        (row,) = self.rows(name, *parameters)
        return row

    def stream(self, name: str, *parameters: object) -> Iterator[Row]:
        """The rows of a query that may be long, some at a time."""
        with psycopg.RawServerCursor(self._connection, name=name, row_factory=dict_row) as cursor:
            cursor.itersize = ROWS_AT_ONCE
            yield from cursor.execute(_query(name), parameters)


@contextlib.contextmanager
def opened(dsn: str) -> Generator[Reader]:
    """Open the snapshot. Raises StoreUnavailable.

    The role that only watches sees every tenant and may change nothing. Where the login may not
    take it on, the writer's has to do, in a transaction that PostgreSQL lets write nothing either.
    """
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    try:
        with psycopg.connect(dsn, options=options, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            connection.execute(_query("watch_or_write"))
            yield Reader(connection)
            connection.rollback()
    except psycopg.Error as error:
        words = " ".join(str(error).split())
        raise StoreUnavailable(f"The database cannot be checked: {words}") from error


def database_age_s(dsn: str) -> float:
    """How long the database has been running, by its own clock. Raises StoreUnavailable."""
    with opened(dsn) as reader:
        age_s = reader.row("database_age")["seconds"]
    assert isinstance(age_s, float), "the query returns a double"
    return age_s


def _query(name: str) -> bytes:
    return QUERIES[name].encode()
