"""How much of an answer there was: the provider's count, or an estimate that says it is one."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from ainfera_server.catalog import token_counts
from ainfera_server.conversation import (
    Ended,
    FinishReason,
    Reply,
    Request,
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
    """Usage, and who counted."""

    usage: Usage
    source: Literal["provider", "estimate"]


def of_reply(reply: Reply, request: Request) -> Metered:
    """Meter a whole answer."""
    if reply.usage is not None:
        return Metered(usage=reply.usage, source="provider")
    return estimated(request, sum(_characters(part) for part in reply.parts))


def estimated(request: Request, characters: int) -> Metered:
    """Meter by length what nobody counted."""
    usage = Usage(
        input_tokens=token_counts.estimated_input_tokens(request),
        output_tokens=-(-characters // CHARACTERS_PER_TOKEN),
    )
    return Metered(usage=usage, source="estimate")


class Tally:
    """Reads beside a stream, changing nothing: its length, its hash, how it ended."""

    def __init__(self, salt: bytes) -> None:
        self._digest = hashlib.sha256(salt)
        self._characters = 0
        self.ended: Ended | None = None

    @property
    def has_content(self) -> bool:
        """Whether the model has said anything yet."""
        return self._characters > 0

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
            case Started():
                pass

    def metered(self, request: Request) -> Metered:
        """Meter what there was, whole or broken off."""
        if self.ended is not None and self.ended.usage is not None:
            return Metered(usage=self.ended.usage, source="provider")
        return estimated(request, self._characters)

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the answer ended; None when it did not."""
        return None if self.ended is None else self.ended.finish_reason


def _characters(part: Text | ToolCall | Thinking) -> int:
    match part:
        case Text() | Thinking():
            return len(part.text)
        case ToolCall():
            return len(part.name) + len(part.arguments)
