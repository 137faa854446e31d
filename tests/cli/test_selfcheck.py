"""The self-check as a command: beside a server, without one, on broken books and on none."""

import json
import subprocess
from pathlib import Path

import psycopg
import pytest

from ainfera_server.postgres import embedded, migrate
from ainfera_server.selfcheck import checks
from tests.cli import running_command
from tests.postgres_fixtures import BIN_DIR
from tests.promises import proves

PROMISES = len(checks.CHECKS)
STARTED = "it was started for this check"


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a data folder whose database was prepared and does not run."""
    home = tmp_path_factory.mktemp("stopped")
    with embedded.running(home / "data", bin_dir=BIN_DIR) as server:
        migrate.upgrade(server.dsn)
    return home


@proves("promises-can-be-checked")
def test_beside_a_server_that_runs_every_promise_holds(tmp_path: Path) -> None:
    with running_command.started(tmp_path) as server:
        folder = str(server.data_dir)
        done = running_command.run("selfcheck", "--data-dir", folder, "--deep", home=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) == PROMISES
    assert all(" holds " in line for line in lines)


def test_a_database_that_does_not_run_is_started_for_the_check_and_that_is_said(
    stopped: Path,
) -> None:
    done = _checked(stopped)
    assert done.returncode == 0, done.stdout
    assert STARTED in done.stderr
    assert not (stopped / "data" / "postgres" / "cluster" / "postmaster.pid").exists()


@proves("promises-can-be-checked")
def test_a_promise_that_does_not_hold_is_named_and_the_exit_code_is_four(stopped: Path) -> None:
    with embedded.running(stopped / "data", bin_dir=BIN_DIR) as server:
        dsn = server.dsn_as(user="postgres", database="ainfera")
        _execute(dsn, "create table notes (tenant_id uuid)")
        human, machine = _checked(stopped), _checked(stopped, "--json")
        _execute(dsn, "drop table notes")
    assert human.returncode == machine.returncode == 4
    assert "does not hold: row security." in human.stderr
    assert STARTED not in human.stderr
    assert "BROKEN" in human.stdout
    assert "table notes" in human.stdout
    rows = [json.loads(line) for line in machine.stdout.splitlines()]
    assert [row["promise"] for row in rows if not row["holds"]] == ["row security"]
    (fault,) = next(row["faults"] for row in rows if not row["holds"])
    assert fault["examples"] == ["table notes"]


def test_a_folder_without_a_database_stays_without_one(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = _checked(tmp_path)
    assert done.returncode == 1
    assert "There is no database" in done.stderr
    assert list((tmp_path / "data").iterdir()) == []


def test_a_database_that_nobody_prepared_is_left_as_it_is(
    empty_database: str, tmp_path: Path
) -> None:
    variables = {"AINFERA_DATABASE_URL": empty_database}
    done = running_command.run("selfcheck", home=tmp_path, variables=variables)
    assert done.returncode == 1
    assert "has no schema" in done.stderr
    assert migrate.current(empty_database) is None


def _checked(home: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return running_command.run("selfcheck", "--data-dir", str(home / "data"), *options, home=home)


def _execute(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement.encode())
