"""The items of an input as callers of this dialect write them, read into messages."""

import re
from collections.abc import Iterator, Mapping

from msgspec import Raw

from ainfera_server.conversation import (
    Image,
    Message,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from ainfera_server.dialects import strict_json
from ainfera_server.dialects.carrying import LeftBehind
from ainfera_server.dialects.openai_responses import asked_wire as asked
from ainfera_server.dialects.openai_responses import reasoning, tool_names, tool_reader, wire
from ainfera_server.errors import Invalid, Malformed

ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
_DATA_URL = re.compile(r"data:(?P<media_type>[\w.+-]+/[\w.+-]+);base64,(?P<data>.*)", re.DOTALL)


def messages(said: str | tuple[Raw, ...], left: LeftBehind) -> tuple[Message, ...]:
    """The conversation. Raises Malformed or Invalid, which name the place in `param`.

    What the model said in one turn is several items here, and one message of a conversation.
    """
    if isinstance(said, str):
        return (Message(role="user", parts=(Text(text=said),)),)
    found: list[Message] = []
    for position, raw in enumerate(said):
        message = _message(raw, f"input.{position}", left)
        if message is None:
            continue
        if found and message.role == found[-1].role == "assistant":
            before = found.pop()
            message = Message(role="assistant", parts=(*before.parts, *message.parts))
        found.append(message)
    return tuple(found)


def _message(raw: Raw, place: str, left: LeftBehind) -> Message | None:
    """One item as a message; None for one without words here, which is noted."""
    match strict_json.read(raw, asked.Item, place=place).kind:
        case "message":
            return _spoken(raw, place, left)
        case "function_call":
            return _call(raw, place, left)
        case "function_call_output":
            return _result(raw, place, left)
        case "reasoning":
            item = strict_json.read(raw, wire.SaidItem, place=place)
            return Message(role="assistant", parts=(reasoning.thinking(item),))
        case "item_reference":
            raise Malformed(
                f"`{place}` names an item that a provider would have to keep, and nothing is kept"
                " between calls. Send the item itself.",
                param=place,
            )
        case "compaction_trigger":
            raise Invalid(
                f"`{place}` has the provider compact the conversation, and what that may cost is"
                " not in this server's price book. Leave it out.",
                param=place,
            )
        case "additional_tools" | "tool_search_output":
            brought = strict_json.read(raw, asked.GivenTools, place=place).tools
            tool_reader.check(brought, place=f"{place}.tools")
        case _:
            pass
    left.note_part(place)
    return None


def _spoken(raw: Raw, place: str, left: LeftBehind) -> Message | None:
    said = strict_json.read(raw, asked.GivenMessage, place=place)
    role = ROLES.get(said.role)
    if role is None:
        left.note_part(place)
        return None
    return Message(role=role, parts=tuple(_parts(said.content, f"{place}.content", left)))


def _call(raw: Raw, place: str, left: LeftBehind) -> Message | None:
    said = strict_json.read(raw, asked.GivenCall, place=place)
    if not tool_names.can_be_joined(said.namespace, said.name):
        left.note_part(place)
        return None
    name = tool_names.joined(said.namespace, said.name)
    called = ToolCall(call_id=said.call_id, name=name, arguments=said.arguments)
    return Message(role="assistant", parts=(called,))


def _result(raw: Raw, place: str, left: LeftBehind) -> Message | None:
    said = strict_json.read(raw, asked.GivenOutput, place=place)
    if said.call_id is None:
        left.note_part(place)
        return None
    parts = tuple(_parts(said.output, f"{place}.output", left))
    return Message(role="tool", parts=(ToolResult(call_id=said.call_id, parts=parts),))


def _parts(said: str | tuple[Raw, ...], place: str, left: LeftBehind) -> Iterator[Text | Image]:
    if isinstance(said, str):
        if said:
            yield Text(text=said)
        return
    for position, raw in enumerate(said):
        here = f"{place}.{position}"
        match strict_json.read(raw, asked.Typed, place=here).type:
            case "input_text" | "output_text":
                yield Text(text=strict_json.read(raw, asked.GivenText, place=here).text)
            case "refusal":
                yield Text(text=strict_json.read(raw, asked.GivenRefusal, place=here).refusal)
            case "input_image":
                url = strict_json.read(raw, asked.GivenImage, place=here).image_url
                if url is None:
                    left.note_part(here)
                else:
                    yield _image(url, f"{here}.image_url")
            case _:
                left.note_part(here)


def _image(url: str, place: str) -> Image:
    """A picture, by content or by an address that the provider (never we) will fetch."""
    content = _DATA_URL.fullmatch(url)
    if content is not None:
        return Image(media_type=content["media_type"], data=content["data"])
    if not url.lower().startswith(("https://", "http://")):
        raise Invalid(f"`{place}` is an http(s) address or `data:<type>;base64,…`.", param=place)
    return Image(url=url)
