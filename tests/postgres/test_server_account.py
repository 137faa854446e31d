"""The server runs as somebody ordinary, who can reach what he needs and gets nothing more."""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from ainfera_server.errors import StoreUnavailable
from ainfera_server.postgres import embedded, server_account, server_programs
from ainfera_server.postgres.server_account import Account
from tests.postgres_fixtures import BIN_DIR

WHEEL = server_programs.WHEEL
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def ordinary() -> Account:
    """Somebody who is not root: ourselves, unless we are."""
    if not IS_ROOT:
        return server_account.choose(Path("/there/is/no/cluster"))
    entry = pwd.getpwnam("nobody")
    return Account(name="nobody", user_id=entry.pw_uid, group_id=entry.pw_gid, is_us=False)


@pytest.fixture
def programs(ordinary: Account) -> Path:
    """PostgreSQL's programs where the ordinary account can run them."""
    found = server_programs.find(chosen=BIN_DIR, major=None)
    return server_programs.runnable_by(ordinary, found).folder


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def as_account(account: Account, act: Callable[[], None]) -> None:
    """Do something in a child that has become the account for good."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Newer Pythons warn of threads.
        child = os.fork()
    if child == 0:
        try:
            if not account.is_us:
                os.setgroups([])
                os.setgid(account.group_id)
                os.setuid(account.user_id)
            act()
        except BaseException:  # noqa: BLE001 (the child ends here, whatever happened)
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def start_twice(data_dir: Path, programs: Path | None) -> None:
    """Start, write and stop; start again and read. Leaves the data folder behind."""
    for statement in ("create table notes as select 'kept' as words", "select 1"):
        with (
            embedded.running(data_dir, bin_dir=programs) as server,
            psycopg.connect(server.dsn) as connection,
        ):
            connection.execute(statement.encode())
            assert connection.execute("select words from notes").fetchall() == [("kept",)]


def test_whoever_starts_the_server_never_runs_as_root(tmp_path: Path) -> None:
    start_twice(tmp_path, BIN_DIR)
    owner = (tmp_path / "postgres" / "cluster").stat().st_uid
    if IS_ROOT:
        assert pwd.getpwuid(owner).pw_name in server_account.UNPRIVILEGED
    else:
        assert owner == os.geteuid()


def test_an_ordinary_user_runs_the_server_as_himself(
    ordinary: Account, open_folder: Path, programs: Path
) -> None:
    home = open_folder / "home"
    server_account.make_folder(home, ordinary)
    as_account(ordinary, lambda: start_twice(home / "data", programs))
    assert (home / "data" / "postgres" / "cluster").stat().st_uid == ordinary.user_id


def test_root_goes_on_as_the_account_that_made_the_data(
    ordinary: Account, open_folder: Path, programs: Path
) -> None:
    home = open_folder / "home"
    server_account.make_folder(home, ordinary)
    as_account(ordinary, lambda: start_twice(home / "data", programs))
    with embedded.running(home / "data", bin_dir=BIN_DIR) as server:
        assert (server.socket_folder / "postmaster.pid").stat().st_uid == ordinary.user_id
    as_account(ordinary, lambda: start_again(home / "data", programs))


def test_a_pid_that_now_belongs_to_another_program_is_no_server(
    ordinary: Account, open_folder: Path, programs: Path
) -> None:
    home = open_folder / "home"
    server_account.make_folder(home, ordinary)
    as_account(ordinary, lambda: start_after_the_pid_was_reused(home / "data", programs))


def start_after_the_pid_was_reused(data_dir: Path, programs: Path) -> None:
    """Kill the server, and let its number be that of a program which we may signal: ourselves."""
    with embedded.running(data_dir, bin_dir=programs) as server:
        pid_file = server.socket_folder / "postmaster.pid"
        pid, *rest = pid_file.read_text().splitlines()
        os.kill(int(pid), signal.SIGKILL)
        for file in (pid_file, server.socket_folder / ".s.PGSQL.5432.lock"):
            file.write_text("\n".join([str(os.getpid()), *rest]))
    # Leaving has signalled nobody, and above all not us.
    start_again(data_dir, programs)


def start_again(data_dir: Path, programs: Path) -> None:
    with embedded.running(data_dir, bin_dir=programs):
        pass


def test_data_of_another_account_is_refused_by_name(
    ordinary: Account, open_folder: Path, programs: Path
) -> None:
    data_dir = open_folder / "data"
    (data_dir / "postgres").mkdir(parents=True)
    # Nobody but root can give a folder to somebody else, but everybody can point at root's.
    (data_dir / "postgres" / "cluster").symlink_to("/usr")
    for folder in (data_dir, data_dir / "postgres"):
        folder.chmod(0o777)

    def start_as_somebody_else() -> None:
        with pytest.raises(StoreUnavailable, match="belongs to the account 'root'"):
            start_again(data_dir, programs)

    as_account(ordinary, start_as_somebody_else)


def test_programs_that_only_root_can_reach_are_copied_whole(
    ordinary: Account, open_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is not root reaches what he found, and then there is nothing to copy."""
    spec = importlib.util.find_spec(WHEEL)
    assert spec is not None, "the tests want every extra"
    assert spec.origin is not None
    hide_the_wheel(Path(spec.origin).parent, tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(server_programs, "COPIES", (tmp_path, open_folder))

    found = server_programs.find(chosen=None, major=None)
    assert tmp_path in found.folder.parents
    copy = server_programs.runnable_by(ordinary, found)
    assert server_programs.runnable_by(ordinary, found) == copy
    version = importlib.metadata.version(WHEEL)
    copies = [f"ainfera-postgres-{version}"] if IS_ROOT else []
    assert [one.name for one in open_folder.iterdir()] == copies
    assert (open_folder if IS_ROOT else tmp_path) in copy.folder.parents

    cluster = open_folder / "cluster"
    server_account.make_folder(cluster, ordinary)
    done = server_account.run(
        (copy.path("initdb"), "-D", str(cluster)), account=ordinary, timeout_s=60
    )
    assert done.returncode == 0, done.stdout.decode()


def hide_the_wheel(wheel: Path, folder: Path) -> None:
    """Put the newest PostgreSQL of the wheel, alone, into a folder that only root may enter."""
    folder.chmod(0o700)
    newest = max(wheel.glob("pginstall*"), key=lambda one: len(one.name))
    (folder / WHEEL).mkdir()
    (folder / WHEEL / "__init__.py").touch()
    for name in (newest.relative_to(wheel.parent), Path(f"{WHEEL}.libs")):
        shutil.copytree(wheel.parent / name, folder / name)


def test_programs_are_found_newest_first_and_by_major() -> None:
    newest = server_programs.find(chosen=BIN_DIR, major=None)
    assert newest.major >= server_programs.MAJOR_MIN
    assert server_programs.find(chosen=BIN_DIR, major=newest.major) == newest
    assert newest.version.startswith(str(newest.major))


def test_a_program_that_does_not_finish_is_given_up(ordinary: Account) -> None:
    endless = ("/bin/sh", "-c", "while :; do :; done")
    with pytest.raises(StoreUnavailable, match="did not finish within"):
        server_account.run(endless, account=ordinary, timeout_s=0.1)
