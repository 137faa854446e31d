"""Messages as callers of this dialect write them, read into messages of a conversation."""

import re
from collections.abc import Iterator, Mapping

from msgspec import Raw

from ainfera_server.conversation import Image, Message, Part, Role, Text, ToolCall, ToolResult
from ainfera_server.dialects import strict_json
from ainfera_server.dialects.carrying import LeftBehind
from ainfera_server.dialects.openai_chat import wire
from ainfera_server.errors import Invalid

ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_DATA_URL = re.compile(r"data:(?P<media_type>[\w.+-]+/[\w.+-]+);base64,(?P<data>.*)", re.DOTALL)


def messages(said: tuple[Raw, ...], left: LeftBehind) -> Iterator[Message]:
    """The messages; one of a role without words here is noted. Raises Malformed or Invalid."""
    for position, raw in enumerate(said):
        place = f"messages.{position}"
        role = ROLES.get(strict_json.read(raw, wire.Spoken, place=place).role)
        if role is None:
            left.note_part(place)
        else:
            yield Message(role=role, parts=tuple(_message_parts(role, raw, place, left)))


def _message_parts(role: Role, raw: Raw, place: str, left: LeftBehind) -> Iterator[Part]:
    match role:
        case "system" | "user":
            given = strict_json.read(raw, wire.GivenMessage, place=place)
            yield from _parts(given.content, place, left)
        case "assistant":
            answer = strict_json.read(raw, wire.GivenAnswer, place=place)
            yield from _answer_parts(answer, place, left)
        case "tool":
            result = strict_json.read(raw, wire.GivenResult, place=place)
            parts = tuple(_parts(result.content, place, left))
            yield ToolResult(call_id=result.tool_call_id, parts=parts)


def _answer_parts(said: wire.GivenAnswer, place: str, left: LeftBehind) -> Iterator[Part]:
    yield from _parts(said.content or "", place, left)
    if said.refusal:
        yield Text(text=said.refusal)
    for position, raw in enumerate(said.tool_calls or ()):
        here = f"{place}.tool_calls.{position}"
        if is_function(raw, here):
            call = strict_json.read(raw, wire.ToolCall, place=here)
            yield ToolCall(
                call_id=call.id, name=call.function.name, arguments=call.function.arguments
            )
        else:
            left.note_part(here)
    for name, raw in (("function_call", said.function_call), ("audio", said.audio)):
        if bytes(raw) not in {b"", b"null"}:
            left.note_part(f"{place}.{name}")


def is_function(raw: Raw, place: str) -> bool:
    """Whether a tool, or a call of one, is a function: others take no JSON. Raises Malformed."""
    return strict_json.read(raw, wire.FunctionOrNot, place=place).type == "function"


def _parts(content: str | tuple[Raw, ...], place: str, left: LeftBehind) -> Iterator[Text | Image]:
    if isinstance(content, str):
        if content:
            yield Text(text=content)
        return
    for position, raw in enumerate(content):
        here = f"{place}.content.{position}"
        form = wire.PARTS.get(strict_json.read(raw, wire.Typed, place=here).type)
        if form is None:
            left.note_part(here)
        else:
            yield _part(strict_json.read(raw, form, place=here), here)


def _part(said: wire.Part, place: str) -> Text | Image:
    match said:
        case wire.TextPart(text=text):
            return Text(text=text)
        case wire.RefusalPart(refusal=text):
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
