"""Brings a database to the schema that this code needs, once, however many processes start."""

import contextlib
import time
from collections.abc import Generator
from pathlib import Path
from typing import NewType

import psycopg
from psycopg import errors as refusals

from ainfera_server.errors import StoreUnavailable
from ainfera_server.postgres import queries

Revision = NewType("Revision", str)
"""The name of a schema: the file name of the migration that leads to it, `0001_first`."""

VERSIONS = Path(__file__).parent / "migrations" / "versions"
SERVER_VERSION_MIN = 15_00_00
CONNECT_TIMEOUT_S = 10
ATTEMPTS = 5
RETRY_PAUSE_S = 1.0
PASSING = (refusals.LockNotAvailable, refusals.InternalError_)
"""Somebody holds a table, or changes the same roles for another database of this server."""

QUERIES = queries.load(__name__, "migrate.sql")
HAS_REVISION = QUERIES["has_revision"].encode()
STORED_REVISION = QUERIES["stored_revision"].encode()
ALLOW_WAITING = QUERIES["allow_waiting"].encode()
WAIT_FOR_OTHERS = QUERIES["wait_for_others"].encode()

ROLE_QUERIES = queries.load(__name__, "roles.sql")
CREATE_ROLES = ROLE_QUERIES["create_roles"].encode()
TAKE_ROLES = ROLE_QUERIES["take_roles"].encode()
LET_OWNER_CREATE = ROLE_QUERIES["let_owner_create"].encode()
DANGEROUS_ROLES = ROLE_QUERIES["dangerous_roles"].encode()
WORK_OF_AN_ADMINISTRATOR = ROLE_QUERIES["work_of_an_administrator"].encode()


def newest() -> Revision:
    """The schema that this code was written for."""
    return _known()[-1]


def current(dsn: str) -> Revision | None:
    """The schema that the database has; None before the first migration."""
    with _connected(dsn) as connection:
        return _stored(connection)


def upgrade(dsn: str) -> Revision:
    """Make the roles and run the migrations that the database lacks; most often, none.

    The login needs the right to make roles and tables, or an administrator's help, which the error
    then words. Raises StoreUnavailable, also for a database that a newer Ainfera has migrated.
    """
    with _connected(dsn) as guard:
        _require_supported_server(guard)
        if not _is_newest(guard):
            with _alone(guard):
                if not _is_newest(guard):
                    _migrate(dsn)
    return newest()


def _known() -> tuple[Revision, ...]:
    """All revisions, oldest first: their names begin with their number."""
    return tuple(Revision(file.stem) for file in sorted(VERSIONS.glob("[0-9]*.py")))


@contextlib.contextmanager
def _connected(dsn: str) -> Generator[psycopg.Connection]:
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            yield connection
    except psycopg.Error as error:
        raise StoreUnavailable(f"The database cannot be used: {_words(error)}") from error


@contextlib.contextmanager
def _alone(guard: psycopg.Connection) -> Generator[None]:
    """One process migrates at a time; the others wait here and then find nothing to do."""
    with guard.transaction():
        guard.execute(ALLOW_WAITING)
        try:
            guard.execute(WAIT_FOR_OTHERS)
        except refusals.LockNotAvailable as error:
            raise StoreUnavailable(
                "Another process has been migrating the database for a minute. Try again later."
            ) from error
        yield


def _require_supported_server(connection: psycopg.Connection) -> None:
    version = connection.info.server_version
    if version < SERVER_VERSION_MIN:
        raise StoreUnavailable(
            f"The database is PostgreSQL {version // 1_00_00}, and 15 or newer is needed."
        )


def _is_newest(connection: psycopg.Connection) -> bool:
    stored = _stored(connection)
    if stored is not None and stored not in _known():
        raise StoreUnavailable(
            f"The database is of a newer version of Ainfera: its schema is {stored!r}, and this "
            f"version knows none after {newest()!r}. Start the newer version."
        )
    return stored == newest()


def _stored(connection: psycopg.Connection) -> Revision | None:
    if not _value(connection, HAS_REVISION):
        return None
    stored = _value(connection, STORED_REVISION)
    return None if stored is None else Revision(str(stored))


def _migrate(dsn: str) -> None:
    """Try again when a refusal will pass; what a migration had begun was rolled back."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _migrate_once(dsn)
        except PASSING:
            if attempt == ATTEMPTS:
                raise
            time.sleep(RETRY_PAUSE_S)
        else:
            return


def _migrate_once(dsn: str) -> None:
    # Only a database that lacks something is worth the second that importing Alembic takes.
    from ainfera_server.postgres.migrations import history  # noqa: PLC0415

    with psycopg.connect(dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as connection:
        try:
            for statement in (CREATE_ROLES, TAKE_ROLES, LET_OWNER_CREATE):
                connection.execute(statement)
            _require_obedient_roles(connection)
            history.bring_to_newest(dsn)
        except refusals.InsufficientPrivilege as error:
            work = _value(connection, WORK_OF_AN_ADMINISTRATOR)
            raise StoreUnavailable(
                f"The login of the database may not prepare it ({_words(error)}). "
                f"Let an administrator run: {work}"
            ) from error


def _require_obedient_roles(connection: psycopg.Connection) -> None:
    dangerous = _value(connection, DANGEROUS_ROLES)
    if dangerous is not None:
        raise StoreUnavailable(
            f"Row security, which keeps tenants apart, does not bind {dangerous}: "
            f"take SUPERUSER and BYPASSRLS from there."
        )


def _value(connection: psycopg.Connection, query: bytes) -> object:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]


def _words(error: psycopg.Error) -> str:
    """The driver's words without its line breaks, for a sentence."""
    return " ".join(str(error).split())
