"""A database comes to the schema of this code exactly once, or says why it cannot."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from alembic.script import ScriptDirectory
from psycopg import conninfo

from ainfera_server.errors import StoreUnavailable
from ainfera_server.postgres import embedded, migrate
from ainfera_server.postgres.embedded import Server
from ainfera_server.postgres.migrations import history
from tests.postgres_fixtures import BIN_DIR

UPGRADE = "import sys; from ainfera_server.postgres import migrate; migrate.upgrade(sys.argv[1])"


def rows(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def run(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_an_empty_database_gets_the_schema_once(empty_database: str) -> None:
    assert migrate.current(empty_database) is None
    assert migrate.upgrade(empty_database) == migrate.newest()
    assert migrate.upgrade(empty_database) == migrate.newest()
    assert migrate.current(empty_database) == migrate.newest()


def test_everything_made_belongs_to_a_role_that_nobody_logs_in_as(database: str) -> None:
    owners = rows(
        database,
        "select distinct pg_get_userbyid(relowner), rolcanlogin from pg_class"
        " join pg_roles on pg_roles.oid = relowner"
        " where relnamespace = 'public'::regnamespace",
    )
    assert owners == [("ainfera_owner", False)]


def test_alembic_sees_one_history_that_ends_where_we_say() -> None:
    scripts = ScriptDirectory.from_config(history.config())
    assert scripts.get_heads() == [migrate.newest()]
    assert len(scripts.get_bases()) == 1
    assert all(Path(script.path).stem == script.revision for script in scripts.walk_revisions())


def test_a_database_of_a_newer_version_is_refused_and_left_alone(
    database: str, postgres_server: Server
) -> None:
    name = conninfo.conninfo_to_dict(database)["dbname"]
    superuser = postgres_server.dsn_as(user="postgres", database=str(name))
    run(superuser, "update alembic_version set version_num = '9999_later'")
    with pytest.raises(StoreUnavailable, match=r"newer version of Ainfera.*'9999_later'"):
        migrate.upgrade(database)
    assert migrate.current(database) == "9999_later"


def test_many_processes_may_start_at_once_on_a_server_without_our_roles(tmp_path: Path) -> None:
    with embedded.running(tmp_path, bin_dir=BIN_DIR) as server, ExitStack() as stack:
        superuser = server.dsn_as(user="postgres", database="postgres")
        run(superuser, "create database other owner ainfera")
        other = server.dsn_as(user="ainfera", database="other")
        started = [
            stack.enter_context(
                subprocess.Popen((sys.executable, "-c", UPGRADE, dsn), stderr=subprocess.PIPE)
            )
            for dsn in (server.dsn, server.dsn, other)
        ]
        said = [process.communicate(timeout=60)[1].decode() for process in started]
        assert said == ["", "", ""]
        assert [migrate.current(dsn) for dsn in (server.dsn, other)] == [migrate.newest()] * 2


@pytest.fixture
def login_without_rights(
    empty_database: str, postgres_server: Server, administer: Callable[[str], None]
) -> Iterator[str]:
    """Somebody who may connect to an empty database and nothing else."""
    name = conninfo.conninfo_to_dict(empty_database)["dbname"]
    administer("create role without_rights login")
    yield postgres_server.dsn_as(user="without_rights", database=str(name))
    administer("drop role without_rights")


def test_a_login_without_rights_is_told_what_an_administrator_has_to_run(
    login_without_rights: str, postgres_server: Server, migrated_template: str
) -> None:
    with pytest.raises(StoreUnavailable, match="Let an administrator run: ") as refusal:
        migrate.upgrade(login_without_rights)
    name = conninfo.conninfo_to_dict(login_without_rights)["dbname"]
    superuser = postgres_server.dsn_as(user="postgres", database=str(name))
    for statement in str(refusal.value).partition("run: ")[2].rstrip(";").split(";"):
        if "create role" not in statement:  # This server has them already.
            run(superuser, statement)
    assert migrate.upgrade(login_without_rights) == migrate.newest()


def test_a_role_that_ignores_row_security_stops_the_start(
    empty_database: str, administer: Callable[[str], None], migrated_template: str
) -> None:
    administer("alter role ainfera_app bypassrls")
    try:
        with pytest.raises(StoreUnavailable, match="does not bind ainfera_app"):
            migrate.upgrade(empty_database)
    finally:
        administer("alter role ainfera_app nobypassrls")


def test_a_failed_migration_leaves_nothing_behind(
    empty_database: str, postgres_server: Server
) -> None:
    name = conninfo.conninfo_to_dict(empty_database)["dbname"]
    superuser = postgres_server.dsn_as(user="postgres", database=str(name))
    run(superuser, "create table outcomes (in_the_way text)")
    with pytest.raises(StoreUnavailable, match="already exists"):
        migrate.upgrade(empty_database)
    assert migrate.current(empty_database) is None
    run(superuser, "drop table outcomes")
    assert migrate.upgrade(empty_database) == migrate.newest()


def test_a_database_that_is_not_there_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="The database cannot be used"):
        migrate.upgrade(f"postgresql://ainfera@/ainfera?host={tmp_path}")
