"""Which account of the machine runs the embedded server, and how its programs are run as it."""

import contextlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ainfera_server.errors import StoreUnavailable

UNPRIVILEGED = ("ainfera", "postgres", "nobody")
"""Who runs the server when we are root, which PostgreSQL refuses to be. We never add an account."""

ENVIRONMENT: Mapping[str, str] = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
"""All that the programs learn from us: no provider's key, and no PG* variable that misleads."""

OPEN_FOLDERS = Path("/proc/self/fd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who runs the server. `is_us` when that is whoever runs this process."""

    name: str
    user_id: int
    group_id: int
    is_us: bool


def choose(cluster: Path) -> Account:
    """Ourselves; or, when we are root, whoever owns the cluster, else one of UNPRIVILEGED."""
    owner = cluster.stat().st_uid if cluster.exists() else None
    if os.geteuid() != 0:
        return _ourselves(cluster, owner)
    if owner is not None:
        return Account(
            name=_name(owner), user_id=owner, group_id=cluster.stat().st_gid, is_us=False
        )
    for name in UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name=name, user_id=entry.pw_uid, group_id=entry.pw_gid, is_us=False)
    raise StoreUnavailable(
        "PostgreSQL does not run as root, and this machine has no account 'ainfera', 'postgres' or "
        "'nobody'. Start as an ordinary user, or set AINFERA_DATABASE_URL."
    )


def _ourselves(cluster: Path, owner: int | None) -> Account:
    user_id = os.geteuid()
    if owner is not None and owner != user_id:
        raise StoreUnavailable(
            f"The database in '{cluster}' belongs to the account {_name(owner)!r}. "
            f"Start as that account, or choose another data folder."
        )
    return Account(name=_name(user_id), user_id=user_id, group_id=os.getegid(), is_us=True)


def _name(user_id: int) -> str:
    """A container often runs as a number that no file gives a name."""
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)


def make_folder(folder: Path, account: Account) -> None:
    """Make a folder that only the account may enter."""
    folder.mkdir(mode=0o700)
    if not account.is_us:
        os.chown(folder, account.user_id, account.group_id)


def run(
    arguments: tuple[str, ...],
    *,
    account: Account,
    timeout_s: float,
    output: int | IO[bytes] = subprocess.PIPE,
    inherited: tuple[int, ...] = (),
) -> subprocess.CompletedProcess[bytes]:
    """Run a program as the account, in a session of its own so that Ctrl-C does not reach it.

    Raises OSError when the account may not run it, StoreUnavailable when it does not finish.
    """
    try:
        return subprocess.run(  # noqa: S603 - our own arguments, and no shell.
            arguments,
            check=False,
            cwd="/",
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=inherited,
            start_new_session=True,
            timeout=timeout_s,
            user=None if account.is_us else account.user_id,
            group=None if account.is_us else account.group_id,
            extra_groups=None if account.is_us else [],
        )
    except subprocess.TimeoutExpired as error:
        raise StoreUnavailable(
            f"'{arguments[0]}' did not finish within {timeout_s:.0f} s."
        ) from error


@contextlib.contextmanager
def opened(cluster: Path, account: Account) -> Generator[tuple[str, tuple[int, ...]]]:
    """The cluster's path as the account can use it, and what its programs must inherit for that.

    When we are root, the data folder may lie below one that nobody else can enter (`/root`), and
    opening that one to everybody is not ours to do. Instead we open the cluster and the programs
    inherit it: `/proc/self/fd/N` leads to it, and asks only for rights on the cluster itself.
    PostgreSQL 15 and 18 were seen to start, recover and stop by such a path.
    """
    if account.is_us or not OPEN_FOLDERS.exists():
        yield str(cluster), ()
        return
    descriptor = os.open(cluster, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield str(OPEN_FOLDERS / str(descriptor)), (descriptor,)
    finally:
        os.close(descriptor)


def discard(folder: Path) -> None:
    """Remove what a start that was cut short left behind."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
