"""How much of an answer there was: the provider's count, or an estimate that says it is one."""

import hashlib
from dataclasses import dataclass, replace
from typing import Literal

from ainfera_server.catalog import pricing, token_counts
from ainfera_server.conversation import (
    Ended,
    FinishReason,
    Reply,
    Request,
    Searched,
    Started,
    StreamEvent,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)

CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """Usage, and who counted: the provider, or we because it did not or said what cannot be."""

    usage: Usage
    source: Literal["provider", "estimate"]


def of_reply(reply: Reply, request: Request) -> Metered:
    """Meter a whole answer."""
    if reply.usage is not None:
        return Metered(usage=reply.usage, source="provider")
    by_length = _by_length(request, sum(_characters(part) for part in reply.parts))
    return Metered(usage=replace(by_length, web_searches=reply.web_searches), source="estimate")


def _by_length(request: Request, characters: int) -> Usage:
    return Usage(
        input_tokens=token_counts.estimated_input_tokens(request),
        output_tokens=_tokens(characters),
    )


class Tally:
    """Reads beside a stream, changing nothing: its length, its hash, how it ended."""

    def __init__(self, salt: bytes) -> None:
        self._digest = hashlib.sha256(salt)
        self._characters = 0
        self._searches: list[Searched] = []
        self._counted_at_start: Usage | None = None
        self.ended: Ended | None = None

    @property
    def has_content(self) -> bool:
        """Whether the model has said anything yet, or had the web searched for it."""
        return self._characters > 0 or bool(self._searches)

    @property
    def content_hash(self) -> str:
        """The salted hash of the bytes sent so far."""
        return self._digest.hexdigest()

    def sent(self, chunk: bytes) -> None:
        """Count bytes that the caller got."""
        self._digest.update(chunk)

    def read(self, event: StreamEvent) -> None:
        """Count what the model said."""
        match event:
            case TextDelta():
                self._characters += len(event.text)
            case ThinkingDelta():
                self._characters += len(event.text)
            case ToolCallStarted():
                self._characters += len(event.name)
            case ToolCallDelta():
                self._characters += len(event.arguments)
            case Ended():
                self.ended = event
            case Searched():
                self._searches.append(event)
            case Started():
                self._counted_at_start = event.usage

    def metered(self, request: Request) -> Metered:
        """Meter what there was, whole or broken off."""
        if self.ended is not None and self.ended.usage is not None:
            return Metered(usage=self.ended.usage, source="provider")
        return Metered(usage=self._so_far(request), source="estimate")

    def _so_far(self, request: Request) -> Usage:
        """What there was, from the provider's count of the prompt if it began with one.

        After each search the model reads the prompt again, and what was found.
        """
        usage = _by_length(request, self._characters)
        if self._counted_at_start is not None:
            said = max(usage.output_tokens, self._counted_at_start.output_tokens)
            usage = replace(self._counted_at_start, output_tokens=said)
        found = sum(_tokens(one.result_characters) for one in self._searches)
        read_again = len(self._searches) * pricing.prompt_tokens(usage)
        return replace(
            usage,
            input_tokens=usage.input_tokens + read_again + found,
            web_searches=len(self._searches),
        )

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the answer ended; None when it did not."""
        return None if self.ended is None else self.ended.finish_reason


def _tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)


def _characters(part: Text | ToolCall | Thinking) -> int:
    match part:
        case Text() | Thinking():
            return len(part.text)
        case ToolCall():
            return len(part.name) + len(part.arguments)
