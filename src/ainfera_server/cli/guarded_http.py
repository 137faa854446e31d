"""HTTP/1.1 with limits that uvicorn does not have: how large headers are, and how slow."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

HEADER_BYTES_MAX = 65_536
HEADERS_MAX = 100
HEADER_TIMEOUT_S = 5.0
"""For a first request to begin, and for the headers of any request to be whole."""

TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 28\r\nconnection: close\r\n\r\n"
    b"The headers are too large.\r\n"
)


class HeadersTooLarge(Exception):
    """Ends the parsing of a request whose headers nobody wants to hold."""


class GuardedHttp(HttpToolsProtocol):
    """One connection. Measured without it: a silent one, or headers without end, stay for ever."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._is_in_headers = True
        self._unfinished_bytes = 0
        self._header_bytes = 0
        self._is_too_large = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the first request its time to come."""
        super().connection_made(transport)
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline with the connection."""
        self._stop_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and give up on headers that are too long already although they are not whole."""
        if self._is_in_headers:
            self._unfinished_bytes += len(data)
        super().data_received(data)
        is_hopeless = self._is_in_headers and self._unfinished_bytes > HEADER_BYTES_MAX
        if is_hopeless and not self.transport.is_closing():
            self._refuse()

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._is_in_headers = True
        self._unfinished_bytes = 0
        self._header_bytes = 0
        self._start_deadline()

    def on_url(self, url: bytes) -> None:
        """Count the address too: it may be as long as any header."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._count(len(name) + len(value) + len(b": \r\n"))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """From here on the body's own limits hold."""
        self._is_in_headers = False
        self._stop_deadline()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed, or what we stopped parsing."""
        if self._is_too_large:
            self._refuse()
        else:
            super().send_400_response(msg)

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > HEADER_BYTES_MAX or len(self.headers) >= HEADERS_MAX:
            self._is_too_large = True
            raise HeadersTooLarge

    def _refuse(self) -> None:
        self.transport.write(TOO_LARGE)
        self.transport.close()

    def _start_deadline(self) -> None:
        self._stop_deadline()
        give_up: Callable[[], None] = self.transport.close
        self._deadline = self.loop.call_later(HEADER_TIMEOUT_S, give_up)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
