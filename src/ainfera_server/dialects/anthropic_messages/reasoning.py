"""Reasoning that another vendor wrote, taken out of a request before it travels to Anthropic.

A caller of this dialect may have been answered by anybody, and hands every answer back. Anthropic
refuses a conversation with reasoning that it did not sign.
"""

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from ainfera_server.conversation import Request, Thinking
from ainfera_server.dialects import signatures
from ainfera_server.dialects.anthropic_messages import wire


def is_foreign_in(request: Request) -> bool:
    """Whether another vendor's reasoning is part of the conversation."""
    return any(
        isinstance(part, Thinking) and not signatures.is_signed_by("anthropic_messages", part)
        for message in request.messages
        for part in message.parts
    )


def without_foreign(messages: Raw) -> Raw:
    """The messages less that reasoning; everything else keeps its bytes."""
    said = msgspec.json.decode(messages, type=tuple[Raw, ...])
    return Raw(msgspec.json.encode([one for each in said for one in _kept(each)]))


def _kept(message: Raw) -> Iterator[Raw]:
    """The message, or nothing if it was reasoning alone: an empty one is refused too."""
    fields = msgspec.json.decode(message, type=dict[str, Raw])
    content = fields[wire.CONTENT_FIELD]
    if not bytes(content).startswith(b"["):
        yield message
        return
    blocks = msgspec.json.decode(content, type=tuple[Raw, ...])
    kept = tuple(one for one in blocks if not _is_foreign(one))
    if len(kept) == len(blocks):
        yield message
    elif kept:
        yield Raw(msgspec.json.encode(fields | {wire.CONTENT_FIELD: kept}))


def _is_foreign(block: Raw) -> bool:
    if msgspec.json.decode(block, type=wire.Typed).type != wire.THINKING:
        return False
    said = msgspec.json.decode(block, type=wire.ThinkingBlock)
    thinking = Thinking(text=said.thinking, signature=said.signature or None)
    return not signatures.is_signed_by("anthropic_messages", thinking)
