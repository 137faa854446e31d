"""How many tokens a request has before a provider has counted them: a guess, and a bound.

No tokenizer is used. Vendors have different ones, some have published none, and a decision must
come out the same wherever it is made again.
"""

from collections.abc import Iterator
from itertools import chain
from typing import assert_never

from ainfera_server.conversation import (
    Image,
    Message,
    Part,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

BYTES_A_TOKEN = 4
"""Four characters of English, two of Cyrillic, a little over one of Chinese: bytes of UTF-8 come
closer to today's vocabularies than characters do."""
TOKENS_A_MESSAGE = 4
"""The marks that a chat template puts around a message: its start, its role and its end."""
TOKENS_A_TOOL = 8
"""The words that introduce one function."""
TOKENS_AN_IMAGE = 1_300
"""A square megapixel: Anthropic counts width x height / 750, and others are near to it."""

TOKENS_A_REQUEST_MAX = 128
"""Templates open with a few words of their own: the date, the default system prompt."""
TOKENS_A_MESSAGE_MAX = 16
TOKENS_A_TOOL_MAX = 64
TOKENS_OF_TOOL_USE_MAX = 1_024
"""Vendors explain tool use to the model; Anthropic documents 313 to 675 tokens for it."""
TOKENS_AN_IMAGE_MAX = 10_000
"""Twice the most that Anthropic documents for one picture (4,784), four times Gemini's."""
TOKENS_A_PART_NOT_UNDERSTOOD_MAX = TOKENS_AN_IMAGE_MAX
"""It may be a picture that is named by the id of a file, of which the body has no bytes."""

TOKENS_OF_TOOL_USE = 700
TOKENS_AN_IMAGE_AT_LEAST = 1_600
"""What Anthropic scales larger pictures down to, but on its newest models."""
TOKENS_A_PART_NOT_UNDERSTOOD = 3_000
"""A page of a document, read as words and as a picture."""

HUNDREDTHS_A_BYTE = (
    (26, bytes(range(ord("a"), ord("z") + 1))),
    (90, bytes(range(ord("A"), ord("Z") + 1))),
    (110, bytes(range(ord("0"), ord("9") + 1))),
    (5, b" \t\n\r"),
    (100, b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    (300, bytes(range(0xC2, 0xCB))),
    (110, bytes(range(0xCB, 0xE0))),
    (140, bytes(range(0xE0, 0xE3))),
    (180, bytes(range(0xE3, 0xEA))),
    (300, bytes(range(0xEA, 0xF0))),
    (350, bytes(range(0xF0, 0xF8))),
    (100, bytes((*range(0x09), *range(0x0B, 0x0D), *range(0x0E, 0x20), 0x7F))),
)
"""Hundredths of a token for every byte of a kind; those that continue a character count nothing.

Long words, short words, numbers and scripts differ by a factor of ten in tokens a byte. A first
byte tells the script: Latin with accents; Greek to Arabic; India and signs; kana and Han; Hangul;
emoji. The weights are drawn from the tokenizer of the local model, whose small vocabulary makes
more tokens than a large one does, of numbers and of all that is not English above all. Its bytes
that begin no character anywhere are left out, for a text of ours has none.
"""


def careful_input_tokens(request: Request) -> int:
    """A guess for a caller who asks before a call, rather too many than too few.

    On the samples in the tests it is never more than a fifth below what the local model's
    tokenizer counts. No decision uses it.
    """
    schemas = (*(tool.parameters for tool in request.tools), request.response_format or b"")
    texts = (text.encode("utf-8", "surrogatepass") for text in _texts(request))
    hundredths = sum(_hundredths(text) for text in chain(texts, schemas))
    return (
        -(-hundredths // 100)
        + len(request.messages) * TOKENS_A_MESSAGE
        + len(request.tools) * TOKENS_A_TOOL
        + bool(request.tools) * TOKENS_OF_TOOL_USE
        + _images(request) * TOKENS_AN_IMAGE_AT_LEAST
        + len(request.parts_not_understood) * TOKENS_A_PART_NOT_UNDERSTOOD
    )


def _hundredths(text: bytes) -> int:
    """Deleting the bytes of a kind counts them, at the speed of a copy."""
    return sum(
        weight * (len(text) - len(text.translate(None, kind))) for weight, kind in HUNDREDTHS_A_BYTE
    )


def estimated_input_tokens(request: Request) -> int:
    """A fair guess, the same in every dialect: four bytes a token, and what a template adds."""
    return (
        -(-_text_bytes(request) // BYTES_A_TOKEN)
        + len(request.messages) * TOKENS_A_MESSAGE
        + len(request.tools) * TOKENS_A_TOOL
        + _images(request) * TOKENS_AN_IMAGE
    )


def most_input_tokens(request: Request) -> int:
    """More than any vendor will count.

    A byte-level tokenizer never makes more tokens than there are bytes, so bytes bound the texts,
    and the constants bound what a template adds. A picture is bounded by a flat figure, because
    its size is not known. What was not understood may still reach a provider of the same dialect,
    so then no fewer tokens are assumed than the body has bytes. A document that is only named, by
    an address or an id, is the one thing that can be longer than this.
    """
    texts = _text_bytes(request)
    if request.fields_not_understood or request.parts_not_understood:
        texts = max(texts, len(request.body))
    return (
        texts
        + TOKENS_A_REQUEST_MAX
        + len(request.messages) * TOKENS_A_MESSAGE_MAX
        + len(request.tools) * TOKENS_A_TOOL_MAX
        + bool(request.tools) * TOKENS_OF_TOOL_USE_MAX
        + _images(request) * TOKENS_AN_IMAGE_MAX
        + len(request.parts_not_understood) * TOKENS_A_PART_NOT_UNDERSTOOD_MAX
    )


def _text_bytes(request: Request) -> int:
    """How long is everything that the model reads as words."""
    schemas = (*(tool.parameters for tool in request.tools), request.response_format or b"")
    texts = sum(len(text.encode("utf-8", "surrogatepass")) for text in _texts(request))
    return texts + sum(len(schema) for schema in schemas)


def _texts(request: Request) -> Iterator[str]:
    for tool in request.tools:
        yield from (tool.name, tool.description or "")
    for message in request.messages:
        for part in message.parts:
            yield from _part_texts(part)


def _part_texts(part: Part) -> Iterator[str]:
    match part:
        case Text():
            yield part.text
        case Image():
            return
        case ToolCall():
            yield from (part.call_id, part.name, part.arguments)
        case ToolResult():
            yield part.call_id
            yield from (inner.text for inner in part.parts if isinstance(inner, Text))
        case Thinking():
            yield from (part.text, part.signature or "", part.redacted or "")
        case _:
            assert_never(part)


def _images(request: Request) -> int:
    return sum(_images_in(message) for message in request.messages)


def _images_in(message: Message) -> int:
    inner = (part.parts for part in message.parts if isinstance(part, ToolResult))
    return sum(isinstance(part, Image) for parts in (message.parts, *inner) for part in parts)
