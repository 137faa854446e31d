"""How we answer callers of the native API, which asks and streams as chat completions do."""

from ainfera_server.conversation import Reply, Request
from ainfera_server.dialects.native import error_writer, reply_writer
from ainfera_server.dialects.openai_chat import request_reader
from ainfera_server.dialects.openai_chat import server as chat
from ainfera_server.dialects.sides import Envelope, ErrorAnswer, StreamEncoder
from ainfera_server.errors import AinferaError

HEARTBEAT: bytes = chat.HEARTBEAT


def decode_request(body: bytes) -> Request:
    """Read a request. Raises Malformed or Invalid, which name the place in `param`."""
    return request_reader.request(body, dialect="native")


def encode_reply(reply: Reply, envelope: Envelope) -> bytes:
    """Write a whole answer."""
    return reply_writer.reply(reply, envelope)


def adapt_reply(body: bytes, envelope: Envelope) -> bytes:
    """Say about an answer of another Ainfera what is ours to say, and change nothing else."""
    return reply_writer.adapted(body, envelope)


def stream_encoder(request: Request, envelope: Envelope) -> StreamEncoder:
    """Begin a streamed answer."""
    return chat.stream_encoder(request, envelope)


def encode_error(error: AinferaError, *, request_id: str) -> ErrorAnswer:
    """Word an error as an HTTP answer."""
    return error_writer.error_answer(error, request_id=request_id)


def encode_stream_error(error: AinferaError, *, request_id: str) -> bytes:
    """Word an error inside a stream that has begun."""
    return chat.encode_stream_error(error, request_id=request_id)
