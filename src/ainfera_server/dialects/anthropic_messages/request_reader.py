"""A request as our callers write it, read into a conversation."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec import Raw

from ainfera_server.conversation import (
    Json,
    JsonText,
    Message,
    Part,
    Request,
    Tool,
    ToolChoice,
    ToolResult,
    Wishes,
)
from ainfera_server.dialects.anthropic_messages import block_reader, strict_json, wire
from ainfera_server.dialects.anthropic_messages.block_reader import LeftBehind
from ainfera_server.errors import Invalid

MODEL_CHARACTERS_MAX = 200
TOKENS_MAX = 2**31 - 1
"""More than any model writes, and small enough to be multiplied by a price."""


def request(body: bytes) -> Request:
    """Read a request. Raises Malformed or Invalid, which name the place in `param`.

    What Anthropic alone understands is no mistake, for it travels in the body. It is named in
    `fields_not_understood`: fields by name, blocks that a translation would miss by their place
    with the type in brackets, `messages.3.content.0 (document)`.
    """
    fields = strict_json.fields(body)
    asked = strict_json.read(body, wire.MessagesRequest)
    _check_limits(asked)
    left = LeftBehind()
    system = _system(asked.system, left)
    said = [one for at, each in enumerate(asked.messages) for one in _messages(each, at, left)]
    tools = tuple(_tools(asked.tools or (), left))
    response_format = _response_format(fields, left)
    return Request(
        dialect="anthropic_messages",
        body=body,
        model=asked.model,
        messages=(*system, *said),
        tools=tools,
        tool_choice=_tool_choice(asked.tool_choice),
        parallel_tool_calls=_parallel_tool_calls(asked.tool_choice),
        max_tokens=asked.max_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
        stop=asked.stop_sequences or (),
        response_format=response_format,
        stream=asked.stream or False,
        wishes=_wishes(asked),
        fields_not_understood=(*_unknown_fields(fields), *left.names),
    )


def _check_limits(asked: wire.MessagesRequest) -> None:
    if not asked.model.strip() or not asked.model.isprintable():
        raise Invalid("`model` names a model; it may not be empty.", param="model")
    if len(asked.model) > MODEL_CHARACTERS_MAX:
        raise Invalid(f"`model` has more than {MODEL_CHARACTERS_MAX} characters.", param="model")
    if not asked.messages:
        raise Invalid("`messages` holds at least one message.", param="messages")
    if asked.max_tokens is not None and not 1 <= asked.max_tokens <= TOKENS_MAX:
        raise Invalid(f"`max_tokens` lies between 1 and {TOKENS_MAX}.", param="max_tokens")
    if asked.temperature is not None and asked.temperature < 0:
        raise Invalid("`temperature` may not be below 0.", param="temperature")
    if asked.top_p is not None and not 0 <= asked.top_p <= 1:
        raise Invalid("`top_p` lies between 0 and 1.", param="top_p")
    if asked.top_k is not None and not 0 <= asked.top_k <= TOKENS_MAX:
        raise Invalid("`top_k` may not be below 0.", param="top_k")


def _unknown_fields(fields: Mapping[str, Raw]) -> Iterator[str]:
    for name in fields:
        if name not in wire.UNDERSTOOD and name != wire.OUTPUT_CONFIG_FIELD:
            yield name


def _system(said: str | tuple[Raw, ...] | None, left: LeftBehind) -> tuple[Message, ...]:
    parts = block_reader.parts(said or "", "system", left)
    return (Message(role="system", parts=parts),) if parts else ()


def _messages(said: wire.Message, position: int, left: LeftBehind) -> Iterable[Message]:
    """One message, or several: what tools answered is a message of role tool for each answer."""
    parts = block_reader.parts(said.content, f"messages.{position}.content", left)
    if said.role == "user" and any(isinstance(part, ToolResult) for part in parts):
        return _split_by_speaker(parts)
    return (Message(role=said.role, parts=parts),)


def _split_by_speaker(parts: tuple[Part, ...]) -> Iterator[Message]:
    asked: list[Part] = []
    for part in parts:
        if not isinstance(part, ToolResult):
            asked.append(part)
            continue
        if asked:
            yield Message(role="user", parts=tuple(asked))
            asked = []
        yield Message(role="tool", parts=(part,))
    if asked:
        yield Message(role="user", parts=tuple(asked))


def _tools(said: tuple[Raw, ...], left: LeftBehind) -> Iterator[Tool]:
    """The caller's own tools; those that Anthropic runs stay in the body."""
    for position, raw in enumerate(said):
        place = f"tools.{position}"
        kind = strict_json.read(raw, wire.ToolKind, place=place).type
        if kind not in {None, "custom"}:
            left.note(f"tools.{kind}")
            continue
        tool = strict_json.read(raw, wire.Tool, place=place)
        if not tool.name:
            raise Invalid(f"`{place}.name` may not be empty.", param=f"{place}.name")
        schema = bytes(tool.input_schema)
        if not schema.startswith(b"{"):
            place = f"{place}.input_schema"
            raise Invalid(f"`{place}` is a JSON Schema, an object.", param=place)
        left.note_fields(raw, known=wire.TOOL_FIELDS, owner="tools")
        yield Tool(name=tool.name, description=tool.description, parameters=JsonText(schema))


