"""How we answer callers that speak OpenAI's Responses."""

from ainfera_server import sse
from ainfera_server.conversation import Reply, Request
from ainfera_server.dialects.openai_responses import (
    error_writer,
    reply_writer,
    request_reader,
    stream_writer,
)
from ainfera_server.dialects.sides import Envelope, ErrorAnswer, StreamEncoder
from ainfera_server.errors import AinferaError

HEARTBEAT: bytes = sse.comment("keep-alive")
"""A comment: OpenAI's SDK gives every event to its caller."""


def decode_request(body: bytes) -> Request:
    """Read a request. Raises Malformed or Invalid, which name the place in `param`."""
    return request_reader.request(body)


def encode_reply(reply: Reply, envelope: Envelope) -> bytes:
    """Write a whole answer."""
    return reply_writer.reply(reply, envelope)


def adapt_reply(body: bytes, envelope: Envelope) -> bytes:
    """Add the `ainfera` object to a provider's answer, and change nothing else."""
    return reply_writer.adapted(body, envelope)


def stream_encoder(request: Request, envelope: Envelope) -> StreamEncoder:
    """Begin a streamed answer."""
    return stream_writer.Encoder(request, envelope)


def encode_error(error: AinferaError, *, request_id: str) -> ErrorAnswer:
    """Word an error as an HTTP answer."""
    return error_writer.error_answer(error, request_id=request_id)


def encode_stream_error(error: AinferaError, *, request_id: str) -> bytes:
    """Word an error inside a stream that has begun."""
    return error_writer.stream_error(error, request_id=request_id)
