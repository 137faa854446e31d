"""Starts that cannot succeed: one line, an exit code, and nothing half-done."""

import os
import pwd
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from ainfera_server.postgres.embedded import Server
from tests.cli import another_account, running_command
from tests.cli.running_command import free_port
from tests.promises import proves


def refused(
    home: Path, *arguments: str, variables: Mapping[str, str] = running_command.NOTHING
) -> tuple[int, str]:
    """The exit code of a start that is refused, and the one line that says why."""
    done = running_command.run("start", *arguments, home=home, variables=variables)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return done.returncode, line


@proves("start-refuses-clearly")
def test_a_port_in_use_is_named_and_no_folder_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        exit_code, line = refused(
            tmp_path,
            *("--port", port, "--data-dir", str(tmp_path / "data")),
            variables={"AINFERA_HOST": "localhost"},
        )
    assert exit_code == 1
    assert (
        line == f"ainfera-server: Port {port} of localhost is in use. Choose another with --port."
    )
    assert not (tmp_path / "data").exists()


@proves("start-refuses-clearly")
def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    # An address of the documentation's own network, RFC 5737, which no machine has.
    exit_code, line = refused(tmp_path, "--host", "192.0.2.1")
    assert exit_code == 1
    assert "'192.0.2.1'" in line
    assert "--host" in line


@proves("start-refuses-clearly")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    folder = str(tmp_path / "file" / "data")
    port = str(running_command.free_port())
    exit_code, line = refused(tmp_path, "--data-dir", folder, "--port", port)
    assert exit_code == 1
    assert f"'{folder}' cannot be written" in line
    assert "--data-dir" in line
    assert not running_command.listens(int(port))


@proves("start-refuses-clearly")
def test_a_folder_in_which_only_others_may_write_is_refused() -> None:
    account = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="ainfera-closed-", dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        command = another_account.command(folder / "environment", account)
        folder.chmod(0o555)
        done = subprocess.run(
            (*command, "start", "--data-dir", str(folder / "data")),
            env=running_command.environment(folder, {"AINFERA_PORT": str(free_port())}),
            user=account,
            group=account,
            extra_groups=None if account is None else [],
            capture_output=True,
            text=True,
            check=False,
            timeout=running_command.COMMAND_S_MAX,
        )
        folder.chmod(0o755)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert f"'{folder / 'data'}' cannot be written: Permission denied" in line


@proves("start-refuses-clearly")
@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (("--workers", "many"), {}, "AINFERA_WORKERS: 'many' will not do"),
        (("--port", "0"), {}, "AINFERA_PORT: '0' will not do"),
        ((), {"AINFERA_PORT": "http"}, "AINFERA_PORT: 'http' will not do"),
        ((), {"AINFERA_DATABASE_URL": "mysql://pw@host"}, "AINFERA_DATABASE_URL: its value"),
        ((), {"AINFERA_SECRET": "c0ffee"}, "AINFERA_SECRET: the secret must be 64 hex digits"),
        ((), {"OPENAI_BASE_URL": "openai.com"}, "OPENAI_BASE_URL: its value will not do"),
        ((), {"OPENAI_BASE_URL": "http://u:c0ffee@x y"}, "OPENAI_BASE_URL: its value will not do"),
        ((), {"OPENAI_BASE_URL": "http://u:c0ffee"}, "OPENAI_BASE_URL: its value will not do"),
        ((), {"OPENAI_BASE_URL": "http://u:c0ffee\u2100@x"}, "OPENAI_BASE_URL: its value will not"),
        ((), {"AINFERA_PUBLIC_URL": "http://u:c0ffee@x"}, "AINFERA_PUBLIC_URL: its value will not"),
        ((), {"AINFERA_DATABASE_URL": "postgresql://u:c0ffee\u2100@x"}, "an address is needed"),
        ((), {"OPENAI_API_KEY": "c0ffee\nb"}, "OPENAI_API_KEY holds a space, a line break"),
        (
            (),
            {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://169.254.169.254/v1"},
            "OPENAI_BASE_URL names '169.254.169.254', where clouds keep credentials.",
        ),
        ((), {"AINFERA_DEMO": "x"}, "AINFERA_DEMO: 'x' will not do: 0 or 1 is needed"),
        (("--data-dir", ""), {}, "--data-dir is empty: give it a value."),
        (("--host", " "), {}, "--host is empty: give it a value."),
        (("--port", ""), {}, "--port is empty: give it a value."),
        (("--workers", ""), {}, "--workers is empty: give it a value."),
    ],
)
def test_a_malformed_setting_is_named_and_is_wrong_usage(
    tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str], words: str
) -> None:
    free = {
        "AINFERA_PORT": str(running_command.free_port()),
        "AINFERA_DATA_DIR": str(tmp_path / "data"),
    }
    exit_code, line = refused(tmp_path, *arguments, variables={**free, **variables})
    assert exit_code == 2
    assert words in line
    assert not (tmp_path / "data").exists()
    assert "c0ffee" not in line
    assert "pw@host" not in line


