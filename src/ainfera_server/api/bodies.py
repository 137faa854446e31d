"""The bodies of the control routes: read whole, within a limit, and strict JSON or nothing."""

import asyncio

import orjson
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from ainfera_server.errors import BodyTooSlow, Malformed, TooLarge

BODY_BYTES_MAX = 1024 * 1024
BODY_TIMEOUT_S = 30.0
LENGTH_DIGITS_MAX = 18


async def read(headers: Headers, receive: Receive, *, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """Read a body and make sure that it is JSON, or that there is none.

    Raises TooLarge, Malformed, and BodyTooSlow.
    """
    if is_declared_too_large(headers.get("content-length", ""), bytes_max=bytes_max):
        raise _too_large(bytes_max)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await _whole(receive, bytes_max)
    except TimeoutError:
        raise too_slow(BODY_TIMEOUT_S) from None
    if body:
        _require_json(headers, body)
    return body


def replayed(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read to whoever reads it next."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again


async def _whole(receive: Receive, bytes_max: int) -> bytes:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > bytes_max:
            raise _too_large(bytes_max)
        more = message.get("more_body", False)
    return bytes(body)


def too_slow(timeout_s: float) -> BodyTooSlow:
    """The refusal of a body that is not there in time."""
    return BodyTooSlow(f"The body did not arrive within {timeout_s:.0f} seconds.")


def is_declared_too_large(length: str, *, bytes_max: int) -> bool:
    """What is no number is the server's business; what has too many digits is too large."""
    if not length.isascii() or not length.isdigit():
        return False
    return len(length) > LENGTH_DIGITS_MAX or int(length) > bytes_max


def _require_json(headers: Headers, body: bytes) -> None:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Malformed("The body must be JSON, sent with `content-type: application/json`.")
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise Malformed(f"The body is not JSON: {problem.msg} (at {problem.pos}).") from None


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(f"The body is larger than {bytes_max} bytes.", limit_bytes=bytes_max)
