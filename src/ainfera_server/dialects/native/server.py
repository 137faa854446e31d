"""How we answer callers of the native API, which asks and streams as chat completions do."""

import re

from ainfera_server.conversation import Reply, Request
from ainfera_server.dialects.native import error_writer, reply_writer
from ainfera_server.dialects.openai_chat import message_reader, request_reader
from ainfera_server.dialects.openai_chat import server as chat
from ainfera_server.dialects.sides import Envelope, ErrorAnswer, StreamEncoder
from ainfera_server.errors import AinferaError, Malformed

HEARTBEAT: bytes = chat.HEARTBEAT
_MESSAGE = re.compile(r"messages\.\d+")


def decode_request(body: bytes) -> Request:
    """Read a request. Raises Malformed or Invalid, which name the place in `param`.

    A vendor's caller may say what only its vendor understands; this API is ours alone, so what we
    do not understand here, nobody does.
    """
    request = request_reader.request(body, dialect="native")
    if request.parts_not_understood:
        raise _not_understood(request.parts_not_understood[0])
    return request


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


def _not_understood(place: str) -> Malformed:
    """A message that is not understood as a whole has a role that nobody has."""
    if _MESSAGE.fullmatch(place):
        roles = ", ".join(f"`{one}`" for one in sorted(message_reader.ROLES))
        return Malformed(f"`{place}.role` is one of {roles}.", param=f"{place}.role")
    return Malformed(
        f"`{place}` is of a kind that this API does not know. /v1/chat/completions passes such"
        " things on to a provider that may.",
        param=place,
    )
