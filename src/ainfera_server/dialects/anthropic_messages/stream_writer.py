"""Events of a conversation, written as the events that a caller of the Messages API reads."""

from collections.abc import Iterator
from typing import assert_never

import msgspec

from ainfera_server import sse
from ainfera_server.conversation import (
    Ended,
    Searched,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from ainfera_server.dialects import failures
from ainfera_server.dialects.anthropic_messages import reply_writer, wire
from ainfera_server.dialects.sides import Envelope

WAITING_CHARACTERS_MAX = 1024 * 1024
"""How much of later parts is kept while an earlier tool call is not whole."""

JSON_SPACE = " \t\n\r"

PartEvent = TextDelta | ThinkingDelta | ToolCallStarted | ToolCallDelta


class _OpenBlock:
    """The block that is being written; `part` is the index of its part in the conversation."""

    def __init__(self, part: int, block: wire.Block) -> None:
        self.part = part
        self.is_tool_call = isinstance(block, wire.ToolUseBlock)
        self.arguments: list[str] = []

    @property
    def is_whole(self) -> bool:
        """Whether nothing can follow: words can be cut anywhere, arguments only at their end."""
        return not self.is_tool_call or _is_object("".join(self.arguments))


class Encoder:
    """Writes one streamed answer, one block after the other.

    A conversation may carry on with several parts by turns, as parallel tool calls do; here one
    block is open at a time. So what a later part says waits until the open block is whole. Text
    that comes back after another part began is a new block.
    """

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._started_usage = Usage()
        self._blocks = 0
        self._open: _OpenBlock | None = None
        self._waiting: dict[int, list[PartEvent]] = {}
        self._waiting_characters = 0

    def encode(self, event: StreamEvent) -> bytes:
        """Write what can be written by now. Raises ProviderFailed when too much has to wait."""
        match event:
            case Started():
                return self._started(event)
            case Searched():
                return b""
            case Ended():
                return b"".join((*self._rest(), *self._ended(event)))
            case TextDelta() | ThinkingDelta() | ToolCallStarted() | ToolCallDelta():
                if not _says_something(event):
                    return b""
                self._waiting.setdefault(event.index, []).append(event)
                written = b"".join(self._ready())
                self._check_waiting(event)
                return written
            case _:
                assert_never(event)

    def _started(self, event: Started) -> bytes:
        self._started_usage = event.usage or Usage()
        message = wire.WrittenAnswer(
            id=reply_writer.message_id(event.reply_id, self._envelope),
            model=self._envelope.model_slug,
            content=(),
            stop_reason=None,
            stop_sequence=None,
            usage=reply_writer.usage(self._started_usage),
        )
        return _event("message_start", wire.WrittenStart(message=message))

    def _ended(self, event: Ended) -> Iterator[bytes]:
        """The reason and the totals; without totals, the little that was known at the start."""
        known_before = wire.Usage(output_tokens=self._started_usage.output_tokens)
        ending = wire.Ending(
            stop_reason=reply_writer.stop_reason(
                event.finish_reason, event.finish_reason_native, event.stop_sequence
            ),
            stop_sequence=event.stop_sequence,
        )
        usage = known_before if event.usage is None else reply_writer.usage(event.usage)
        yield _event("message_delta", wire.WrittenMessageDelta(delta=ending, usage=usage))
        yield _event("message_stop", wire.Stop())

    def _ready(self) -> Iterator[bytes]:
        """What may be written now, in order of the parts."""
        while True:
            yield from self._said_in_open_block()
            if not self._waiting:
                self._waiting_characters = 0
                return
            if self._open is not None and not self._open.is_whole:
                return
            yield from self._closed()
            yield from self._opened(min(self._waiting))

    def _rest(self) -> Iterator[bytes]:
        """All that still waits, for nothing more will be said."""
        yield from self._closed()
        while self._waiting:
            yield from self._opened(min(self._waiting))
            yield from self._said_in_open_block()
            yield from self._closed()

    def _check_waiting(self, event: PartEvent) -> None:
        if event.index not in self._waiting:
            return
        self._waiting_characters += _characters(event)
        if self._waiting_characters > WAITING_CHARACTERS_MAX:
            raise failures.malformed("it mixes more of its tool calls than can be sorted out")

    def _opened(self, part: int) -> Iterator[bytes]:
        """Open a block for what waits longest, or write it whole when it is a single event."""
        first = self._waiting[part][0]
        match first:
            case TextDelta():
                block = wire.TextBlock(text="")
            case ThinkingDelta(redacted=str(data)):
                block = wire.RedactedThinkingBlock(data=data)
                self._take_first(part)
            case ThinkingDelta():
                block = wire.ThinkingBlock(thinking="")
            case ToolCallStarted(call_id=call_id, name=name):
                block = wire.ToolUseBlock(id=call_id, name=name, input=wire.EMPTY_OBJECT)
                self._take_first(part)
            case ToolCallDelta(arguments=arguments):
                self._take_first(part)
                if arguments.strip():
                    raise failures.malformed("a tool call goes on after its arguments ended")
                return
        self._open = _OpenBlock(part, block)
        start = wire.WrittenBlockStart(index=self._blocks, content_block=block)
        yield _event("content_block_start", start)
        if isinstance(block, wire.RedactedThinkingBlock):
            yield from self._closed()

    def _take_first(self, part: int) -> None:
        waiting = self._waiting[part]
        del waiting[0]
        if not waiting:
            del self._waiting[part]

    def _said_in_open_block(self) -> Iterator[bytes]:
        """Write what waits for the open block."""
        while self._open is not None and self._open.part in self._waiting:
            event = self._waiting[self._open.part][0]
            if isinstance(event, ThinkingDelta) and event.redacted is not None:
                # It is a block of its own; the thought before it ends here.
                yield from self._closed()
                return
            self._take_first(event.index)
            yield from self._deltas(event, self._open)

    def _deltas(self, event: PartEvent, block: _OpenBlock) -> Iterator[bytes]:
        match event:
            case TextDelta(text=text):
                yield self._delta(wire.TextDelta(text=text))
            case ThinkingDelta(text=text, signature=signature):
                if text:
                    yield self._delta(wire.ThinkingDelta(thinking=text))
                if signature is not None:
                    yield self._delta(wire.SignatureDelta(signature=signature))
            case ToolCallDelta(arguments=arguments):
                # The vendor's client parses what there is so far, and white space alone is no JSON.
                spoken = arguments if block.arguments else arguments.lstrip(JSON_SPACE)
                if spoken:
                    block.arguments.append(spoken)
                    yield self._delta(wire.InputJsonDelta(partial_json=spoken))
            case ToolCallStarted():
                raise AssertionError("a part opens once")

    def _delta(self, delta: wire.Delta) -> bytes:
        written = wire.WrittenBlockDelta(index=self._blocks, delta=delta)
        return _event("content_block_delta", written)

    def _closed(self) -> Iterator[bytes]:
        """Close the open block, if there is one. Readers take arguments from deltas alone."""
        if self._open is None:
            return
        if self._open.is_tool_call and not self._open.arguments:
            yield self._delta(wire.InputJsonDelta(partial_json="{}"))
        yield _event("content_block_stop", wire.BlockStop(index=self._blocks))
        self._blocks += 1
        self._open = None


def _event(name: str, data: msgspec.Struct) -> bytes:
    return sse.encode(msgspec.json.encode(data), name=name)


def _says_something(event: PartEvent) -> bool:
    return isinstance(event, ToolCallStarted) or bool(
        _characters(event) or (isinstance(event, ThinkingDelta) and event.redacted is not None)
    )


def _characters(event: PartEvent) -> int:
    match event:
        case TextDelta(text=text):
            return len(text)
        case ThinkingDelta(text=text, signature=signature, redacted=redacted):
            return len(text) + len(signature or "") + len(redacted or "")
        case ToolCallStarted(call_id=call_id, name=name):
            return len(call_id) + len(name)
        case ToolCallDelta(arguments=arguments):
            return len(arguments)


def _is_object(arguments: str) -> bool:
    if not arguments.rstrip().endswith("}"):
        return False
    try:
        msgspec.json.decode(arguments, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
