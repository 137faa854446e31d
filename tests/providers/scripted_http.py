"""The HTTP side of the scripted provider: what it may be told to do, and how it does it."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, assert_never

from aiohttp import web

from ainfera_server.conversation import ToolCall, Usage
from tests.providers import vendor_shapes
from tests.providers.vendor_shapes import Told

REQUEST_BYTES_MAX = 64 * 1024 * 1024
SHUTDOWN_TIMEOUT_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Where a good answer goes wrong: after so many events of a stream, -1 before the last.

    A plain answer goes wrong in its middle. `sends` is put into a stream there, as it is.
    """

    after: int
    then: Literal["break", "end", "stall", "go_on"]
    sends: Mapping[str, bytes] | None = None
    """By dialect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """A good answer, unless it is cut. `usage` None means that none is reported."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None
    finish: str | None = None
    cut: Cut | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fails:
    """An error status in the words of the vendor."""

    status: int
    message: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sends:
    """Anything at all."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class IsSilent:
    """The question is taken and nothing follows, not even a status."""


Behaviour = Answers | Fails | Sends | IsSilent


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as it came; header names are in lower case. A connection has its own `peer`."""

    peer: object
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        """The body, read."""
        return json.loads(self.body)

    @property
    def model(self) -> str:
        """The upstream name of the model that was asked."""
        return str(self.json["model"])


class Script(Protocol):
    """What the HTTP side asks and tells; its methods are called in the server's thread."""

    def takes(self, received: Received) -> Behaviour:
        """Note a request, and say what to do with it."""
        ...

    def first_byte_delay_s(self, model: str) -> float:
        """How long to think before an answer."""
        ...

    def client_left(self) -> None:
        """Note that a client left before its answer was whole."""
        ...


class Stage:
    """Answers requests as its script says. Made in the event loop that it then runs in."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._loop = asyncio.get_running_loop()
        self._released = asyncio.Event()
        self._closed = asyncio.Event()

    def releases(self) -> None:
        """Let everything go on that is silent or has stalled; called from any thread."""
        self._loop.call_soon_threadsafe(self._released.set)

    def closes(self) -> None:
        """End `is_closed`; called from any thread."""
        self._loop.call_soon_threadsafe(self._closed.set)

    async def is_closed(self) -> None:
        """Wait until somebody called `closes`."""
        await self._closed.wait()

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[int]:
        """Listen on loopback, on the port that the system chose."""
        application = web.Application(client_max_size=REQUEST_BYTES_MAX)
        application.router.add_post("/v1/{route:.*}", self._handle)
        runner = web.AppRunner(
            application,
            handler_cancellation=True,
            access_log=None,
            shutdown_timeout=SHUTDOWN_TIMEOUT_S,
        )
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield site.port
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None, "the client is still there"
        received = Received(
            peer=request.transport.get_extra_info("peername"),
            path=request.path,
            query=request.query_string,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )
        behaviour = self._script.takes(received)
        try:
            await asyncio.sleep(self._script.first_byte_delay_s(received.model))
            return await self._behave(behaviour, request, received)
        except (asyncio.CancelledError, ConnectionError):
            self._script.client_left()
            raise

    async def _behave(
        self, behaviour: Behaviour, request: web.Request, received: Received
    ) -> web.StreamResponse:
        dialect = vendor_shapes.DIALECTS[received.path]
        match behaviour:
            case Answers() if received.json.get("stream") is True:
                return await self._stream(behaviour, request, received, dialect)
            case Answers():
                return await self._answer(behaviour, request, received, dialect)
            case Fails():
                body = vendor_shapes.error(
                    dialect, status=behaviour.status, message=behaviour.message
                )
                headers = {"content-type": "application/json", **behaviour.headers}
                return web.Response(status=behaviour.status, headers=headers, body=body)
            case Sends():
                return web.Response(
                    status=behaviour.status, headers=behaviour.headers, body=behaviour.body
                )
            case IsSilent():
                await self._released.wait()
                return web.Response(status=503)
            case _:
                assert_never(behaviour)

    async def _answer(
        self, behaviour: Answers, request: web.Request, received: Received, dialect: str
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "application/json"})
        body = vendor_shapes.plain(dialect, _told(behaviour, received))
        if behaviour.cut is None:
            response.content_length = len(body)
            await response.prepare(request)
            await response.write(body)
            return response
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        if await self._goes_on(behaviour.cut, request):
            await response.write(body[len(body) // 2 :])
        return response

    async def _stream(
        self, behaviour: Answers, request: web.Request, received: Received, dialect: str
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        options = received.json.get("stream_options")
        includes_usage = isinstance(options, dict) and bool(options.get("include_usage"))
        told = _told(behaviour, received)
        events = vendor_shapes.streamed(dialect, told, includes_usage=includes_usage)
        cut = behaviour.cut
        first = len(events) if cut is None else cut.after % len(events)
        for event in events[:first]:
            await response.write(event)
        if cut is not None:
            if cut.sends is not None:
                await response.write(cut.sends[dialect])
            if await self._goes_on(cut, request):
                for event in events[first:]:
                    await response.write(event)
        return response

    async def _goes_on(self, cut: Cut, request: web.Request) -> bool:
        match cut.then:
            case "break":
                assert request.transport is not None, "the client is still there"
                request.transport.abort()
                return False
            case "end":
                return False
            case "stall":
                await self._released.wait()
                return True
            case "go_on":
                return True


def _told(behaviour: Answers, received: Received) -> Told:
    fitting = "tool_calls" if behaviour.tool_calls else "stop"
    return Told(
        text=behaviour.text,
        tool_calls=behaviour.tool_calls,
        usage=behaviour.usage,
        model=received.model,
        finish=behaviour.finish or fitting,
    )
