"""How we ask providers that speak OpenAI's Responses."""

from collections.abc import Mapping

import msgspec

from ainfera_server.conversation import Reply, Request
from ainfera_server.dialects import carrying
from ainfera_server.dialects.openai_responses import (
    failure_reader,
    relaying,
    reply_reader,
    request_writer,
    stream_reader,
    wire,
)
from ainfera_server.dialects.sides import Quirks, StreamDecoder
from ainfera_server.errors import ProviderFailed
from ainfera_server.sse import Event

PATH: str = "/responses"


def headers(*, api_key: str) -> Mapping[str, str]:
    """The credential; a server of one's own may want none."""
    return {"authorization": f"Bearer {api_key}"} if api_key else {}


def encode_request(
    request: Request,
    *,
    model: str,
    max_tokens: int,
    quirks: Quirks,  # noqa: ARG001 (one vendor speaks this dialect, and reads it as written)
) -> bytes:
    """Write a request. Raises NotCarried: nothing here stops an answer at a word.

    `seed` and `top_k`, which only ever steer the dice, stay behind. Answers are not stored at
    the vendor: what the next turn needs travels with it.
    """
    carrying.refuse_lost_parts(request)
    if request.stop:
        raise carrying.not_carried("Leave it out.", "stop")
    tools = request_writer.tools(request)
    return msgspec.json.encode(
        wire.ResponseRequest(
            model=model,
            input=request_writer.items(request.messages),
            store=False,
            max_output_tokens=max_tokens,
            tools=tools,
            tool_choice=request_writer.tool_choice(request),
            parallel_tool_calls=request.parallel_tool_calls if tools else None,
            temperature=request.temperature,
            top_p=request.top_p,
            text=request_writer.text_config(request.response_format),
            stream=True if request.stream else None,
        )
    )


def adapt_request(
    request: Request,
    *,
    model: str,
    max_tokens: int,
    quirks: Quirks,  # noqa: ARG001 (one vendor speaks this dialect, and reads it as written)
) -> bytes:
    """Rewrite a request in this dialect. Raises NotCarried for what has no listed price."""
    return relaying.adapted(request, model=model, max_tokens=max_tokens)


def decode_reply(body: bytes) -> Reply:
    """Read a whole answer. Raises ProviderFailed when it is not one."""
    return reply_reader.reply(body)


def stream_decoder() -> StreamDecoder:
    """Begin to read a streamed answer."""
    return stream_reader.Decoder()


def relayed(event: Event, request: Request) -> bytes:  # noqa: ARG001 (others look at it)
    """The event as it came."""
    return event.raw


def decode_failure(*, status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailed:
    """Read an answer with an error status."""
    return failure_reader.failure(status=status, headers=headers, body=body)
