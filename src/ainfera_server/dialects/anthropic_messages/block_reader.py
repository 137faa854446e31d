"""Content as callers and vendors of this dialect write it, block by block, read into parts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec
from msgspec import Raw

from ainfera_server.conversation import Image, Part, Text, Thinking, ToolCall, ToolResult
from ainfera_server.dialects import strict_json
from ainfera_server.dialects.anthropic_messages import asked_wire, wire
from ainfera_server.dialects.anthropic_messages.tool_changes import ToolChanges
from ainfera_server.dialects.carrying import LeftBehind
from ainfera_server.errors import Malformed

Inside = Literal["system", "messages", "tool_result"]
"""Where a block stands, which decides what it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What is found beside the parts."""

    left: LeftBehind
    tools: ToolChanges


def parts(
    said: str | tuple[Raw, ...], place: str, noted: Noted, *, inside: Inside
) -> tuple[Part, ...]:
    """The parts of a text or of a list of blocks. Raises Malformed."""
    if isinstance(said, str):
        return (Text(text=said),) if said else ()
    return tuple(part for _, part in _known_parts(said, place, noted, inside=inside))


def note_fields(raw: Raw, left: LeftBehind, *, known: frozenset[str], owner: str) -> None:
    """Remember the fields of an object that are not known; a cache mark goes by its name."""
    for name in msgspec.json.decode(raw, type=dict[str, Raw]):
        if name == wire.CACHE_CONTROL_FIELD:
            left.note_field(name)
        elif name not in known:
            left.note_field(f"{owner}.{name}")


def _known_parts(
    said: tuple[Raw, ...], place: str, noted: Noted, *, inside: Inside
) -> Iterator[tuple[str, Part]]:
    """Each part with the place where it stands."""
    for position, raw in enumerate(said):
        here = f"{place}.{position}"
        kind = strict_json.read(raw, wire.Typed, place=here).type
        match inside, kind:
            case "messages", asked_wire.TOOL_ADDITION | asked_wire.TOOL_REMOVAL:
                noted.left.note_field(f"messages.{kind}")
                noted.tools.change(raw, here)
            case "tool_result", asked_wire.TOOL_REFERENCE:
                noted.left.note_field(f"messages.{kind}")
                yield here, _tool_reference(raw, here, noted)
            case _:
                part = _part(kind, raw, here, noted, inside=inside)
                if part is None:
                    noted.left.note_part(here)
                else:
                    yield here, part


def _form(kind: str, raw: Raw, place: str) -> type[wire.Block] | None:
    """The form of a block; None for one without words here, as an image that Anthropic keeps."""
    if kind == "image":
        source = strict_json.read(raw, wire.SourceOfSomeType, place=place).source.type
        return wire.ImageBlock if source in wire.SOURCES else None
    return wire.BLOCKS.get(kind)


def _part(kind: str, raw: Raw, place: str, noted: Noted, *, inside: Inside) -> Part | None:
    """What a block says; None for one without words here."""
    form = _form(kind, raw, place)
    if form is None:
        return None
    block = strict_json.read(raw, form, place=place)
    owner = "system" if inside == "system" else "messages"
    known = frozenset({*form.__struct_fields__, wire.TYPE_FIELD})
    note_fields(raw, noted.left, known=known, owner=f"{owner}.{kind}")
    match block:
        case wire.TextBlock(text=text):
            return Text(text=text)
        case wire.ImageBlock(source=source):
            return _image(source)
        case wire.ToolUseBlock(id=call_id, name=name, input=arguments):
            return ToolCall(call_id=call_id, name=name, arguments=_object(arguments, place))
        case wire.ToolResultBlock():
            return _tool_result(block, place, noted)
        case wire.ThinkingBlock(thinking=text, signature=signature):
            return Thinking(text=text, signature=signature or None)
        case wire.RedactedThinkingBlock(data=data):
            return Thinking(text="", redacted=data)


def _image(source: wire.Base64Source | wire.UrlSource) -> Image:
    match source:
        case wire.UrlSource(url=url):
            return Image(url=url)
        case wire.Base64Source(media_type=media_type, data=data):
            return Image(media_type=media_type, data=data)


def _object(arguments: Raw, place: str) -> str:
    text = bytes(arguments)
    if not text.startswith(b"{"):
        raise Malformed(f"`{place}.input` is an object.", param=f"{place}.input")
    return text.decode()


def _tool_result(block: wire.ToolResultBlock, place: str, noted: Noted) -> ToolResult:
    """What a tool answered: words and pictures, whatever else Anthropic may read in it."""
    answered: list[Text | Image] = []
    if isinstance(block.content, str):
        answered += [Text(text=block.content)] if block.content else []
    else:
        place = f"{place}.content"
        for here, part in _known_parts(block.content or (), place, noted, inside="tool_result"):
            if isinstance(part, Text | Image):
                answered.append(part)
            else:
                noted.left.note_part(here)
    return ToolResult(
        call_id=block.tool_use_id, parts=tuple(answered), is_error=block.is_error or False
    )


def _tool_reference(raw: Raw, place: str, noted: Noted) -> Text:
    """Anthropic puts the tool's definition here; others read it in the list of tools."""
    name = strict_json.read(raw, asked_wire.ToolReference, place=place).tool_name
    noted.tools.refer(name, place)
    return Text(text=f"The tool {name} can be called now.")
