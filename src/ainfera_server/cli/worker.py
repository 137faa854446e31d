"""One process that answers requests; started by the supervisor, with the socket to listen on.

SIGTERM, or the end of its parent, lets running answers finish; SIGINT ends them. Either way what
they cost is settled before the process ends.
"""

import asyncio
import os
import resource
import socket
import sys
from collections.abc import Mapping

import msgspec
import uvloop

from ainfera_server import background, telemetry
from ainfera_server import gateway as gateways
from ainfera_server import settings as environment_settings
from ainfera_server.cli import assembly
from ainfera_server.cli.http_server import HttpServer
from ainfera_server.errors import StoreUnavailable
from ainfera_server.inference import record
from ainfera_server.settings import Settings

OPEN_FILES_WANTED = 65_536
"""A connection is an open file, and many systems allow a process only 1,024 unless it asks."""


def main() -> None:
    """Serve on the socket of the first argument, for as long as that of the second is open."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    control = socket.socket(fileno=int(sys.argv[2]))
    control.set_inheritable(False)
    telemetry.set_up_logs()
    _allow_open_files()
    orders = _orders(control)
    if orders is None:
        return  # The start was given up.
    settings = environment_settings.from_environment({**os.environ, **orders})
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, listener, control))
    except StoreUnavailable as problem:
        sys.exit(f"ainfera-server: {problem}")


async def _serve(settings: Settings, listener: socket.socket, control: socket.socket) -> None:
    assert settings.database_url is not None, "the supervisor names the database"
    async with gateways.opened(
        settings, dsn=settings.database_url, writes=record.writes
    ) as gateway:
        server = HttpServer(
            assembly.doors(gateway), control, drain_timeout_s=settings.drain_timeout_s
        )
        server.listen_to_signals()
        jobs = asyncio.create_task(background.run(gateway), name="background")
        try:
            await server.run(listener)
        finally:
            jobs.cancel()
            await asyncio.wait({jobs})


def _orders(control: socket.socket) -> Mapping[str, str] | None:
    """What the parent tells us to begin with; None when it is gone."""
    with control.makefile("rb") as lines:
        line = lines.readline()
    return msgspec.json.decode(line, type=dict[str, str]) if line else None


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_WANTED if hard == resource.RLIM_INFINITY else min(OPEN_FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main()
