"""Which database the self-check looks at, found as it is: never made, never migrated."""

import contextlib
import time
from collections.abc import Generator

import click

from ainfera_server.cli import data_folder, database
from ainfera_server.cli.failures import Failure
from ainfera_server.postgres import migrate
from ainfera_server.selfcheck import reading
from ainfera_server.settings import Settings


@contextlib.contextmanager
def found(settings: Settings) -> Generator[str]:
    """Have the database that settings name, or the embedded one, for the block.

    An embedded one that does not run is started for it, and that is said. Raises Failure when there
    is none, or it is of another version.
    """
    if settings.database_url is None:
        data_folder.require(settings.data_dir)
        if not (settings.data_dir / "postgres" / "cluster").is_dir():
            raise Failure(f"There is no database in '{settings.data_dir}' to check.")
    began_s = time.monotonic()
    with database.running(settings) as running:
        is_ours = running.server is not None
        if is_ours and reading.database_age_s(running.dsn) < time.monotonic() - began_s:
            click.echo(
                "ainfera-server: no database was running here; it was started for this check, and"
                " stops after it.",
                err=True,
            )
        _require_newest(running.dsn)
        yield running.dsn


def _require_newest(dsn: str) -> None:
    stored, newest = migrate.current(dsn), migrate.newest()
    if stored != newest:
        has = "no schema" if stored is None else f"the schema {stored!r}"
        raise Failure(
            f"The database has {has}, and this version checks {newest!r}. Start the server of this"
            f" version once, which prepares it."
        )
