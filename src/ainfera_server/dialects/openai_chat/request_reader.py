"""A request as our callers write it, read into a conversation."""

from collections.abc import Iterator

from msgspec import Raw

from ainfera_server.conversation import Dialect, JsonText, Request, Tool, ToolChoice
from ainfera_server.dialects import ranges, strict_json, wishes
from ainfera_server.dialects.carrying import LeftBehind
from ainfera_server.dialects.openai_chat import message_reader, wire
from ainfera_server.errors import Invalid, Malformed

SEED_MAX = 2**63 - 1
NO_PARAMETERS = JsonText(b'{"type":"object","properties":{}}')
"""A tool that says nothing about its parameters takes none."""


def request(body: bytes, *, dialect: Dialect) -> Request:
    """Read a request. Raises Malformed or Invalid, which name the place in `param`.

    The native API asks in the same form, so `dialect` says whose request it is.
    """
    found = strict_json.fields(body)
    asked = strict_json.read(body, wire.ChatRequest)
    _check_limits(asked)
    left = LeftBehind()
    for name in found:
        if name not in wire.UNDERSTOOD:
            left.note_field(name)
    includes_usage = asked.stream_options is not None and asked.stream_options.include_usage
    messages = tuple(message_reader.messages(asked.messages, left))
    tools = tuple(_tools(asked.tools or (), left))
    tool_choice = _tool_choice(asked.tool_choice, left)
    return Request(
        dialect=dialect,
        body=body,
        model=asked.model,
        messages=messages,
        tools=tools,
        tool_choice=tool_choice,
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
        wishes=wishes.read(
            agent_id=asked.agent_id,
            task_type=asked.task_type,
            routing_hint=asked.routing_hint,
            caps=asked.caps,
        ),
        fields_not_understood=left.fields,
        parts_not_understood=left.parts,
    )


def _check_limits(asked: wire.ChatRequest) -> None:
    ranges.check_model(asked.model)
    ranges.check_messages(asked.messages)
    if asked.n is not None and asked.n != 1:
        raise Invalid("`n` can only be 1: one call gives one answer. Call again.", param="n")
    ranges.check_sampling(temperature=asked.temperature, top_p=asked.top_p, top_k=asked.top_k)
    if asked.seed is not None and abs(asked.seed) > SEED_MAX:
        raise Invalid("`seed` has to fit into 64 bits.", param="seed")


def _max_tokens(asked: wire.ChatRequest) -> int | None:
    ranges.check_limit("max_tokens", asked.max_tokens)
    ranges.check_limit("max_completion_tokens", asked.max_completion_tokens)
    limits = {asked.max_tokens, asked.max_completion_tokens} - {None}
    if len(limits) > 1:
        raise Invalid(
            "`max_tokens` and `max_completion_tokens` differ; give only one of them.",
            param="max_tokens",
        )
    return next(iter(limits), None)


def _tools(said: tuple[Raw, ...], left: LeftBehind) -> Iterator[Tool]:
    """The functions. A custom tool is the caller's own too, so it is not left out.

    All others are run by a provider, which charges for them apart. Raises Invalid for those.
    """
    for position, raw in enumerate(said):
        place = f"tools.{position}"
        match strict_json.read(raw, wire.FunctionOrNot, place=place).type:
            case "function":
                tool = strict_json.read(raw, wire.Tool, place=place)
                yield _tool(tool.function, f"{place}.function")
            case wire.CUSTOM_TOOL:
                left.note_part(place)
            case kind:
                raise Invalid(
                    f"`{place}` is a tool of a provider's own, {kind!r}, and what its use may cost"
                    " is not in this server's price book. Leave it out.",
                    param=f"{place}.type",
                )


def _tool(said: wire.Function, place: str) -> Tool:
    parameters = bytes(said.parameters)
    if not said.name:
        raise Invalid(f"`{place}.name` may not be empty.", param=f"{place}.name")
    if parameters in {b"", b"null"}:
        parameters = NO_PARAMETERS
    if not parameters.startswith(b"{"):
        place = f"{place}.parameters"
        raise Invalid(f"`{place}` is a JSON Schema, an object.", param=place)
    return Tool(name=said.name, description=said.description, parameters=JsonText(parameters))


def _tool_choice(said: Raw, left: LeftBehind) -> ToolChoice | None:
    text, place = bytes(said), "tool_choice"
    if text in {b"", b"null"}:
        return None
    if not text.startswith(b"{"):
        return ToolChoice(mode=_mode(strict_json.read(said, str, place=place)))
    match strict_json.read(said, wire.FunctionOrNot, place=place).type:
        case "function":
            named = strict_json.read(said, wire.NamedTool, place=place)
            return ToolChoice(mode="named", name=named.function.name)
        case "allowed_tools":
            among = strict_json.read(said, wire.AllowedToolChoice, place=place)
            left.note_field("tool_choice.allowed_tools")
            return ToolChoice(mode=among.allowed_tools.mode)
        case _:
            left.note_part(place)
            return None


def _mode(word: str) -> wire.ToolMode:
    match word:
        case "auto" | "none" | "required":
            return word
        case _:
            sentence = "`tool_choice` is `auto`, `none`, `required` or names a tool."
            raise Malformed(sentence, param="tool_choice")


def _response_format(raw: Raw) -> JsonText | None:
    text = bytes(raw)
    if text in {b"", b"null"}:
        return None
    if not text.startswith(b"{"):
        raise Invalid("`response_format` is an object with a `type`.", param="response_format")
    return JsonText(text)
