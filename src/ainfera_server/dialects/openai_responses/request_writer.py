"""A conversation, written as a request that the Responses API understands."""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw

from ainfera_server.conversation import (
    Image,
    JsonText,
    Message,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from ainfera_server.dialects import carrying
from ainfera_server.dialects.openai_responses import reasoning, wire


def items(messages: Iterable[Message]) -> tuple[wire.InputItem, ...]:
    """The conversation as items: words, calls, results and reasoning each stand alone."""
    return tuple(
        item
        for position, message in enumerate(messages)
        for item in _items(message, f"messages.{position}")
    )


def tools(request: Request) -> tuple[wire.FunctionTool, ...] | None:
    """The tools, or None."""
    written = tuple(
        wire.FunctionTool(
            name=one.name,
            description=one.description,
            parameters=Raw(one.parameters),
            strict=False,
        )
        for one in request.tools
    )
    return written or None


def tool_choice(request: Request) -> wire.ToolChoice | None:
    """How free the model is; nothing without tools, because that is refused."""
    if not request.tools:
        return None
    match request.tool_choice:
        case None:
            return None
        case ToolChoice(mode="named", name=name):
            assert name is not None, "a choice of mode named has a name"
            return wire.NamedTool(name=name)
        case ToolChoice(mode="auto" | "none" | "required" as mode):
            return mode
        case _:
            raise AssertionError("a tool choice has one of four modes")


def text_config(response_format: JsonText | None) -> wire.TextConfig | None:
    """The response format, which chat completions nest one level deeper. Raises NotCarried."""
    if response_format is None:
        return None
    try:
        asked = msgspec.json.decode(response_format, type=wire.ChatFormat)
    except msgspec.ValidationError as error:
        raise carrying.not_carried(f"{error}.", "response_format") from None
    schema = asked.json_schema
    if schema is None:
        return wire.TextConfig(format=wire.TextFormat(type=asked.type))
    return wire.TextConfig(
        format=wire.TextFormat(
            type=asked.type,
            name=schema.name,
            schema=schema.schema,
            description=schema.description,
            strict=schema.strict,
        )
    )


def _items(message: Message, place: str) -> Iterator[wire.InputItem]:
    """One message as items, in the order of its parts but for results, which come first."""
    results = [one for one in message.parts if isinstance(one, ToolResult)]
    if results and message.role not in {"user", "tool"}:
        raise carrying.not_carried("Only the caller's messages hold what tools answered.", place)
    for result in results:
        yield wire.FunctionCallOutput(call_id=result.call_id, output=_output(result))
    match message.role:
        case "assistant":
            for part in message.parts:
                yield from _said(part, place)
        case "system" | "user" | "tool" as role:
            parts = tuple(_asked(message, place))
            if parts or not results:
                yield wire.InputMessage(
                    role="system" if role == "system" else "user", content=parts
                )


def _said(
    part: Text | Image | ToolCall | ToolResult | Thinking, place: str
) -> Iterator[wire.InputItem]:
    """What the model said; reasoning comes back only to the maker that wrote it."""
    match part:
        case Text(text=text):
            yield wire.InputMessage(role="assistant", content=text)
        case ToolCall(call_id=call_id, name=name, arguments=arguments):
            yield wire.FunctionCall(call_id=call_id, name=name, arguments=arguments)
        case Thinking():
            ours = reasoning.item(part)
            if ours is not None:
                yield ours
        case Image() | ToolResult():
            raise carrying.not_carried("An assistant's message takes text and tool calls.", place)


def _asked(message: Message, place: str) -> Iterator[wire.InputPart]:
    for part in message.parts:
        match part:
            case Text() | Image():
                yield _part(part)
            case ToolResult():
                pass
            case ToolCall() | Thinking():
                raise carrying.not_carried(
                    "Only an assistant's message calls tools or reasons.", place
                )


def _output(result: ToolResult) -> str | tuple[wire.InputPart, ...]:
    """What a tool answered; that it was an error is left to its words, there is no field."""
    match result.parts:
        case ():
            return ""
        case (Text(text=text),):
            return text
        case parts:
            return tuple(_part(one) for one in parts)


def _part(part: Text | Image) -> wire.InputPart:
    match part:
        case Text(text=text):
            return wire.InputText(text=text)
        case Image(url=str(url)):
            return wire.InputImage(image_url=url, detail="auto")
        case Image(media_type=media_type, data=data):
            return wire.InputImage(image_url=f"data:{media_type};base64,{data}", detail="auto")
