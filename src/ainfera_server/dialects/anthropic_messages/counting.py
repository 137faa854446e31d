"""Counting the tokens of a request before it is sent: as callers ask for it, and as Anthropic does.

https://platform.claude.com/docs/en/api/messages/count_tokens
"""

import msgspec
from msgspec import Raw

from ainfera_server.conversation import Request
from ainfera_server.dialects.anthropic_messages import client, request_reader, wire
from ainfera_server.dialects.sides import Quirks

PATH = "/v1/messages/count_tokens"
AS_ANTHROPIC_READS_IT = Quirks()


def decode_request(body: bytes) -> Request:
    """Read what is to be counted. Raises Malformed or Invalid, which name the place in `param`."""
    return request_reader.unpaid_request(body)


def adapt_request(asked: Request, *, model: str) -> bytes:
    """Rewrite a request to be counted; what would not travel to be answered does not here either.

    Raises NotCarried.
    """
    written = client.adapt_request(asked, model=model, max_tokens=1, quirks=AS_ANTHROPIC_READS_IT)
    fields = msgspec.json.decode(written, type=dict[str, Raw])
    for name in wire.NOT_COUNTED:
        fields.pop(name, None)
    return msgspec.json.encode(fields)


def is_answer(body: bytes) -> bool:
    """Whether a body says how many tokens there are."""
    try:
        msgspec.json.decode(body, type=wire.Counted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def encode_answer(input_tokens: int) -> bytes:
    """Say how many tokens there are."""
    return msgspec.json.encode(wire.Counted(input_tokens=input_tokens))
