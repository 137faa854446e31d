"""The inference door: four routes, one for each dialect that callers speak, as plain ASGI.

It reads the body, finds out who calls, has `inference.run` answer, and sends what comes. A caller
who leaves, before or during the answer, ends the work: that is what cancels the provider's call.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import cast

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ainfera_server.accounts.store import Payer
from ainfera_server.api import agent_tree, authenticate, bodies
from ainfera_server.conversation import Dialect, Request
from ainfera_server.dialects.anthropic_messages import server as anthropic_messages
from ainfera_server.dialects.native import server as native
from ainfera_server.dialects.openai_chat import server as openai_chat
from ainfera_server.dialects.openai_responses import server as openai_responses
from ainfera_server.dialects.sides import ServerSide
from ainfera_server.errors import AgentNotActive, Invalid, Malformed, TooLarge
from ainfera_server.gateway import Gateway
from ainfera_server.inference import idempotency, run
from ainfera_server.inference.call import Answer, Call, StreamedAnswer, WholeAnswer
from ainfera_server.routing import targets, task_type
from ainfera_server.routing.task_type import ResolvedTaskType, UnknownTaskType

ROUTES: Mapping[str, ServerSide] = {
    "/v1/inference": native,
    "/v1/chat/completions": openai_chat,
    "/v1/responses": openai_responses,
    "/v1/messages": anthropic_messages,
}
VENDOR_HEADERS: Mapping[Dialect, str] = {"anthropic_messages": "anthropic-"}
"""How the headers begin that callers of a dialect send to its vendor.

Which there are is the vendor's business: https://code.claude.com/docs/en/llm-gateway
"""

VENDOR_HEADER_BYTES_MAX = 8 * 1024
"""Vendors refuse longer ones, with an error that says nothing."""

BODY_S_MAX = 60.0
READ_GRACE_S = 10.0

log = logging.getLogger(__name__)


def application(gateway: Gateway) -> ASGIApp:
    """Make the door to an open gateway."""
    return InferenceDoor(gateway)


class CallerLeft(Exception):
    """The connection was closed from the other side."""


class InferenceDoor:
    """An ASGI application for the paths in ROUTES."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. What it raises is worded in the dialect of its route."""
        speaks = ROUTES[scope["path"]]
        request_id: str = scope["state"]["request_id"]
        try:
            call = await self._call(scope, receive, speaks, request_id)
            await self._answer(call, receive, send)
        except CallerLeft:
            log.info("caller_left", extra={"request_id": request_id})

    async def _call(
        self, scope: Scope, receive: Receive, speaks: ServerSide, request_id: str
    ) -> Call:
        """Find out who asks what."""
        gateway = self._gateway
        headers = Headers(scope=scope)
        principal = await authenticate.authenticate(gateway, headers)
        body = await _body(receive, headers, bytes_max=gateway.settings.body_bytes_max)
        request = speaks.decode_request(body)
        payer = await gateway.callers.payer(principal, request.wishes.agent_id)
        _require_active(payer)
        _note_alias(request.model, request_id)
        key = headers.get("idempotency-key")
        return Call(
            payer=payer,
            request=request,
            speaks=speaks,
            task_type=_task_type(request),
            request_id=request_id,
            audit_url=f"{gateway.public_url}/v1/audit/{payer.agent_id}",
            created_at=gateway.now(),
            received_at_s=gateway.monotonic(),
            idempotency_scope=None
            if key is None
            else idempotency.scope(
                tenant_id=payer.tenant_id, agent_id=payer.agent_id, route=scope["path"], key=key
            ),
            branch=agent_tree.branch(headers),
            vendor_headers=_vendor_headers(headers, request.dialect),
        )

    async def _answer(self, call: Call, receive: Receive, send: Send) -> None:
        """Have the call answered for as long as the caller listens."""
        left = asyncio.create_task(_left(receive))
        try:
            answer = await self._run(call, left)
            match answer:
                case WholeAnswer():
                    headers = {"content-type": "application/json", **answer.headers}
                    await _send_whole(send, answer.status, headers, answer.body)
                case StreamedAnswer():
                    await self._stream(call, answer, left, send)
        finally:
            left.cancel()
            self._gateway.metrics.inference_seconds.observe(
                self._gateway.monotonic() - call.received_at_s
            )

    async def _run(self, call: Call, left: "asyncio.Task[None]") -> Answer:
        running = asyncio.create_task(run.run(self._gateway, call))
        try:
            await asyncio.wait({running, left}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await _cancelled(running)
            await self._close_unread(running)
            raise
        if not running.done():
            await _cancelled(running)
            await self._close_unread(running)
            raise CallerLeft
        return await running

    async def _close_unread(self, running: "asyncio.Task[Answer]") -> None:
        """A stream that began just as its caller was given up has nobody else to close it."""
        if running.cancelled() or running.exception() is not None:
            return
        answer = running.result()
        if isinstance(answer, StreamedAnswer):
            await self._gateway.finish(answer.close())

    async def _stream(
        self, call: Call, answer: StreamedAnswer, left: "asyncio.Task[None]", send: Send
    ) -> None:
        """Send chunks as they come; a heartbeat when nothing came for a while."""
        sending = asyncio.create_task(_send_stream(send, answer))
        try:
            # A caller who never reads would otherwise keep its hold open past its end.
            async with asyncio.timeout(self._time_left_s(call)):
                while not sending.done() and not left.done():
                    done, _ = await asyncio.wait(
                        {sending, left},
                        timeout=self._gateway.heartbeat_s,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    if not done and (beat := answer.heartbeat()):
                        await _send_part(send, beat)
        except TimeoutError:
            raise CallerLeft from None
        finally:
            await _cancelled(sending)
            await self._gateway.finish(answer.close())
        if sending.done() and not sending.cancelled():
            sending.result()

    def _time_left_s(self, call: Call) -> float:
        """Until an answer has to be read to its end, a little after it has to be written."""
        ends_at_s = call.received_at_s + self._gateway.settings.inference_timeout_s
        return ends_at_s - self._gateway.monotonic() + READ_GRACE_S


async def _send_stream(send: Send, answer: StreamedAnswer) -> None:
    headers = {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache",
        "x-accel-buffering": "no",
        "x-ainfera-stream-mode": "native",
        **answer.headers,
    }
    await send(_start(200, headers))
    async for chunk in answer.chunks:
        await _send_part(send, chunk)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _cancelled(task: "asyncio.Task[object]") -> None:
    """Cancel a task and wait until it has cleaned up."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await asyncio.shield(asyncio.wait({task}))


async def _left(receive: Receive) -> None:
    """Return when the caller has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive, headers: Mapping[str, str], *, bytes_max: int) -> bytes:
    """Read the body within its limits of size and time."""
    if bodies.is_declared_too_large(headers.get("content-length", ""), bytes_max=bytes_max):
        raise _too_large(bytes_max)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_S_MAX):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise CallerLeft
                chunk = cast("bytes", message.get("body", b""))
                size += len(chunk)
                if size > bytes_max:
                    raise _too_large(bytes_max)
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(chunks)
    except TimeoutError:
        raise bodies.too_slow(BODY_S_MAX) from None


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(f"The body is larger than {bytes_max} bytes.", bytes_max=bytes_max)


