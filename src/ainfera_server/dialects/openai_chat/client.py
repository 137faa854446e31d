"""How we ask providers that speak OpenAI's chat completions."""

import re
from collections.abc import Mapping

import msgspec
from msgspec import Raw

from ainfera_server.conversation import Reply, Request
from ainfera_server.dialects import carrying, wishes
from ainfera_server.dialects.openai_chat import (
    failure_reader,
    reply_reader,
    request_writer,
    stream_reader,
    wire,
)
from ainfera_server.dialects.sides import Quirks, StreamDecoder
from ainfera_server.errors import ProviderFailed
from ainfera_server.sse import Event

PATH: str = "/chat/completions"

_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')


def headers(*, api_key: str) -> Mapping[str, str]:
    """The credential; a server of one's own may want none."""
    return {"authorization": f"Bearer {api_key}"} if api_key else {}


def encode_request(request: Request, *, model: str, max_tokens: int, quirks: Quirks) -> bytes:
    """Write a request that came in another dialect. Raises NotCarried.

    `top_k` stays behind: OpenAI refuses a field that it does not know.
    """
    carrying.refuse_lost_parts(request)
    tools = request_writer.tools(request)
    asked_format = request.response_format
    takes_completion_limit = quirks.max_tokens_field == "max_completion_tokens"
    asks_for_usage = request.stream and quirks.takes_stream_options
    return msgspec.json.encode(
        wire.WrittenRequest(
            model=model,
            messages=request_writer.messages(request.messages),
            tools=tools,
            tool_choice=request_writer.tool_choice(request),
            parallel_tool_calls=request.parallel_tool_calls if tools else None,
            max_tokens=None if takes_completion_limit else max_tokens,
            max_completion_tokens=max_tokens if takes_completion_limit else None,
            temperature=request.temperature,
            top_p=request.top_p,
            stop=request.stop or None,
            seed=request.seed,
            response_format=Raw(asked_format) if asked_format is not None else wire.NOTHING,
            stream=True if request.stream else None,
            stream_options=wire.StreamOptions(include_usage=True) if asks_for_usage else None,
        )
    )


def adapt_request(request: Request, *, model: str, max_tokens: int, quirks: Quirks) -> bytes:
    """Rewrite a request in this dialect; every value that we do not set keeps its bytes.

    A limit that the caller gave keeps its value and comes under the name that this provider
    reads: a limit that is overlooked would let the answer cost more than was set aside for it.
    """
    fields = msgspec.json.decode(request.body, type=dict[str, Raw])
    carrying.refuse_unpriced(fields, wire.PRICED_AS_LISTED)
    for name in wishes.FIELDS:
        fields.pop(name, None)
    fields[wire.MODEL_FIELD] = Raw(msgspec.json.encode(model))
    limits = [fields.pop(name, wire.NOTHING) for name in wire.LIMIT_FIELDS]
    given = [one for one in limits if bytes(one) not in {b"", b"null"}]
    fields[quirks.max_tokens_field] = given[0] if given else Raw(msgspec.json.encode(max_tokens))
    if request.stream:
        _ask_for_usage(fields, quirks)
    return msgspec.json.encode(fields)


def decode_reply(body: bytes) -> Reply:
    """Read a whole answer. Raises ProviderFailed when it is not one."""
    return reply_reader.reply(body)


def stream_decoder() -> StreamDecoder:
    """Begin to read a streamed answer."""
    return stream_reader.Decoder()


def relayed(event: Event, request: Request) -> bytes:
    """The event as it came; nothing for the count of tokens that only we asked for."""
    if request.stream_includes_usage or _NO_CHOICES.search(event.data) is None:
        return event.raw
    return b"" if reply_reader.is_usage_alone(reply_reader.answer(event.data)) else event.raw


def decode_failure(*, status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailed:
    """Read an answer with an error status."""
    return failure_reader.failure(status=status, headers=headers, body=body)


def _ask_for_usage(fields: dict[str, Raw], quirks: Quirks) -> None:
    """A streamed answer counts its tokens only when asked."""
    name = wire.STREAM_OPTIONS_FIELD
    given = bytes(fields.pop(name, wire.NOTHING))
    if not quirks.takes_stream_options:
        return
    options: dict[str, Raw] = {}
    if given not in {b"", b"null"}:
        options = msgspec.json.decode(given, type=dict[str, Raw])
    options[wire.INCLUDE_USAGE_FIELD] = Raw(b"true")
    fields[name] = Raw(msgspec.json.encode(options))
