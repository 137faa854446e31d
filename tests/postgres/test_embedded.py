"""The server we start ourselves: safe on any machine, shared, and there again after anything."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from ainfera_server.errors import StoreUnavailable
from ainfera_server.postgres import embedded
from ainfera_server.postgres.embedded import Server
from tests.postgres_fixtures import BIN_DIR

USE = """
import sys
from pathlib import Path
from ainfera_server.postgres import embedded
with embedded.running(Path(sys.argv[1]), bin_dir=Path(sys.argv[2]) if sys.argv[2] else None):
    try:
        print("ready", flush=True)
        sys.stdin.readline()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that only its owner may enter, in which the server has run once."""
    made = tmp_path_factory.mktemp("closed") / "data"
    made.parent.chmod(0o700)
    with running(made) as server:
        run(server, "create table notes (words text)")
    return made


@contextmanager
def running(data_dir: Path) -> Generator[Server]:
    with embedded.running(data_dir, bin_dir=BIN_DIR) as server:
        yield server


@contextmanager
def another_process(data_dir: Path) -> Generator["subprocess.Popen[bytes]"]:
    """A process of its own that uses the server until it is sent a line."""
    with subprocess.Popen(
        (sys.executable, "-c", USE, str(data_dir), "" if BIN_DIR is None else str(BIN_DIR)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert said(process) == "ready"
        yield process


def said(process: "subprocess.Popen[bytes]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def leave(process: "subprocess.Popen[bytes]") -> None:
    process.communicate(b"\n", timeout=60)


def run(server: Server, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def pid_file(data_dir: Path) -> Path:
    return data_dir / "postgres" / "cluster" / "postmaster.pid"


def pid(data_dir: Path) -> int:
    return int(pid_file(data_dir).read_text().splitlines()[0])


def test_a_second_start_has_the_data_of_the_first(data_dir: Path) -> None:
    with running(data_dir) as server:
        run(server, "insert into notes values ('kept')")
    assert not pid_file(data_dir).exists()
    with running(data_dir) as server:
        assert run(server, "select words from notes where words = 'kept'") == [("kept",)]


def test_folders_above_stay_closed_and_the_cluster_is_closed(data_dir: Path) -> None:
    cluster = data_dir / "postgres" / "cluster"
    for folder in (data_dir.parent, data_dir / "postgres", cluster):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert data_dir.parent.stat().st_uid == os.geteuid()


def test_the_login_is_no_superuser_and_nobody_can_come_by_network(data_dir: Path) -> None:
    with running(data_dir) as server:
        assert run(
            server,
            "select rolsuper, rolbypassrls, rolcreatedb from pg_roles where rolname = current_user",
        ) == [(False, False, False)]
        assert run(server, "select inet_server_addr(), current_setting('listen_addresses')") == [
            (None, "")
        ]


def test_what_is_acknowledged_is_on_disk(data_dir: Path) -> None:
    with running(data_dir) as server:
        for name in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
            assert run(server, f"select current_setting('{name}')") == [("on",)]


def test_text_sorts_alike_on_every_machine(data_dir: Path) -> None:
    with running(data_dir) as server:
        words = "select string_agg(w, '' order by w) from unnest(array['b','B','ä','a','_']) w"
        assert run(server, words) == [("B_abä",)]
        assert run(server, "select lower('Ä'), current_setting('server_encoding')") == [
            ("ä", "UTF8")
        ]


def test_the_server_learns_nothing_from_our_environment(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "very-secret")
    monkeypatch.setenv("PGPORT", "1")
    with running(data_dir) as server:
        superuser = server.dsn_as(user="postgres", database="postgres")
        with psycopg.connect(superuser) as connection:
            connection.execute("create temporary table environment (line text)")
            connection.execute("copy environment from program 'env'")
            lines = {row[0] for row in connection.execute("select line from environment")}
    assert any(line.startswith("PATH=") for line in lines)
    assert not any("very-secret" in line or line.startswith("PGPORT") for line in lines)


def test_processes_share_one_server_and_the_last_one_stops_it(data_dir: Path) -> None:
    with another_process(data_dir) as other:
        with running(data_dir) as server:
            shared = pid(data_dir)
            leave(other)
            assert run(server, "select 1") == [(1,)]
            assert pid(data_dir) == shared
        assert not pid_file(data_dir).exists()


def test_a_server_is_left_to_those_who_still_use_it(data_dir: Path) -> None:
    with running(data_dir) as server, another_process(data_dir) as other:
        with running(data_dir):
            pass
        assert run(server, "select 1") == [(1,)]
        leave(other)
        assert run(server, "select 1") == [(1,)]


def test_interrupting_everything_at_the_terminal_leaves_the_server_to_us(data_dir: Path) -> None:
    with another_process(data_dir) as other:
        os.killpg(other.pid, signal.SIGINT)
        assert said(other) == "interrupted"
        with running(data_dir) as server:
            assert run(server, "select 1") == [(1,)]
        leave(other)
    assert not pid_file(data_dir).exists()


def test_a_killed_user_counts_as_gone(data_dir: Path) -> None:
    with another_process(data_dir) as other:
        other.kill()
        other.wait()
    orphan = pid(data_dir)
    with running(data_dir):
        assert pid(data_dir) == orphan
    assert not pid_file(data_dir).exists()


def test_a_killed_server_starts_again_with_all_that_was_acknowledged(data_dir: Path) -> None:
    with another_process(data_dir) as other, running(data_dir) as server:
        run(server, "insert into notes values ('acknowledged')")
        os.kill(pid(data_dir), signal.SIGKILL)
        with running(data_dir) as again:
            assert run(again, "select 1 from notes where words = 'acknowledged'") == [(1,)]
            leave(other)
    assert not pid_file(data_dir).exists()


def test_a_server_that_was_killed_is_nothing_to_stop(data_dir: Path) -> None:
    with running(data_dir):
        os.kill(pid(data_dir), signal.SIGKILL)
    with running(data_dir) as server:
        assert run(server, "select 1") == [(1,)]


def test_a_first_start_that_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    left = tmp_path / "postgres" / "cluster.new" / "base"
    left.mkdir(parents=True)
    with running(tmp_path) as server:
        assert run(server, "select 1") == [(1,)]
    assert not left.exists()


def test_a_folder_with_a_long_and_awkward_path_has_its_socket_elsewhere(tmp_path: Path) -> None:
    awkward = tmp_path / ("long, and with spaces " * 6) / "100%"
    with running(awkward) as server:
        assert len(str(server.socket_folder)) < 80
        assert stat.S_IMODE(server.socket_folder.stat().st_mode) == 0o700
        assert run(server, "select 1") == [(1,)]
    assert not server.socket_folder.exists()


def test_data_of_another_major_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    version = tmp_path / "postgres" / "cluster" / "PG_VERSION"
    version.parent.mkdir(parents=True)
    version.write_text("12\n")
    with pytest.raises(StoreUnavailable, match=r"written by PostgreSQL 12.*pg_dumpall"):
        use(tmp_path)
    assert version.read_text() == "12\n"


@pytest.mark.parametrize(
    ("data_dir_name", "bin_dir_name", "complaint"),
    [
        ("a_file", None, "cannot be written"),
        ("a_file/below", None, "cannot be written"),
        ("data", "nowhere", "There is no PostgreSQL in"),
    ],
)
def test_a_start_that_cannot_succeed_says_why(
    tmp_path: Path, data_dir_name: str, bin_dir_name: str | None, complaint: str
) -> None:
    (tmp_path / "a_file").write_text("")
    bin_dir = None if bin_dir_name is None else tmp_path / bin_dir_name
    with pytest.raises(StoreUnavailable, match=complaint) as refusal:
        use(tmp_path / data_dir_name, bin_dir)
    assert "\n" not in str(refusal.value)


def test_a_server_that_cannot_start_says_what_it_said(tmp_path: Path) -> None:
    use(tmp_path)
    settings = tmp_path / "postgres" / "cluster" / "postgresql.conf"
    settings.write_text("no_such_setting = 1\n")
    with pytest.raises(StoreUnavailable, match=r"did not start: .*FATAL.*server\.log"):
        use(tmp_path)
    assert not pid_file(tmp_path).exists()


def use(data_dir: Path, bin_dir: Path | None = BIN_DIR) -> None:
    with embedded.running(data_dir, bin_dir=bin_dir):
        pass
