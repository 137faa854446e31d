"""How commands reach the database: the one that settings name, or the embedded one."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ainfera_server import gateway as gateways
from ainfera_server.accounts.minting import Minting
from ainfera_server.audit.recorder import Recorder
from ainfera_server.cli import data_folder
from ainfera_server.cli.failures import Failure
from ainfera_server.gateway import Gateway
from ainfera_server.inference import record
from ainfera_server.postgres import embedded, migrate
from ainfera_server.postgres.embedded import Server
from ainfera_server.settings import Settings

ResultT = TypeVar("ResultT")

PROGRAMS_VARIABLE = "AINFERA_PG_BIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database that runs; `server` is None when it is not ours."""

    dsn: str
    server: Server | None


@contextlib.contextmanager
def running(settings: Settings) -> Generator[Database]:
    """Have the database for the block, started if need be. Raises StoreUnavailable."""
    if settings.database_url is not None:
        yield Database(dsn=settings.database_url, server=None)
        return
    programs = os.environ.get(PROGRAMS_VARIABLE)
    bin_dir = Path(programs) if programs else None
    with embedded.running(settings.data_dir, bin_dir=bin_dir) as server:
        yield Database(dsn=server.dsn, server=server)


def require_named(settings: Settings) -> None:
    """Try whether the database that settings name answers, if they do. Raises StoreUnavailable."""
    if settings.database_url is not None:
        migrate.current(settings.database_url)


def use(settings: Settings, work: Callable[[Gateway], Awaitable[ResultT]]) -> ResultT:
    """Do some work on the database of a server that was started before, running or not."""
    if settings.database_url is None or settings.secret is None:
        data_folder.require(settings.data_dir)
    with running(settings) as database:
        if migrate.current(database.dsn) != migrate.newest():
            raise Failure("The database is not ready. Start the server once, which prepares it.")
        return asyncio.run(open_and(settings, database.dsn, work))


async def open_and(
    settings: Settings, dsn: str, work: Callable[[Gateway], Awaitable[ResultT]]
) -> ResultT:
    """Open everything on a database, do the work, and close it."""
    async with gateways.opened(settings, dsn=dsn, writes=record.writes) as gateway:
        return await work(gateway)


def recorder(gateway: Gateway) -> Recorder:
    """What an action writes down with, for this moment."""
    return Recorder(now=gateway.now(), new_id=gateway.new_id, signer=gateway.signer)


def minting(gateway: Gateway) -> Minting:
    """What an action makes identities with, for this moment."""
    return Minting(
        recorder=recorder(gateway),
        random=gateway.random,
        pepper=gateway.keyring.api_key_pepper,
        sealing_key=gateway.keyring.sealing_key,
        card_alg=gateway.settings.card_alg,
        signup_grant=gateway.settings.signup_grant,
    )
