"""One PostgreSQL cluster on disk: made once and whole, started, found running, stopped."""

import contextlib
import os
import re
import shlex
import stat
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from ainfera_server.errors import StoreUnavailable
from ainfera_server.postgres import server_account, server_programs
from ainfera_server.postgres.server_account import Account
from ainfera_server.postgres.server_programs import Programs

PORT = "5432"
"""Only a part of the socket's name."""

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "port": PORT,
    "unix_socket_permissions": "0700",
    "cluster_name": "ainfera",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "jit": "off",
    # A container often has 64 MB of /dev/shm, which parallel queries fill; ours are short anyway.
    "max_parallel_workers_per_gather": "0",
    "idle_in_transaction_session_timeout": "10s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_destination": "stderr",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
}
"""Given on the command line at each start, so that a cluster of an older Ainfera gets them too."""

SUPERUSER = "postgres"
SOCKET_NAME = f".s.PGSQL.{PORT}"
SOCKET_PATH_BYTES_MAX = 99
"""Unix allows a socket's path 103 to 107 bytes."""

LOG_BYTES_MAX = 10_000_000
FIRST_START_TIMEOUT_S = 120
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
GRACE_S = 5
ANSWER_TIMEOUT_S = 3
RETRY_TIMEOUT_S = 10.0
RETRY_PAUSE_S = 0.1
PASSING_TROUBLES = re.compile(r"is still in use|lock file \".*\" already exists")
"""What PostgreSQL says while the processes of a killed server are still going away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where a cluster lies, who runs it, and with which programs."""

    folder: Path
    account: Account
    programs: Programs

    @property
    def data(self) -> Path:
        """PostgreSQL's own folder, which only the account may enter."""
        return self.folder / "cluster"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "server.log"

    @property
    def pid_file(self) -> Path:
        """Where a running server says who and where it is."""
        return self.data / "postmaster.pid"


def in_folder(folder: Path, *, bin_dir: Path | None) -> Cluster:
    """The cluster of a folder, made or yet to be made."""
    data = folder / "cluster"
    account = server_account.choose(data)
    programs = server_programs.find(chosen=bin_dir, major=_major_of(data))
    return Cluster(
        folder=folder,
        account=account,
        programs=server_programs.runnable_by(account, programs),
    )


def start(cluster: Cluster) -> Path:
    """Have the server run, and tell the folder of its socket. The caller holds the start lock."""
    if not cluster.data.exists():
        _make(cluster)
    give_up = time.monotonic() + RETRY_TIMEOUT_S
    while True:
        socket_folder = _socket_folder_recorded(cluster)
        if socket_folder is not None and _answers(socket_folder):
            return socket_folder
        socket_folder = _socket_folder(cluster)
        trouble = _trouble_starting(cluster, socket_folder)
        if trouble is None:
            return socket_folder
        if not PASSING_TROUBLES.search(trouble) or time.monotonic() > give_up:
            raise StoreUnavailable(
                f"PostgreSQL did not start: {_last_complaint(trouble)} Its log: '{cluster.log}'."
            )
        time.sleep(RETRY_PAUSE_S)


def stop(cluster: Cluster) -> None:
    """Stop the server, politely at first; what was committed is on disk either way."""
    if not _runs(cluster):
        return  # It was killed. Its number may be another program's, who must not be signalled.
    socket_folder = _socket_folder_recorded(cluster)
    for mode in ("fast", "immediate"):
        is_stopped = _control(cluster, "stop", "-m", mode, "-t", str(STOP_TIMEOUT_S))
        if is_stopped or not _runs(cluster):
            break
    else:
        raise StoreUnavailable(f"PostgreSQL does not stop. Its log: '{cluster.log}'.")
    if socket_folder is not None and socket_folder != cluster.data:
        with contextlib.suppress(OSError):
            socket_folder.rmdir()


def dsn(socket_folder: Path, *, user: str, database: str) -> str:
    """How to connect to the server whose socket is in this folder."""
    # With its port, because the driver would else ask the environment.
    return f"postgresql://{user}@/{database}?host={quote(str(socket_folder))}&port={PORT}"


