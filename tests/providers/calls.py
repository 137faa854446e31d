"""Calls through the transport as tests make them, and servers that break HTTP itself."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from ainfera_server.errors import FailureReason, ProviderFailed
from ainfera_server.providers.provider import Endpoint, Provider, Secret, Timeouts
from ainfera_server.providers.transport import Answer, Streamed, Transport
from tests.scripted_provider import DEFAULT_KEY

PATH = "/chat/completions"
HEADERS = {"authorization": f"Bearer {DEFAULT_KEY}"}
PATIENT = Timeouts()
SHORT_S = 0.05
ENOUGH_S = 5.0
"""A deadline of a test that is never reached, but on a machine that stands still."""

Writer = asyncio.StreamWriter


def question(*, stream: bool) -> bytes:
    """The body of a chat completion."""
    messages = [{"role": "user", "content": "Hello"}]
    return json.dumps({"model": "m", "stream": stream, "messages": messages}).encode()


async def ask(opened: Transport, endpoint: Endpoint, timeouts: Timeouts = PATIENT) -> Answer:
    """One plain call."""
    body = question(stream=False)
    return await opened.json(endpoint, PATH, headers=HEADERS, body=body, timeouts=timeouts)


@asynccontextmanager
async def listening(
    opened: Transport, endpoint: Endpoint, timeouts: Timeouts = PATIENT
) -> AsyncGenerator[Streamed]:
    """One stream that has begun well."""
    body = question(stream=True)
    async with opened.stream(
        endpoint, PATH, headers=HEADERS, body=body, timeouts=timeouts
    ) as answer:
        assert isinstance(answer, Streamed)
        yield answer


async def listen(
    opened: Transport,
    endpoint: Endpoint,
    timeouts: Timeouts = PATIENT,
    heard: Callable[[bytes], None] = lambda _: None,
) -> bytes:
    """One stream to its end; `heard` gets each of its chunks."""
    chunks: list[bytes] = []
    async with listening(opened, endpoint, timeouts) as answer:
        async for chunk in answer.chunks:
            heard(chunk)
            chunks.append(chunk)
    return b"".join(chunks)


async def failures(
    opened: Transport, endpoint: Endpoint, timeouts: Timeouts = PATIENT
) -> tuple[ProviderFailed, ProviderFailed]:
    """How a plain call and a stream fail, each well before the test's own deadline."""
    async with asyncio.timeout(ENOUGH_S):
        with pytest.raises(ProviderFailed) as plain:
            await ask(opened, endpoint, timeouts)
        with pytest.raises(ProviderFailed) as streamed:
            await listen(opened, endpoint, timeouts)
    return plain.value, streamed.value


def reasons(failed: tuple[ProviderFailed, ...]) -> set[FailureReason]:
    """Why they failed."""
    return {one.reason for one in failed}


@asynccontextmanager
async def server(
    answer: Callable[[Writer], Awaitable[None]], *, scheme: str = "http"
) -> AsyncGenerator[Endpoint]:
    """A server that takes any request and then does what `answer` does to the connection."""

    async def take(reader: asyncio.StreamReader, writer: Writer) -> None:
        try:
            await reader.read(1)
            await answer(writer)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    listener = await asyncio.start_server(take, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield endpoint_at(f"{scheme}://127.0.0.1:{port}")
    finally:
        listener.close()


def endpoint_at(base_url: str) -> Endpoint:
    """A provider with the scripted one's key, at any address."""
    provider = Provider(
        slug="broken",
        display_name="Broken",
        brand=None,
        dialect="openai_chat",
        base_url=None,
        base_url_variable="BROKEN_BASE_URL",
        key_variable="BROKEN_API_KEY",
    )
    return Endpoint(provider=provider, base_url=base_url, api_key=Secret(DEFAULT_KEY))


def http_head(**headers: str) -> bytes:
    """The beginning of an answer, for servers that write their own."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode()


async def sends(writer: Writer, data: bytes) -> None:
    """Write, and wait until it is on its way."""
    writer.write(data)
    await writer.drain()


def dripping(content_type: str) -> Callable[[Writer], Awaitable[None]]:
    """An answer that never ends and never pauses for long."""

    async def drips(writer: Writer) -> None:
        await sends(writer, http_head(content_type=content_type))
        while True:
            await sends(writer, b":\n")
            await asyncio.sleep(SHORT_S / 10)

    return drips
