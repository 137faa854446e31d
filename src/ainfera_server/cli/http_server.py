"""Uvicorn as we run it: on an inherited socket, with limits, and told from outside when to stop."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

from ainfera_server.cli.guarded_http import GuardedHttp

CONNECTIONS_MAX = 4096
"""Of one process, idle ones included. Above it a caller gets a 503 and is told to come again."""
KEEP_ALIVE_S = 75
"""Longer than the 60 s after which common load balancers let go, so that they are first."""
CANCEL_TIMEOUT_S = 5.0
READY = b"ready"


class HttpServer:
    """Serves an application until it is told to stop."""

    def __init__(self, app: ASGIApp, control: socket.socket, *, drain_timeout_s: int) -> None:
        self._control = control
        self._server = _Server(
            uvicorn.Config(
                app,
                http=GuardedHttp,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # Addresses are made of settings, and never of what a request claims.
                proxy_headers=False,
                limit_concurrency=CONNECTIONS_MAX,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=drain_timeout_s,
            ),
            control,
        )
        # At INFO it tells of every start and stop, which we do ourselves.
        logging.getLogger("uvicorn").setLevel(logging.WARNING)

    async def run(self, listener: socket.socket) -> None:
        """Serve, let running answers finish once told to stop, and return when they have."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._control, self._parent_is_gone)
        try:
            await self._server.serve(sockets=[listener])
        finally:
            loop.remove_reader(self._control)
        running = self._server.server_state.tasks
        if running:
            await asyncio.wait(tuple(running), timeout=CANCEL_TIMEOUT_S)

    def listen_to_signals(self) -> None:
        """Let SIGTERM stop the server, and SIGINT stop it now."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGINT, self.stop_now)

    def stop(self) -> None:
        """Take no more connections, and let running answers finish."""
        self._server.should_exit = True

    def stop_now(self) -> None:
        """End running answers too."""
        self._server.should_exit = True
        self._server.force_exit = True
        for task in tuple(self._server.server_state.tasks):
            task.cancel()

    def _parent_is_gone(self) -> None:
        """The parent never writes: that there is something to read means that its end is closed."""
        asyncio.get_running_loop().remove_reader(self._control)
        self.stop()


class _Server(uvicorn.Server):
    """Says when it serves, and leaves signals to us: its own handling raises them once more."""

    def __init__(self, config: uvicorn.Config, control: socket.socket) -> None:
        super().__init__(config)
        self._control = control

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, and tell the parent."""
        await super().startup(sockets=sockets)
        with contextlib.suppress(ConnectionError):
            self._control.send(READY)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture nothing."""
        yield
