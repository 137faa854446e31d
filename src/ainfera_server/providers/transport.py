"""One call or one stream to a provider, with an end to every wait; the only user of aiohttp."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.connector import Connection
from multidict import CIMultiDict
from yarl import URL

from ainfera_server.errors import ProviderFailed
from ainfera_server.providers import breakage, retry_after
from ainfera_server.providers.provider import Endpoint, Timeouts

ANSWER_BYTES_MAX = 32 * 1024 * 1024
STREAM_BYTES_MAX = 256 * 1024 * 1024
"""A chunk of 250 bytes for every token of the longest answers is an eighth of this."""

TEXT_BYTES_MAX = 64 * 1024
HEADER_BYTES_MAX = 32 * 1024
DRAIN_S = 1.0

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ConnectionKey
    from aiohttp.tracing import Trace

OWN_HEADERS = {
    "user-agent": "ainfera-server",
    "content-type": "application/json",
    # Unpacking a few kilobytes buys nothing, and a packed stream comes late.
    "accept-encoding": "identity",
}


class NotReached(Exception):
    """Somebody who is no provider did not answer; the text says who and how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer, or any answer with an error status; header names are in lower case.

    `retry_after_s` is how long the provider asks us to stay away, None when it does not say.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    retry_after_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """An answer that comes piece by piece."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]

    async def drain(self) -> None:
        """Read what follows the last event, so that the connection can serve the next call.

        Vendors send the end of a body a moment after the end of an answer. One that goes on
        longer is cut off.
        """
        with suppress(ProviderFailed, TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                async for _ in self.chunks:
                    pass


@asynccontextmanager
async def opened(*, tls: ssl.SSLContext | None = None) -> AsyncGenerator["Transport"]:
    """Have the connections to all providers for as long as the block runs.

    `tls` says whose certificates are trusted; None trusts what the machine trusts.
    """
    # How many calls run at once is bounded where they begin, so that nobody waits here unseen.
    connector = _CleanConnections(limit=0, ssl=tls or ssl.create_default_context())
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        max_line_size=HEADER_BYTES_MAX,
        max_field_size=HEADER_BYTES_MAX,
    ) as session:
        yield Transport(session)


class Transport:
    """Calls providers. It tries once: whether and where to try again is somebody else's choice."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def json(
        self,
        endpoint: Endpoint,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        timeouts: Timeouts,
    ) -> Answer:
        """Ask, and wait for the whole answer. Raises ProviderFailed when none came."""
        call = _Call(endpoint, timeouts, first_byte_s=timeouts.plain_first_byte_s)
        response = await self._head(call, path, {**headers, "accept": "application/json"}, body)
        try:
            answer = await _whole(call, response)
        finally:
            response.close()
        if answer.status < 400:
            _refuse_unless(call, response, content_type="application/json")
            if not answer.body.strip():
                raise breakage.empty(endpoint, answer.status)
        return answer

    @asynccontextmanager
    async def stream(
        self,
        endpoint: Endpoint,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        timeouts: Timeouts,
    ) -> AsyncGenerator[Answer | Streamed]:
        """Ask, and have the answer as it comes; an error status is an `Answer`.

        Leaving the block before the end closes the connection at once, which is how a provider
        learns that nobody listens. Raises ProviderFailed, here and from `chunks`.
        """
        call = _Call(endpoint, timeouts, first_byte_s=timeouts.first_byte_s)
        response = await self._head(call, path, {**headers, "accept": "text/event-stream"}, body)
        try:
            if response.status >= 400:
                yield await _whole(call, response)
                return
            _refuse_unless(call, response, content_type="text/event-stream")
            yield Streamed(
                status=response.status,
                headers=_lower(response.headers),
                chunks=_Chunks(call, response, bytes_max=STREAM_BYTES_MAX),
            )
        finally:
            response.close()

    async def text(self, url: str, body: bytes, *, timeout_s: float) -> Answer:
        """Send text to somebody who is no provider, such as a witness. Raises NotReached."""
        headers = {**OWN_HEADERS, "content-type": "text/plain; charset=utf-8"}
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._session.post(
                    url, data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                answered = await _short_text(response)
        except breakage.KINDS as error:
            raise NotReached(f"{url}: {type(error).__name__}") from error
        return Answer(
            status=response.status,
            headers=_lower(response.headers),
            body=answered,
            retry_after_s=None,
        )

    async def _head(
        self, call: "_Call", path: str, headers: Mapping[str, str], body: bytes
    ) -> aiohttp.ClientResponse:
        """Send the question and wait for the status line and headers of the answer."""
        all_headers = CIMultiDict(OWN_HEADERS)
        all_headers.update(headers)
        try:
            async with asyncio.timeout_at(call.deadline_s()):
                response = await self._session.post(
                    _url(call.endpoint.base_url, path),
                    data=body,
                    headers=all_headers,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(connect=call.timeouts.connect_s),
                )
        except breakage.KINDS as error:
            raise breakage.failure(call.endpoint, error) from None  # Its repr shows the headers.
        if 300 <= response.status < 400:
            response.close()
            raise breakage.redirected(call.endpoint, response.status)
        return response


class _CleanConnections(aiohttp.TCPConnector):
    """Uses no connection again on which bytes came that nobody had asked for.

    The client would read them as the answer to its next question, which may be another tenant's.
    """

    async def _get(self, key: "ConnectionKey", traces: "list[Trace]") -> Connection | None:
        while (connection := await super()._get(key, traces)) is not None:
            protocol = connection.protocol
            if protocol is not None and not protocol.should_close:
                return connection
            connection.close()
        return None


class _Call:
    """One call: whom we ask, and when we stop waiting."""

    def __init__(self, endpoint: Endpoint, timeouts: Timeouts, *, first_byte_s: float) -> None:
        self.endpoint = endpoint
        self.timeouts = timeouts
        self._now_s = asyncio.get_running_loop().time
        began_s = self._now_s()
        self._end_s = began_s + timeouts.total_s
        self._first_byte_end_s = min(began_s + first_byte_s, self._end_s)

    def deadline_s(self) -> float:
        """When the first byte of the body has to be there, on the event loop's clock."""
        return self._first_byte_end_s

    def next_deadline_s(self) -> float:
        """When the next bytes have to be there, after some have come."""
        return min(self._now_s() + self.timeouts.idle_s, self._end_s)


class _Chunks(AsyncIterator[bytes]):
    """The bytes of an answer as they come; all that wait already come as one."""

    def __init__(self, call: _Call, response: aiohttp.ClientResponse, *, bytes_max: int) -> None:
        self._call = call
        self._content = response.content
        self._status = response.status
        self._bytes_left = bytes_max
        self._has_begun = False

    async def __anext__(self) -> bytes:
        call = self._call
        deadline_s = call.next_deadline_s() if self._has_begun else call.deadline_s()
        try:
            async with asyncio.timeout_at(deadline_s):
                chunk = await self._content.readany()
        except breakage.KINDS as error:
            raise breakage.failure(call.endpoint, error) from None  # Its repr shows the headers.
        if not chunk:
            raise StopAsyncIteration
        self._has_begun = True
        self._bytes_left -= len(chunk)
        if self._bytes_left < 0:
            raise breakage.too_large(call.endpoint, self._status)
        return chunk


async def _whole(call: _Call, response: aiohttp.ClientResponse) -> Answer:
    chunks = [chunk async for chunk in _Chunks(call, response, bytes_max=ANSWER_BYTES_MAX)]
    headers = _lower(response.headers)
    is_error = response.status >= 400
    return Answer(
        status=response.status,
        headers=headers,
        body=b"".join(chunks),
        retry_after_s=(
            retry_after.retry_after_s(headers, now_unix_s=time.time()) if is_error else None
        ),
    )


async def _short_text(response: aiohttp.ClientResponse) -> bytes:
    """All of a short body, and the beginning of one that is too long."""
    body = b""
    while len(body) < TEXT_BYTES_MAX and (chunk := await response.content.readany()):
        body += chunk
    return body[:TEXT_BYTES_MAX]


def _refuse_unless(call: _Call, response: aiohttp.ClientResponse, *, content_type: str) -> None:
    if response.content_type != content_type:
        raise breakage.wrong_content(call.endpoint, response.status, response.content_type)


def _lower(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@lru_cache(maxsize=256)
def _url(base_url: str, path: str) -> URL:
    """Reading an address costs more than the rest of a call's preparation; there are few."""
    return URL(base_url + path)