def _major_of(data: Path) -> int | None:
    """The PostgreSQL that wrote the data; None when there is none yet."""
    if not data.exists():
        return None
    try:
        return int((data / "PG_VERSION").read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise StoreUnavailable(
            f"'{data}' does not hold a PostgreSQL database. Choose another data folder."
        ) from error


def _make(cluster: Cluster) -> None:
    """Make the cluster beside its place and move it there whole: a start may be cut short."""
    new = cluster.folder / "cluster.new"
    server_account.discard(new)
    server_account.make_folder(new, cluster.account)
    with server_account.opened(new, cluster.account) as (path, inherited):
        done = server_account.run(
            (cluster.programs.path("initdb"), "-D", path, *_initdb_options(cluster.programs)),
            account=cluster.account,
            timeout_s=FIRST_START_TIMEOUT_S,
            inherited=inherited,
        )
    if done.returncode != 0:
        said = done.stdout.decode(errors="replace")
        raise StoreUnavailable(f"initdb could not make the database: {_last_complaint(said)}")
    new.rename(cluster.data)
    _flush(cluster.folder)


def _initdb_options(programs: Programs) -> tuple[str, ...]:
    """Text sorts by code point on every machine; from 17 on PostgreSQL knows how by itself."""
    locale = (
        ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
        if programs.major >= 17
        else ("--locale=C.UTF-8",)
    )
    return (
        f"--username={SUPERUSER}",
        "--auth-local=trust",
        "--auth-host=reject",
        "--encoding=UTF8",
        "--data-checksums",
        *locale,
    )


def _flush(folder: Path) -> None:
    """Make a rename in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _trouble_starting(cluster: Cluster, socket_folder: Path) -> str | None:
    """Start the server; None when it accepts connections, else what its log says."""
    _forget_dead_server(cluster, socket_folder)
    # PostgreSQL works inside its data folder, so `.` is that folder, however it is reached.
    place = "." if socket_folder == cluster.data else str(socket_folder)
    options = [
        word
        for name, value in (*SETTINGS.items(), ("unix_socket_directories", place))
        for word in ("-c", f"{name}={value}")
    ]
    before = _log_size(cluster)
    if _control(cluster, "start", "-t", str(START_TIMEOUT_S), "-o", shlex.join(options)):
        return None
    return cluster.log.read_bytes()[before:].decode(errors="replace")


def _control(cluster: Cluster, action: str, *options: str) -> bool:
    """Run pg_ctl and wait for it; what it and the server print goes to the log."""
    with (
        server_account.opened(cluster.data, cluster.account) as (path, inherited),
        cluster.log.open("ab") as log,
    ):
        done = server_account.run(
            (cluster.programs.path("pg_ctl"), action, "-w", "-D", path, *options),
            account=cluster.account,
            timeout_s=max(START_TIMEOUT_S, STOP_TIMEOUT_S) + GRACE_S,
            output=log,
            inherited=inherited,
        )
    return done.returncode == 0


def _log_size(cluster: Cluster) -> int:
    """How long the log is, after an old one that grew too long has been put aside."""
    try:
        size = cluster.log.stat().st_size
    except FileNotFoundError:
        return 0
    if size <= LOG_BYTES_MAX:
        return size
    cluster.log.replace(cluster.log.with_suffix(".log.old"))
    return 0


def _last_complaint(said: str) -> str:
    """The last line that names a fault, for a sentence."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    faults = [line for line in lines if "FATAL" in line or "error:" in line]
    return (faults or lines or ["it said nothing."])[-1]


def _pid_file_lines(cluster: Cluster) -> list[str]:
    """Who and where the server is: its pid first, the folder of its socket fifth."""
    try:
        return cluster.pid_file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _runs(cluster: Cluster) -> bool | None:
    """Whether the pid file's number is that of a server; None when it is nobody's."""
    lines = _pid_file_lines(cluster)
    if not lines or not lines[0].isdigit():
        return None
    try:
        os.kill(int(lines[0]), 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # Another account's, and so not nobody's.
    try:
        status = Path(f"/proc/{lines[0]}/status").read_text(encoding="utf-8")
    except OSError:
        return True  # Not Linux: we cannot look closer.
    is_postgres = re.search(r"^Name:\tpostgres$", status, re.MULTILINE) is not None
    is_zombie = re.search(r"^State:\tZ", status, re.MULTILINE) is not None
    return is_postgres and not is_zombie


def _forget_dead_server(cluster: Cluster, socket_folder: Path) -> None:
    """Remove the pid files of a dead server when its number still, or again, means something.

    PostgreSQL would take whoever has the number for a running server, and never start again: in a
    container that was killed and started anew the same small numbers come back, and one in which
    nobody collects the dead keeps them. It still looks for the old server's shared memory.
    """
    if _runs(cluster) is False:
        (socket_folder / f"{SOCKET_NAME}.lock").unlink(missing_ok=True)
        cluster.pid_file.unlink()


def _socket_folder_recorded(cluster: Cluster) -> Path | None:
    """Where the server that runs, or ran until it was killed, has its socket."""
    lines = _pid_file_lines(cluster)
    if len(lines) < 5:
        return None
    return cluster.data if lines[4] == "." else Path(lines[4])


def _socket_folder(cluster: Cluster) -> Path:
    """The cluster itself; a short folder for temporary things when its path is too long.

    A comma would do as badly as a long path: clients read it as a list of hosts.
    """
    is_short = len(os.fsencode(cluster.data / SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX
    if is_short and "," not in str(cluster.data):
        return cluster.data
    recorded = _socket_folder_recorded(cluster)
    if recorded is not None and _belongs_to(recorded, cluster.account):
        return recorded
    made = Path(tempfile.mkdtemp(prefix="ainfera-"))
    if not cluster.account.is_us:
        os.chown(made, cluster.account.user_id, cluster.account.group_id)
    return made


def _belongs_to(folder: Path, account: Account) -> bool:
    """Whether it is a folder that only the account may enter, and not what somebody put there."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode)
        and stat.S_IMODE(found.st_mode) == 0o700
        and found.st_uid == account.user_id
    )


def _answers(socket_folder: Path) -> bool:
    target = dsn(socket_folder, user=SUPERUSER, database="postgres")
    try:
        psycopg.connect(target, connect_timeout=ANSWER_TIMEOUT_S).close()
    except psycopg.OperationalError:
        return False
    return True
