"""A request as our callers write it, read into a conversation."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import msgspec
from msgspec import Raw

from ainfera_server.conversation import (
    JsonText,
    Message,
    Part,
    Request,
    Tool,
    ToolChoice,
    ToolResult,
)
from ainfera_server.dialects import ranges, strict_json, wishes
from ainfera_server.dialects.anthropic_messages import asked_wire, block_reader, vendor_tools, wire
from ainfera_server.dialects.anthropic_messages.block_reader import Noted
from ainfera_server.dialects.anthropic_messages.tool_changes import ToolChanges
from ainfera_server.dialects.carrying import LeftBehind
from ainfera_server.errors import Invalid


def request(body: bytes) -> Request:
    """Read a request. Raises Malformed or Invalid, which name the place in `param`.

    What Anthropic alone understands is no mistake, for it travels in the body. Fields of it are
    named in `fields_not_understood`, blocks by their place in `parts_not_understood`.
    """
    asked, noted, found = _read(body)
    defined = (*_placed(asked.tools or ()), *noted.tools.defined)
    return replace(found, web_searches_max=vendor_tools.web_searches_max(defined))


def unpaid_request(body: bytes) -> Request:
    """Read a request that nobody is to answer, whatever its tools may cost. Raises as `request`."""
    _, _, found = _read(body)
    return found


def _read(body: bytes) -> tuple[wire.MessagesRequest, Noted, Request]:
    fields = strict_json.fields(body)
    asked = strict_json.read(body, wire.MessagesRequest)
    _check_limits(asked)
    left = LeftBehind()
    noted = Noted(left=left, tools=ToolChanges())
    system = _system(asked.system, noted)
    said = [one for at, each in enumerate(asked.messages) for one in _messages(each, at, noted)]
    tools = tuple(_tools(asked, noted))
    for place in noted.tools.repeats(asked.tools or ()):
        left.note_part(place)
    found = Request(
        dialect="anthropic_messages",
        body=body,
        model=asked.model,
        messages=(*system, *said),
        tools=tools,
        tool_choice=_tool_choice(asked, left),
        parallel_tool_calls=_parallel_tool_calls(asked.tool_choice),
        max_tokens=asked.max_tokens,
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
        stop=asked.stop_sequences or (),
        response_format=_response_format(fields, left),
        stream=asked.stream or False,
        wishes=wishes.read(
            agent_id=asked.agent_id,
            task_type=asked.task_type,
            routing_hint=asked.routing_hint,
            caps=asked.caps,
        ),
    )
    unknown = (*_unknown_fields(fields), *left.fields)
    noted_in = replace(found, fields_not_understood=unknown, parts_not_understood=left.parts)
    return asked, noted, noted_in


def _check_limits(asked: wire.MessagesRequest) -> None:
    ranges.check_model(asked.model)
    ranges.check_messages(asked.messages)
    ranges.check_limit("max_tokens", asked.max_tokens)
    ranges.check_sampling(temperature=asked.temperature, top_p=asked.top_p, top_k=asked.top_k)


def _unknown_fields(fields: Mapping[str, Raw]) -> Iterator[str]:
    for name in fields:
        if name not in wire.UNDERSTOOD and name != wire.OUTPUT_CONFIG_FIELD:
            yield name


def _system(said: str | tuple[Raw, ...] | None, noted: Noted) -> tuple[Message, ...]:
    parts = block_reader.parts(said or "", "system", noted, inside="system")
    return (Message(role="system", parts=parts),) if parts else ()


def _messages(said: wire.Message, position: int, noted: Noted) -> Iterable[Message]:
    """One message, or several: what tools answered is a message of role tool for each answer."""
    place = f"messages.{position}.content"
    parts = block_reader.parts(said.content, place, noted, inside="messages")
    if said.role == "user" and any(isinstance(part, ToolResult) for part in parts):
        return _split_by_speaker(parts)
    if said.role == "system" and not parts:
        return ()  # It may have changed the tools and said nothing.
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


def _names_of_anthropics_tools(said: tuple[Raw, ...]) -> Iterator[str | None]:
    kinds = (msgspec.json.decode(raw, type=asked_wire.ToolKind) for raw in said)
    return (one.name for one in kinds if not one.is_the_callers)


def _placed(said: Iterable[Raw]) -> Iterator[tuple[str, Raw]]:
    return ((f"tools.{position}", raw) for position, raw in enumerate(said))


def _tools(asked: wire.MessagesRequest, noted: Noted) -> Iterator[Tool]:
    """The caller's own tools that the model has. Those that Anthropic defines stay in the body.

    One that Anthropic runs is a part: it would be another question without it.
    """
    demanded = None if asked.tool_choice is None else asked.tool_choice.name
    for place, raw in (*_placed(asked.tools or ()), *noted.tools.defined):
        kind = strict_json.read(raw, asked_wire.ToolKind, place=place)
        if vendor_tools.is_run_by_the_vendor(kind):
            noted.left.note_part(place)
        elif not kind.is_the_callers:
            noted.left.note_field(f"tools.{kind.type}")
        else:
            tool = _tool(raw, place, noted.left)
            if noted.tools.has(kind) or tool.name == demanded:
                yield tool


def _tool(raw: Raw, place: str, left: LeftBehind) -> Tool:
    tool = strict_json.read(raw, asked_wire.Tool, place=place)
    if not tool.name:
        raise Invalid(f"`{place}.name` may not be empty.", param=f"{place}.name")
    schema = bytes(tool.input_schema)
    if not schema.startswith(b"{"):
        place = f"{place}.input_schema"
        raise Invalid(f"`{place}` is a JSON Schema, an object.", param=place)
    block_reader.note_fields(raw, left, known=asked_wire.TOOL_FIELDS, owner="tools")
    return Tool(name=tool.name, description=tool.description, parameters=JsonText(schema))


def _tool_choice(asked: wire.MessagesRequest, left: LeftBehind) -> ToolChoice | None:
    """How free the model is. Whoever demands a tool that Anthropic runs demands Anthropic."""
    said = asked.tool_choice
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
            if said.name in _names_of_anthropics_tools(asked.tools or ()):
                left.note_part("tool_choice")
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
        left.note_field(wire.OUTPUT_CONFIG_FIELD)
        return None
    if len(names) > 1:
        left.note_field(wire.OUTPUT_CONFIG_FIELD)
    schema = wire.NamedSchema(schema=config.format.schema)
    asked = wire.ResponseFormat(type="json_schema", json_schema=schema)
    return JsonText(msgspec.json.encode(asked))
