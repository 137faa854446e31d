"""How we answer callers that speak Anthropic's Messages API."""

import msgspec

from ainfera_server import sse
from ainfera_server.conversation import Reply, Request
from ainfera_server.dialects.anthropic_messages import (
    error_writer,
    reply_writer,
    request_reader,
    stream_writer,
    wire,
)
from ainfera_server.dialects.sides import Envelope, ErrorAnswer, StreamEncoder
from ainfera_server.errors import AinferaError

HEARTBEAT: bytes = sse.encode(msgspec.json.encode(wire.Ping()), name="ping")
"""The vendor's own; Claude Code counts every byte as a sign of life."""


def decode_request(body: bytes) -> Request:
    """Read a request. Raises Malformed or Invalid, which name the place in `param`."""
    return request_reader.request(body)


def encode_reply(reply: Reply, envelope: Envelope) -> bytes:
    """Write a whole answer."""
    return reply_writer.reply(reply, envelope)


def adapt_reply(body: bytes, envelope: Envelope) -> bytes:  # noqa: ARG001 (as every dialect has it)
    """The provider's answer as it came; what we say about it travels in headers."""
    return body


def stream_encoder(
    request: Request,  # noqa: ARG001 (the answer's form does not depend on what was asked)
    envelope: Envelope,
) -> StreamEncoder:
    """Begin a streamed answer."""
    return stream_writer.Encoder(envelope)


def encode_error(error: AinferaError, *, request_id: str) -> ErrorAnswer:
    """Word an error as an HTTP answer."""
    return error_writer.error_answer(error, request_id=request_id)


def encode_stream_error(error: AinferaError, *, request_id: str) -> bytes:
    """Word an error inside a stream that has begun."""
    return error_writer.stream_error(error, request_id=request_id)