def test_an_option_goes_before_its_variable(tmp_path: Path) -> None:
    exit_code, line = refused(tmp_path, "--port", "70000", variables={"AINFERA_PORT": "8080"})
    assert exit_code == 2
    assert "'70000'" in line


@proves("start-refuses-clearly")
@pytest.mark.parametrize("kept", [b"", b"not hex", b"\xff\xfe", b"00" * 31])
def test_a_secret_that_cannot_be_used_is_not_replaced(tmp_path: Path, kept: bytes) -> None:
    (tmp_path / "secret").write_bytes(kept)
    exit_code, line = refused(
        tmp_path,
        *("--data-dir", str(tmp_path)),
        variables={"AINFERA_PORT": str(running_command.free_port())},
    )
    assert exit_code == 1
    assert f"The secret in '{tmp_path / 'secret'}' cannot be used" in line
    assert (tmp_path / "secret").read_bytes() == kept
    assert not (tmp_path / "postgres").exists()


@proves("start-refuses-clearly")
def test_a_database_of_a_newer_version_is_left_as_it_is(
    tmp_path: Path, database: str, postgres_server: Server
) -> None:
    name = urlsplit(database).path.removeprefix("/")
    with psycopg.connect(postgres_server.dsn_as(user="postgres", database=name)) as connection:
        connection.execute("update alembic_version set version_num = '9999_later'")
    exit_code, line = refused(
        tmp_path,
        variables={
            "AINFERA_DATABASE_URL": database,
            "AINFERA_DATA_DIR": str(tmp_path / "data"),
            "AINFERA_PORT": str(running_command.free_port()),
            **running_command.NO_MODEL,
        },
    )
    assert exit_code == 1
    assert "newer version of Ainfera" in line
    assert "'9999_later'" in line


@proves("start-refuses-clearly")
def test_a_database_that_does_not_answer_is_said_so(tmp_path: Path) -> None:
    exit_code, line = refused(
        tmp_path,
        variables={
            "AINFERA_DATABASE_URL": f"postgresql://x@127.0.0.1:{running_command.free_port()}/x",
            "AINFERA_DATA_DIR": str(tmp_path / "data"),
            "AINFERA_PORT": str(running_command.free_port()),
            **running_command.NO_MODEL,
        },
    )
    assert exit_code == 1
    assert "The database cannot be used" in line
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "meant"),
    [("AINFERA_PROT", "; did you mean AINFERA_PORT?"), ("AINFERA_ZZZZZZZZZZZZZZZZZZZZZ", "")],
)
def test_a_variable_that_is_none_is_told_of_and_the_start_goes_on(
    tmp_path: Path, name: str, meant: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = running_command.run(
            *("start", "--port", port),
            home=tmp_path,
            variables={name: "9", "AINFERA_API_KEY": "of a client"},
        )
    warning, further = done.stderr.splitlines()
    assert warning == f"ainfera-server: {name} is no setting and changes nothing{meant}"
    assert "is in use" in further
