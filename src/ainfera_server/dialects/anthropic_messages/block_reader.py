"""Content as callers and vendors of this dialect write it, block by block, read into parts."""

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from ainfera_server.conversation import Image, Part, Text, Thinking, ToolCall, ToolResult
from ainfera_server.dialects import strict_json
from ainfera_server.dialects.anthropic_messages import wire
from ainfera_server.dialects.carrying import LeftBehind
from ainfera_server.errors import Malformed


def parts(said: str | tuple[Raw, ...], place: str, left: LeftBehind) -> tuple[Part, ...]:
    """The parts of a text or of a list of blocks. Raises Malformed."""
    if isinstance(said, str):
        return (Text(text=said),) if said else ()
    return tuple(part for _, part in _known_parts(said, place, left))


def note_fields(raw: Raw, left: LeftBehind, *, known: frozenset[str], owner: str) -> None:
    """Remember the fields of an object that are not known; a cache mark goes by its name."""
    for name in msgspec.json.decode(raw, type=dict[str, Raw]):
        if name == wire.CACHE_CONTROL_FIELD:
            left.note_field(name)
        elif name not in known:
            left.note_field(f"{owner}.{name}")


def _known_parts(said: tuple[Raw, ...], place: str, left: LeftBehind) -> Iterator[tuple[str, Part]]:
    """Each part with the place where it stands."""
    for position, raw in enumerate(said):
        here = f"{place}.{position}"
        kind = strict_json.read(raw, wire.Typed, place=here).type
        form = _form(kind, raw, here)
        if form is None:
            left.note_part(here)
            continue
        block = strict_json.read(raw, form, place=here)
        owner = "system" if place.startswith("system") else "messages"
        known = frozenset({*form.__struct_fields__, wire.TYPE_FIELD})
        note_fields(raw, left, known=known, owner=f"{owner}.{kind}")
        yield here, _part(block, here, left)


def _form(kind: str, raw: Raw, place: str) -> type[wire.Block] | None:
    """The form of a block; None for one without words here, as an image that Anthropic keeps."""
    if kind == "image":
        source = strict_json.read(raw, wire.SourceOfSomeType, place=place).source.type
        return wire.ImageBlock if source in wire.SOURCES else None
    return wire.BLOCKS.get(kind)


def _part(block: wire.Block, place: str, left: LeftBehind) -> Part:
    match block:
        case wire.TextBlock(text=text):
            return Text(text=text)
        case wire.ImageBlock(source=source):
            return _image(source)
        case wire.ToolUseBlock(id=call_id, name=name, input=arguments):
            return ToolCall(call_id=call_id, name=name, arguments=_object(arguments, place))
        case wire.ToolResultBlock():
            return _tool_result(block, place, left)
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


def _tool_result(block: wire.ToolResultBlock, place: str, left: LeftBehind) -> ToolResult:
    """What a tool answered: words and pictures, whatever else Anthropic may read in it."""
    answered: list[Text | Image] = []
    if isinstance(block.content, str):
        answered += [Text(text=block.content)] if block.content else []
    else:
        for here, part in _known_parts(block.content or (), f"{place}.content", left):
            if isinstance(part, Text | Image):
                answered.append(part)
            else:
                left.note_part(here)
    return ToolResult(
        call_id=block.tool_use_id, parts=tuple(answered), is_error=block.is_error or False
    )
