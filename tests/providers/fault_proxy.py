"""A TCP proxy that stands before a provider and breaks what passes, the same way for a seed."""

import asyncio
import contextlib
import hashlib
import re
import socket
import struct
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, assert_never
from urllib.parse import urlsplit

FaultKind = Literal["none", "silent", "stall", "reset", "close", "drip", "linger", "half_close"]
"""What becomes of an answer.

silent: the question is taken, and nothing comes. stall: nothing more comes. reset: the connection
is torn down. close: it is closed as if all were well. drip: a byte at a time from there. linger:
after the whole answer come bytes that nobody asked for. half_close: after it only the sending side
is closed.
"""

KINDS: tuple[FaultKind, ...] = (
    *("none", "silent", "stall", "reset", "close", "drip", "linger", "half_close"),
)
PIECE_BYTES_MAX = 300
DRIP_S = 0.01
QUEUE_LENGTH = 4
"""More than a queue of length 0 takes in any kernel."""

LATE_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
LAST_CHUNK = b"\r\n0\r\n\r\n"
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
HEAD_ENDS = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Where an answer breaks: after so many bytes of its body; None is before its status line."""

    kind: FaultKind
    after: int | None = None


class FaultProxy:
    """Passes connections on to a provider; `connections` counts those that came."""

    def __init__(self, target: str, fault: Fault, seed: int) -> None:
        parts = urlsplit(target)
        self._host, self._port = parts.hostname, parts.port
        self._fault = fault
        self._seed = seed
        self._pieces = 0
        self._ended = asyncio.Event()
        self.has_been_late = asyncio.Event()
        self._passing: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.root_url = ""

    async def ends(self) -> None:
        """Let go of everything that is held, and wait until it has gone."""
        self._ended.set()
        for task in self._passing:
            task.cancel()
        if self._passing:
            await asyncio.wait(self._passing)
        for _ in range(3):
            await asyncio.sleep(0)  # What was torn down hears of it in the next turns of the loop.

    def takes(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass a connection on, in a task of its own."""
        self.connections += 1
        self._passing.add(asyncio.ensure_future(self._passes(reader, writer)))

    async def _passes(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on, as far as the fault lets it."""
        try:
            theirs, to_them = await asyncio.open_connection(self._host, self._port)
            upwards = asyncio.create_task(_pumped(reader, to_them))
            try:
                await self._answers(theirs, writer)
            finally:
                upwards.cancel()
                to_them.transport.abort()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def _answers(self, theirs: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self._fault
        head = await theirs.readuntil(HEAD_ENDS)  # By then the provider has the whole question.
        if fault.after is None and fault.kind not in {"none", "linger", "half_close"}:
            await self._breaks(theirs, writer)
            return
        await self._sends(writer, head)
        length = LENGTH.search(head)
        seen, announced = 0, None if length is None else int(length[1])
        left = 0 if fault.after is None else fault.after
        rest = ending = b""
        is_whole = fault.kind in {"none", "linger", "half_close"}
        while piece := await theirs.read(PIECE_BYTES_MAX):
            sent, rest = (piece, b"") if is_whole else (piece[:left], piece[left:])
            await self._sends(writer, sent)
            left -= len(sent)
            seen += len(piece)
            ending = (ending + piece)[-len(LAST_CHUNK) :]
            is_at_its_end = ending == LAST_CHUNK or seen == announced
            if is_at_its_end and is_whole and fault.kind != "none":
                break
            if not is_whole and left <= 0:
                break
        await self._breaks(theirs, writer, rest)

    async def _breaks(
        self, theirs: asyncio.StreamReader, writer: asyncio.StreamWriter, rest: bytes = b""
    ) -> None:
        match self._fault.kind:
            case "none":
                await self._ended.wait()
            case "silent" | "stall":
                await self._ended.wait()
            case "reset":
                _reset(writer)
            case "close":
                writer.close()
                await writer.wait_closed()
            case "drip":
                while rest := rest or await theirs.read(PIECE_BYTES_MAX):
                    await self._sends(writer, rest[:1])
                    rest = rest[1:]
                    await asyncio.sleep(DRIP_S)
            case "linger":
                await self._sends(writer, LATE_ANSWER)
                await self._is_late()
            case "half_close":
                writer.write_eof()
                await self._is_late()
            case _:
                assert_never(self._fault.kind)

    async def _is_late(self) -> None:
        """Tell once what came late is there too: it went the same way as all before it."""
        await asyncio.sleep(DRIP_S)
        self.has_been_late.set()
        await self._ended.wait()

    async def _sends(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """In pieces that end anywhere."""
        while data:
            size = number(self._seed, self._pieces, most=PIECE_BYTES_MAX)
            self._pieces += 1
            writer.write(data[:size])
            await writer.drain()
            data = data[size:]


def number(seed: int, place: int, *, most: int) -> int:
    """A number from 1 to `most`, which a seed has at this place for good."""
    drawn = hashlib.sha256(f"{seed}:{place}".encode()).digest()
    return 1 + int.from_bytes(drawn[:8]) % most


@asynccontextmanager
async def before(target: str, fault: Fault, *, seed: int = 0) -> AsyncGenerator[FaultProxy]:
    """Have a proxy before the provider at this address, on loopback, for the block."""
    proxy = FaultProxy(target, fault, seed)
    server = await asyncio.start_server(proxy.takes, "127.0.0.1", 0)
    proxy.root_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.ends()


@contextlib.contextmanager
def black_hole() -> Generator[str]:
    """An address where a connection is never taken: the queue of those who wait is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(QUEUE_LENGTH):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(address)
        yield f"http://127.0.0.1:{address[1]}"


async def _pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closing with no time to linger sends a reset instead of an end."""
    at_once = struct.pack("ii", 1, 0)
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    writer.transport.abort()