def _require_active(payer: Payer) -> None:
    if payer.status != "active":
        raise AgentNotActive(f"The agent is {payer.status}. Its owner can make it active again.")


def _task_type(request: Request) -> ResolvedTaskType:
    """Our own API refuses a misspelt task type; on a vendor's dialect the field is not ours."""
    if request.dialect != "native":
        return task_type.resolved_or_default(request.wishes.task_type)
    try:
        return task_type.resolved_or_refused(request.wishes.task_type)
    except UnknownTaskType as problem:
        raise Invalid(f"{problem}.", param="task_type") from problem


def _vendor_headers(headers: Headers, dialect: Dialect) -> Mapping[str, str]:
    """What the caller says to the vendor; the values of one name become one list."""
    beginning = VENDOR_HEADERS.get(dialect)
    if beginning is None:
        return {}
    names = {name for name in headers if name.startswith(beginning)}
    sent = {name: ", ".join(headers.getlist(name)) for name in sorted(names)}
    if sum(len(name) + len(value) for name, value in sent.items()) > VENDOR_HEADER_BYTES_MAX:
        raise Malformed(
            f"The {beginning}* headers are longer than {VENDOR_HEADER_BYTES_MAX} bytes together."
        )
    return sent


def _note_alias(model: str, request_id: str) -> None:
    canonical = targets.canonical(model)
    if canonical != model:
        log.info(
            "router_alias_hit",
            extra={"legacy": model, "canonical": canonical, "request_id": request_id},
        )


async def _send_whole(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    await send(_start(status, {**headers, "content-length": str(len(body))}))
    await send({"type": "http.response.body", "body": body})


async def _send_part(send: Send, chunk: bytes) -> None:
    await send({"type": "http.response.body", "body": chunk, "more_body": True})


def _start(status: int, headers: Mapping[str, str]) -> Message:
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": encoded}
