"""A request as our callers write it, read into a conversation."""

import re
from collections.abc import Mapping

from msgspec import Raw

from ainfera_server.conversation import (
    Dialect,
    Image,
    Json,
    JsonText,
    Message,
    Part,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Wishes,
)
from ainfera_server.dialects.openai_chat import strict_json, wire
from ainfera_server.errors import Invalid

MODEL_CHARACTERS_MAX = 200
TOKENS_MAX = 2**31 - 1
"""More than any model writes, and small enough to be multiplied by a price."""

SEED_MAX = 2**63 - 1
NO_PARAMETERS = JsonText(b'{"type":"object","properties":{}}')
"""A tool that says nothing about its parameters takes none."""

_DATA_URL = re.compile(r"data:(?P<media_type>[\w.+-]+/[\w.+-]+);base64,(?P<data>.*)", re.DOTALL)


def request(body: bytes, *, dialect: Dialect) -> Request:
    """Read a request. Raises Malformed or Invalid, which name the place in `param`.

    The native API asks in the same form, so `dialect` says whose request it is.
    """
    found = strict_json.fields(body)
    asked = strict_json.read(body, wire.ChatRequest)
    _check_limits(asked)
    not_understood = [name for name in found if name not in wire.UNDERSTOOD]
    if isinstance(asked.tool_choice, wire.AllowedToolChoice):
        not_understood.append("tool_choice.allowed_tools")
    includes_usage = asked.stream_options is not None and asked.stream_options.include_usage
    return Request(
        dialect=dialect,
        body=body,
        model=asked.model,
        messages=tuple(_message(one, f"messages.{at}") for at, one in enumerate(asked.messages)),
        tools=tuple(_tool(one.function, at) for at, one in enumerate(asked.tools or ())),
        tool_choice=_tool_choice(asked.tool_choice),
        parallel_tool_calls=asked.parallel_tool_calls,
        max_tokens=_max_tokens(asked),
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
        stop=(asked.stop,) if isinstance(asked.stop, str) else asked.stop or (),
        seed=asked.seed,
        response_format=_response_format(asked.response_format),
        stream=asked.stream or False,
        stream_includes_usage=includes_usage or False,
        wishes=_wishes(asked),
        fields_not_understood=tuple(not_understood),
    )


def _check_limits(asked: wire.ChatRequest) -> None:
    if not asked.model.strip() or not asked.model.isprintable():
        raise Invalid("`model` names a model; it may not be empty.", param="model")
    if len(asked.model) > MODEL_CHARACTERS_MAX:
        raise Invalid(f"`model` has more than {MODEL_CHARACTERS_MAX} characters.", param="model")
    if not asked.messages:
        raise Invalid("`messages` holds at least one message.", param="messages")
    if asked.n is not None and asked.n != 1:
        raise Invalid("`n` can only be 1: one call gives one answer. Call again.", param="n")
    if asked.temperature is not None and asked.temperature < 0:
        raise Invalid("`temperature` may not be below 0.", param="temperature")
    if asked.top_p is not None and not 0 <= asked.top_p <= 1:
        raise Invalid("`top_p` lies between 0 and 1.", param="top_p")
    if asked.top_k is not None and not 0 <= asked.top_k <= TOKENS_MAX:
        raise Invalid("`top_k` may not be below 0.", param="top_k")
    if asked.seed is not None and abs(asked.seed) > SEED_MAX:
        raise Invalid("`seed` has to fit into 64 bits.", param="seed")


def _max_tokens(asked: wire.ChatRequest) -> int | None:
    given = {
        "max_tokens": asked.max_tokens,
        "max_completion_tokens": asked.max_completion_tokens,
    }
    limits = {name: limit for name, limit in given.items() if limit is not None}
    for name, limit in limits.items():
        if not 1 <= limit <= TOKENS_MAX:
            raise Invalid(f"`{name}` lies between 1 and {TOKENS_MAX}.", param=name)
    if len(set(limits.values())) > 1:
        raise Invalid(
            "`max_tokens` and `max_completion_tokens` differ; give only one of them.",
            param="max_tokens",
        )
    return next(iter(limits.values()), None)


