"""The limits on what a connection may send before there is a request."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from starlette.types import Receive, Scope, Send

from ainfera_server.cli import guarded_http
from ainfera_server.cli.http_server import READY, HttpServer

OK = b"HTTP/1.1 200 "
TOO_LARGE = b"HTTP/1.1 431 "
WAIT_S_MAX = 10


async def echo(_: Scope, receive: Receive, send: Send) -> None:
    """Answer with the size of the body."""
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    body = str(size).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-length", str(len(body)).encode())],
        }
    )
    await send({"type": "http.response.body", "body": body})


@pytest_asyncio.fixture
async def port() -> AsyncGenerator[int]:
    """Where the server listens."""
    listener = socket.create_server(("127.0.0.1", 0))
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    with ours, theirs:
        theirs.settimeout(0)
        server = HttpServer(echo, theirs, drain_timeout_s=1)
        running = asyncio.create_task(server.run(listener))
        async with asyncio.timeout(WAIT_S_MAX):
            assert await asyncio.get_running_loop().sock_recv(ours, 16) == READY
        yield listener.getsockname()[1]
        ours.close()  # As when the parent dies.
        async with asyncio.timeout(WAIT_S_MAX):
            await running


async def answered(port: int, *parts: bytes) -> bytes:
    """What comes back until the server closes, or has answered whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
        async with asyncio.timeout(WAIT_S_MAX):
            return await reader.read(4096)
    finally:
        writer.close()


def request(*headers: bytes, body: bytes = b"") -> bytes:
    """A whole request."""
    lines = (b"POST / HTTP/1.1", b"host: x", b"content-length: %d" % len(body), *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def test_a_usual_request_is_answered(port: int) -> None:
    assert (await answered(port, request(body=b"hello"))).startswith(OK)


async def test_a_large_body_in_one_piece_is_no_large_header(port: int) -> None:
    answer = await answered(port, request(body=b"b" * 1_000_000))
    assert answer.startswith(OK)
    assert answer.endswith(b"1000000")


async def test_headers_that_are_too_long_are_refused(port: int) -> None:
    assert (await answered(port, request(b"x-long: " + b"a" * 66_000))).startswith(TOO_LARGE)


async def test_a_header_without_end_is_refused_before_it_ends(port: int) -> None:
    parts = (b"POST / HTTP/1.1\r\nx-long: ", *[b"a" * 10_000] * 20)
    assert (await answered(port, *parts)).startswith(TOO_LARGE)


async def test_an_address_that_is_too_long_is_refused(port: int) -> None:
    line = b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"
    assert (await answered(port, line)).startswith(TOO_LARGE)


async def test_too_many_headers_are_refused(port: int) -> None:
    headers = [b"x-%d: 1" % number for number in range(101)]
    assert (await answered(port, request(*headers))).startswith(TOO_LARGE)
    assert (await answered(port, request(*headers[:90]))).startswith(OK)


async def test_two_requests_on_one_connection_are_counted_apart(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for _ in range(3):
            writer.write(request(b"x-long: " + b"a" * 40_000))
            async with asyncio.timeout(WAIT_S_MAX):
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(OK)
                await reader.readexactly(1)
    finally:
        writer.close()


@pytest.mark.parametrize("begun", [b"", b"POST / HTTP/1.1\r\nhost:"])
async def test_who_is_silent_before_the_headers_end_is_let_go(
    port: int, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(guarded_http, "HEADER_TIMEOUT_S", 0.05)
    assert await answered(port, begun) == b""


async def test_what_is_no_http_gets_a_400(port: int) -> None:
    assert (await answered(port, b"\x16\x03\x01 hello\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
