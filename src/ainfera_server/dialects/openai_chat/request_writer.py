"""A conversation, written as a request that chat completions understand."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Raw

from ainfera_server.conversation import (
    Image,
    Message,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from ainfera_server.dialects import carrying
from ainfera_server.dialects.openai_chat import wire

IMAGE_FOLLOWS = "The tool answered with an image; it follows."


def messages(said: Iterable[Message]) -> tuple[wire.Message, ...]:
    """The messages in OpenAI's order. Raises NotCarried.

    A message of role tool takes text alone and has to follow the call at once, so the images
    that tools answered with wait for the last result and come as the user's.
    """
    written: list[wire.Message] = []
    waiting: list[Image] = []
    for position, message in enumerate(said):
        place = f"messages.{position}"
        results = [one for one in message.parts if isinstance(one, ToolResult)]
        is_only_results = bool(results) and len(results) == len(message.parts)
        if message.role in {"system", "assistant"} and waiting:
            written.append(_user(waiting))
            waiting = []
        match message.role:
            case "system":
                written.append(_system(message, place))
            case "assistant":
                written.append(_assistant(message, place))
            case "user" | "tool":
                written.extend(_result(one) for one in results)
                waiting += [one for result in results for one in _images(result)]
                if not is_only_results:
                    written.append(_user([*waiting, *_asked(message, place)]))
                    waiting = []
    if waiting:
        written.append(_user(waiting))
    return tuple(written)


def tools(request: Request) -> tuple[wire.Tool, ...] | None:
    """The tools; None when there are none, because an empty list is refused."""
    return tuple(_tool(one) for one in request.tools) or None


def tool_choice(request: Request) -> wire.ToolMode | wire.NamedTool | None:
    """How free the model is; nothing without tools, because that is refused too."""
    if not request.tools:
        return None
    match request.tool_choice:
        case None:
            return None
        case ToolChoice(mode="named", name=name):
            assert name is not None, "a choice of mode named has a name"
            return wire.NamedTool(function=wire.FunctionName(name=name))
        case ToolChoice(mode="auto" | "none" | "required" as mode):
            return mode
        case _:
            raise AssertionError("a tool choice has one of four modes")


def _system(message: Message, place: str) -> wire.SystemMessage:
    texts = [one for one in message.parts if isinstance(one, Text)]
    if len(texts) != len(message.parts):
        raise carrying.not_carried("A system message takes text alone.", place)
    return wire.SystemMessage(content=_texts(texts))


def _assistant(message: Message, place: str) -> wire.AssistantMessage:
    """What the model said; its reasoning stays behind, for only its own maker can read it."""
    texts: list[Text] = []
    calls: list[wire.ToolCall] = []
    for part in message.parts:
        match part:
            case Text():
                texts.append(part)
            case ToolCall():
                calls.append(tool_call(part))
            case Thinking():
                pass
            case Image() | ToolResult():
                raise carrying.not_carried(
                    "An assistant's message takes text and tool calls.", place
                )
    if calls and not texts:
        return wire.AssistantMessage(tool_calls=tuple(calls))
    return wire.AssistantMessage(content=_texts(texts), tool_calls=tuple(calls) or None)


def tool_call(part: ToolCall) -> wire.ToolCall:
    """A whole tool call, as a request repeats it and a reply gives it."""
    called = wire.FunctionCall(name=part.name, arguments=part.arguments)
    return wire.ToolCall(id=part.call_id, function=called)


def _asked(message: Message, place: str) -> Iterator[Text | Image]:
    for part in message.parts:
        match part:
            case Text() | Image():
                yield part
            case ToolResult():
                pass
            case ToolCall() | Thinking():
                raise carrying.not_carried("A user's message takes text and images.", place)


def _user(parts: Sequence[Text | Image]) -> wire.UserMessage:
    texts = [one for one in parts if isinstance(one, Text)]
    if len(texts) == len(parts) and len(texts) <= 1:
        return wire.UserMessage(content=texts[0].text if texts else "")
    return wire.UserMessage(content=tuple(_part(one) for one in parts))


def _part(part: Text | Image) -> wire.TextPart | wire.ImagePart:
    match part:
        case Text(text=text):
            return wire.TextPart(text=text)
        case Image(url=str(url)):
            return wire.ImagePart(image_url=wire.ImageUrl(url=url))
        case Image(media_type=media_type, data=data):
            url = f"data:{media_type};base64,{data}"
            return wire.ImagePart(image_url=wire.ImageUrl(url=url))


def _result(result: ToolResult) -> wire.ToolMessage:
    """What a tool answered; that it was an error is left to its words, there is no field."""
    texts = [one for one in result.parts if isinstance(one, Text)]
    if not texts and result.parts:
        return wire.ToolMessage(tool_call_id=result.call_id, content=IMAGE_FOLLOWS)
    return wire.ToolMessage(tool_call_id=result.call_id, content=_texts(texts))


def _images(result: ToolResult) -> Iterator[Image]:
    return (one for one in result.parts if isinstance(one, Image))


def _texts(texts: list[Text]) -> str | tuple[wire.TextPart, ...]:
    if len(texts) <= 1:
        return texts[0].text if texts else ""
    return tuple(wire.TextPart(text=one.text) for one in texts)


def _tool(tool: Tool) -> wire.Tool:
    function = wire.Function(
        name=tool.name, description=tool.description, parameters=Raw(tool.parameters)
    )
    return wire.Tool(function=function)
