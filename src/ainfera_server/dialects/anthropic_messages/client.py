"""How we ask providers that speak Anthropic's Messages API."""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from ainfera_server.conversation import Reply, Request
from ainfera_server.dialects import carrying, wishes
from ainfera_server.dialects.anthropic_messages import (
    failure_reader,
    reasoning,
    reply_reader,
    request_writer,
    stream_reader,
    wire,
)
from ainfera_server.dialects.sides import Quirks, StreamDecoder
from ainfera_server.errors import ProviderFailed
from ainfera_server.sse import Event

PATH: str = "/v1/messages"


def headers(*, api_key: str) -> Mapping[str, str]:
    """The credential and the version; a server of one's own may want no credential."""
    credential = {"x-api-key": api_key} if api_key else {}
    return {
        **credential,
        "anthropic-version": wire.VERSION,
        "content-type": "application/json",
    }


def encode_request(
    request: Request,
    *,
    model: str,
    max_tokens: int,
    quirks: Quirks,  # noqa: ARG001 (no provider reads this dialect in another way)
) -> bytes:
    """Write a request that came in another dialect. Raises NotCarried or Invalid."""
    return request_writer.request(request, model=model, max_tokens=max_tokens)


def adapt_request(
    request: Request,
    *,
    model: str,
    max_tokens: int,
    quirks: Quirks,  # noqa: ARG001 (no provider reads this dialect in another way)
) -> bytes:
    """Rewrite a request in this dialect; every value that we do not set keeps its bytes.

    Only reasoning that another vendor wrote does not travel: Anthropic would refuse the request.
    """
    fields = msgspec.json.decode(request.body, type=dict[str, Raw])
    carrying.refuse_unpriced(fields, wire.PRICED_AS_LISTED)
    _refuse_compaction(fields.get(wire.CONTEXT_MANAGEMENT_FIELD))
    for name in wishes.FIELDS:
        fields.pop(name, None)
    if reasoning.is_foreign_in(request):
        fields[wire.MESSAGES_FIELD] = reasoning.without_foreign(fields[wire.MESSAGES_FIELD])
    fields[wire.MODEL_FIELD] = Raw(msgspec.json.encode(model))
    if request.max_tokens is None:
        fields[wire.LIMIT_FIELD] = Raw(msgspec.json.encode(max_tokens))
    return msgspec.json.encode(fields)


def decode_reply(body: bytes) -> Reply:
    """Read a whole answer. Raises ProviderFailed when it is not one."""
    return reply_reader.reply(body)


def stream_decoder() -> StreamDecoder:
    """Begin to read a streamed answer."""
    return stream_reader.Decoder()


def relayed(
    event: Event,
    request: Request,  # noqa: ARG001 (we ask for nothing that the caller did not)
) -> bytes:
    """The event as it came."""
    return event.raw


def decode_failure(*, status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailed:
    """Read an answer with an error status."""
    return failure_reader.failure(status=status, headers=headers, body=body)


def _refuse_compaction(context_management: Raw | None) -> None:
    """Edits that clear old turns cost nothing; one that sums them up is a call of its own.

    Raises NotCarried. What cannot be read is for Anthropic to refuse.
    """
    if context_management is None:
        return
    try:
        asked = msgspec.json.decode(context_management, type=wire.ContextManagement | None)
    except msgspec.ValidationError:
        return
    for edit in (asked.edits or ()) if asked is not None else ():
        if not edit.type.startswith(wire.CLEARING):
            raise carrying.unpriced(f"{wire.CONTEXT_MANAGEMENT_FIELD}.edits")