def _message(said: wire.Message, place: str) -> Message:
    match said:
        case wire.SystemMessage() | wire.DeveloperMessage():
            return Message(role="system", parts=_parts(said.content, place))
        case wire.UserMessage():
            return Message(role="user", parts=_parts(said.content, place))
        case wire.AssistantMessage():
            return Message(role="assistant", parts=_assistant_parts(said))
        case wire.ToolMessage():
            parts = _parts(said.content, place)
            return Message(role="tool", parts=(ToolResult(call_id=said.tool_call_id, parts=parts),))


def _parts(
    content: str | tuple[wire.TextPart | wire.ImagePart, ...], place: str
) -> tuple[Text | Image, ...]:
    if isinstance(content, str):
        return (Text(text=content),) if content else ()
    return tuple(_part(one, f"{place}.content.{at}") for at, one in enumerate(content))


def _part(said: wire.TextPart | wire.ImagePart, place: str) -> Text | Image:
    match said:
        case wire.TextPart(text=text):
            return Text(text=text)
        case wire.ImagePart(image_url=wire.ImageUrl(url=url)):
            return _image(url, f"{place}.image_url.url")


def _image(url: str, place: str) -> Image:
    """A picture, by content or by an address that the provider (never we) will fetch."""
    content = _DATA_URL.fullmatch(url)
    if content is not None:
        return Image(media_type=content["media_type"], data=content["data"])
    if not url.lower().startswith(("https://", "http://")):
        raise Invalid(f"`{place}` is an http(s) address or `data:<type>;base64,…`.", param=place)
    return Image(url=url)


def _assistant_parts(said: wire.AssistantMessage) -> tuple[Part, ...]:
    parts: list[Part] = []
    if isinstance(said.content, str):
        parts.extend([Text(text=said.content)] if said.content else [])
    else:
        parts.extend(
            Text(text=one.text if isinstance(one, wire.TextPart) else one.refusal)
            for one in said.content or ()
        )
    if said.refusal:
        parts.append(Text(text=said.refusal))
    parts.extend(
        ToolCall(call_id=one.id, name=one.function.name, arguments=one.function.arguments)
        for one in said.tool_calls or ()
    )
    return tuple(parts)


def _tool(said: wire.Function, position: int) -> Tool:
    place = f"tools.{position}.function"
    parameters = bytes(said.parameters)
    if not said.name:
        raise Invalid(f"`{place}.name` may not be empty.", param=f"{place}.name")
    if parameters in {b"", b"null"}:
        parameters = NO_PARAMETERS
    if not parameters.startswith(b"{"):
        raise Invalid(
            f"`{place}.parameters` is a JSON Schema, an object.", param=f"{place}.parameters"
        )
    return Tool(name=said.name, description=said.description, parameters=JsonText(parameters))


def _tool_choice(said: wire.ToolChoice | None) -> ToolChoice | None:
    match said:
        case None:
            return None
        case wire.NamedTool(function=wire.FunctionName(name=name)):
            return ToolChoice(mode="named", name=name)
        case wire.AllowedToolChoice(allowed_tools=wire.AllowedTools(mode=mode)):
            return ToolChoice(mode=mode)
        case "auto" | "none" | "required":
            return ToolChoice(mode=said)


def _response_format(raw: Raw) -> JsonText | None:
    text = bytes(raw)
    if text in {b"", b"null"}:
        return None
    if not text.startswith(b"{"):
        raise Invalid("`response_format` is an object with a `type`.", param="response_format")
    return JsonText(text)


def _wishes(asked: wire.ChatRequest) -> Wishes:
    return Wishes(
        agent_id=_wished_text(asked.agent_id, "agent_id"),
        task_type=_wished_text(asked.task_type, "task_type"),
        hint=_wished_object(asked.routing_hint, "routing_hint"),
        caps=_wished_object(asked.caps, "caps"),
    )


def _wished_text(raw: Raw, name: str) -> str | None:
    value = _value(raw)
    if value is not None and not (isinstance(value, str) and value.isprintable()):
        raise Invalid(f"`{name}` is a text.", param=name)
    return value


def _wished_object(raw: Raw, name: str) -> Mapping[str, Json]:
    value = _value(raw)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid(f"`{name}` is an object.", param=name)
    if b"\\u0000" in bytes(raw):
        # What is wished is stored with the decision, and PostgreSQL's JSON has no such character.
        raise Invalid(f"`{name}` may not hold the character U+0000.", param=name)
    return value


def _value(raw: Raw) -> Json:
    text = bytes(raw)
    return strict_json.value(text) if text else None
