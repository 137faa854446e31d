"""The PostgreSQL that serves when nobody names one: started here, shared between processes.

In a data folder, `postgres/cluster` is the database: it belongs to the account that runs the
server, and nobody else may enter. `server.log`, `start.lock` and `users.lock` beside it are ours.
The server listens on a Unix socket inside the cluster and nowhere else, so that whoever reaches it
is already its owner or root, and no password is asked. There is no TLS and no replica: it is for
one machine with one disk. Windows has no such sockets for it; there, name a server by its address.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg

from ainfera_server.errors import StoreUnavailable
from ainfera_server.postgres import queries, server_cluster
from ainfera_server.postgres.server_cluster import Cluster

QUERIES = queries.load(__name__, "embedded.sql")
LOGIN_EXISTS = QUERIES["login_exists"].encode()
CREATE_LOGIN = QUERIES["create_login"].encode()
DATABASE_EXISTS = QUERIES["database_exists"].encode()
CREATE_DATABASE = QUERIES["create_database"].encode()

LOGIN = "ainfera"
LOCK_TIMEOUT_S = 150.0
LOCK_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server; its version reads `18.4`."""

    cluster: Cluster
    socket_folder: Path
    version: str

    @property
    def dsn(self) -> str:
        """What AINFERA_DATABASE_URL would say for a server of one's own.

        The login owns the database and is not a superuser, who would see every tenant's rows.
        """
        return self.dsn_as(user=LOGIN, database=LOGIN)

    def dsn_as(self, *, user: str, database: str) -> str:
        """Another login or another database of the same server, for tests and for repairs."""
        return server_cluster.dsn(self.socket_folder, user=user, database=database)


@contextlib.contextmanager
def running(data_dir: Path, *, bin_dir: Path | None = None) -> Generator[Server]:
    """Have a server while the block runs: attach to the one that runs, or start it.

    Several processes may do so at once; the last one to leave stops the server, and a process that
    was killed counts as gone. `bin_dir` is the folder of PostgreSQL's programs, None to look for
    them. Raises StoreUnavailable with a sentence that says what to do.
    """
    folder = _folder_in(data_dir)
    with (folder / "users.lock").open("ab") as users:
        with _alone(folder):
            cluster = server_cluster.in_folder(folder, bin_dir=bin_dir)
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            with _alone(folder):
                server = _started(cluster)
            yield server
        finally:
            with _alone(folder):
                if _locked(users):
                    server_cluster.stop(cluster)


def lifeline(server: Server) -> psycopg.Connection:
    """A connection that does nothing; it can be read from once the server is gone.

    Raises StoreUnavailable.
    """
    try:
        return psycopg.connect(server.dsn, autocommit=True)
    except psycopg.Error as error:
        raise StoreUnavailable(f"The database does not answer: {error}") from error


def start_again(server: Server) -> None:
    """Have a server that died run once more, where it was. Raises StoreUnavailable.

    Of several processes that use it the first one starts it, and the others find it running.
    """
    with _alone(server.cluster.folder):
        again = _started(server.cluster)
    if again.socket_folder != server.socket_folder:
        raise StoreUnavailable(
            f"The database runs again, but its socket has moved to '{again.socket_folder}'. "
            f"Start the server again."
        )


def _folder_in(data_dir: Path) -> Path:
    folder = data_dir.resolve() / "postgres"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("start.lock", "users.lock", "server.log"):
            os.close(os.open(folder / name, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnavailable(
            f"The data folder '{data_dir}' cannot be written: {error.strerror}. "
            f"Choose another, or start as the account that owns it."
        ) from error
    return folder


@contextlib.contextmanager
def _alone(folder: Path) -> Generator[None]:
    """One process at a time starts or stops the server; the kernel unlocks for a dead one."""
    give_up = time.monotonic() + LOCK_TIMEOUT_S
    with (folder / "start.lock").open("ab") as lock:
        while not _locked(lock):
            if time.monotonic() > give_up:
                raise StoreUnavailable(f"Another process holds '{lock.name}' and does not let go.")
            time.sleep(LOCK_PAUSE_S)
        yield


def _locked(lock: IO[bytes]) -> bool:
    """Take the lock for ourselves alone; no while anybody else holds it, even shared."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _started(cluster: Cluster) -> Server:
    try:
        socket_folder = server_cluster.start(cluster)
        server = Server(
            cluster=cluster, socket_folder=socket_folder, version=cluster.programs.version
        )
        _make_login_and_database(server)
    except (OSError, psycopg.Error) as error:
        raise StoreUnavailable(
            f"The database in '{cluster.folder}' could not be started: {error}"
        ) from error
    return server


def _make_login_and_database(server: Server) -> None:
    dsn = server.dsn_as(user=server_cluster.SUPERUSER, database="postgres")
    with psycopg.connect(dsn, autocommit=True) as connection:
        if connection.execute(LOGIN_EXISTS).fetchone() is None:
            connection.execute(CREATE_LOGIN)
        if connection.execute(DATABASE_EXISTS).fetchone() is None:
            connection.execute(CREATE_DATABASE)