def _tool_choice(said: wire.ToolChoice | None) -> ToolChoice | None:
    if said is None:
        return None
    match said.type:
        case "auto" | "none":
            return ToolChoice(mode=said.type)
        case "any":
            return ToolChoice(mode="required")
        case "tool":
            if not said.name:
                raise Invalid("`tool_choice.name` names the tool.", param="tool_choice.name")
            return ToolChoice(mode="named", name=said.name)


def _parallel_tool_calls(said: wire.ToolChoice | None) -> bool | None:
    if said is None or said.disable_parallel_tool_use is None:
        return None
    return not said.disable_parallel_tool_use


def _response_format(fields: Mapping[str, Raw], left: LeftBehind) -> JsonText | None:
    """A schema for the answer is carried; anything else in its field is for Anthropic to read."""
    raw = fields.get(wire.OUTPUT_CONFIG_FIELD)
    if raw is None:
        return None
    try:
        config = msgspec.json.decode(raw, type=wire.OutputConfig)
        names = msgspec.json.decode(raw, type=dict[str, Raw])
    except msgspec.ValidationError:
        left.note(wire.OUTPUT_CONFIG_FIELD)
        return None
    if len(names) > 1:
        left.note(wire.OUTPUT_CONFIG_FIELD)
    schema = wire.NamedSchema(schema=config.format.schema)
    asked = wire.ResponseFormat(type="json_schema", json_schema=schema)
    return JsonText(msgspec.json.encode(asked))


def _wishes(asked: wire.MessagesRequest) -> Wishes:
    return Wishes(
        agent_id=_wished_text(asked.agent_id, "agent_id"),
        task_type=_wished_text(asked.task_type, "task_type"),
        hint=_wished_object(asked.routing_hint, "routing_hint"),
        caps=_wished_object(asked.caps, "caps"),
    )


def _wished_text(raw: Raw, name: str) -> str | None:
    value = strict_json.value(raw)
    if value is not None and not (isinstance(value, str) and value.isprintable()):
        raise Invalid(f"`{name}` is a text.", param=name)
    return value


def _wished_object(raw: Raw, name: str) -> Mapping[str, Json]:
    value = strict_json.value(raw)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid(f"`{name}` is an object.", param=name)
    if b"\\u0000" in bytes(raw):
        # What is wished is stored with the decision, and PostgreSQL's JSON has no such character.
        raise Invalid(f"`{name}` may not hold the character U+0000.", param=name)
    return value
