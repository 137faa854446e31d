"""Events as vendors of this dialect stream them, read into events of a conversation."""

from collections.abc import Mapping
from typing import assert_never

import msgspec
from msgspec import Raw

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
from ainfera_server.dialects.anthropic_messages import failure_reader, reply_reader, wire
from ainfera_server.dialects.anthropic_messages.reply_reader import AnswerBlock
from ainfera_server.sse import Event

_SAID_IN: Mapping[type[wire.Delta], type[AnswerBlock]] = {
    wire.TextDelta: wire.TextBlock,
    wire.InputJsonDelta: wire.ToolUseBlock,
    wire.ThinkingDelta: wire.ThinkingBlock,
    wire.SignatureDelta: wire.ThinkingBlock,
}


class _OpenBlock:
    """A block between its start and its stop.

    `form` is None for a block that no conversation has a word for. `index` is None until it has
    said something. `arguments` are those that came with the start, and matter only when no
    others follow.
    """

    def __init__(self, form: type[AnswerBlock] | None) -> None:
        self.form = form
        self.index: int | None = None
        self.arguments: str | None = None


class Decoder:
    """Reads one streamed answer; what it knows of the answer so far is its state.

    Parts are numbered as they first say something, since blocks that nobody here knows, and
    those that stay empty, have no place in a conversation.
    """

    def __init__(self) -> None:
        self._has_started = False
        self._has_ended = False
        self._open: dict[int, _OpenBlock] = {}
        self._parts = 0
        self._ending = wire.Ending()
        self._usage: dict[str, object] = {}
        self._can_be_counted = True
        self._searches = 0

    def decode(self, event: Event) -> tuple[StreamEvent, ...]:
        """Read one event; `message_stop` gives the Ended. Raises ProviderFailed."""
        if self._has_ended:
            return ()
        try:
            kind = msgspec.json.decode(event.data, type=wire.Typed).type
            if wire.ERROR_EVENT in {kind, event.name}:
                raise failure_reader.reported(event.data)
            form = wire.STREAM_EVENTS.get(kind)
            if form is None:
                # Pings, and whatever the vendor invents: its versioning says to skip them.
                return ()
            return self._read(msgspec.json.decode(event.data, type=form))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if event.name == wire.ERROR_EVENT:
                raise failure_reader.reported(event.data) from None
            raise failures.malformed(f"{error}") from None

    def _read(self, event: wire.StreamEvent) -> tuple[StreamEvent, ...]:
        if self._has_started == isinstance(event, wire.Start):
            raise failures.malformed("a stream starts once, and before anything else")
        match event:
            case wire.Start(message=message):
                return (self._started(message),)
            case wire.BlockStart():
                return self._block_started(event)
            case wire.BlockDelta():
                return self._block_delta(event)
            case wire.BlockStop(index=index):
                return self._block_stopped(index)
            case wire.MessageDelta():
                return self._message_delta(event)
            case wire.Stop():
                return (self._ended(),)
            case _:
                assert_never(event)

    def _started(self, message: wire.Answer) -> Started:
        self._has_started = True
        self._count(message.usage)
        return Started(
            reply_id=message.id,
            model=message.model,
            usage=reply_reader.usage(message.usage, searched=0),
        )

    def _count(self, given: Raw) -> None:
        """Counts are totals so far; one that is left out keeps its last value.

        Once one cannot be, none of them is believed.
        """
        if not bytes(given):
            return
        try:
            counted = msgspec.json.decode(given, type=wire.Usage | None)
        except msgspec.DecodeError:
            self._can_be_counted = False
            return
        if counted is not None:
            counts = msgspec.structs.asdict(counted)
            self._usage |= {name: count for name, count in counts.items() if count is not None}

    def _block_started(self, event: wire.BlockStart) -> tuple[StreamEvent, ...]:
        if event.index in self._open:
            raise failures.malformed(f"block {event.index} starts twice")
        block = reply_reader.block(event.content_block)
        opened = _OpenBlock(None if block is None else type(block))
        self._open[event.index] = opened
        if block is not None:
            return self._said_at_start(block, opened)
        found = reply_reader.search_result(event.content_block)
        if found is None:
            return ()
        self._searches += 1
        return (Searched(result_characters=len(bytes(found))),)

    def _said_at_start(self, block: AnswerBlock, opened: _OpenBlock) -> tuple[StreamEvent, ...]:
        match block:
            case wire.ToolUseBlock(id=call_id, name=name, input=given):
                opened.arguments = reply_reader.arguments(given)
                index = self._index(opened)
                return (ToolCallStarted(index=index, call_id=call_id, name=name),)
            case wire.TextBlock(text=text):
                return (TextDelta(index=self._index(opened), text=text),) if text else ()
            case wire.RedactedThinkingBlock(data=data):
                return (ThinkingDelta(index=self._index(opened), redacted=data),)
            case wire.ThinkingBlock(thinking=text, signature=signature):
                if not text and not signature:
                    return ()
                index = self._index(opened)
                return (ThinkingDelta(index=index, text=text, signature=signature or None),)
            case _:
                assert_never(block)

    def _index(self, block: _OpenBlock) -> int:
        if block.index is None:
            block.index = self._parts
            self._parts += 1
        return block.index

    def _block_delta(self, event: wire.BlockDelta) -> tuple[StreamEvent, ...]:
        block = self._open.get(event.index)
        if block is None:
            raise failures.malformed(f"block {event.index} is not open")
        form = wire.DELTAS.get(msgspec.json.decode(event.delta, type=wire.Typed).type)
        if form is None or block.form is None:
            return ()
        if block.form is not _SAID_IN[form]:
            raise failures.malformed(f"block {event.index} is of another type than its delta")
        match msgspec.json.decode(event.delta, type=form):
            case wire.TextDelta(text=text):
                return (TextDelta(index=self._index(block), text=text),) if text else ()
            case wire.ThinkingDelta(thinking=text):
                return (ThinkingDelta(index=self._index(block), text=text),) if text else ()
            case wire.SignatureDelta(signature=signature):
                return (ThinkingDelta(index=self._index(block), signature=signature),)
            case wire.InputJsonDelta(partial_json=text):
                if not text:
                    return ()
                block.arguments = None
                return (ToolCallDelta(index=self._index(block), arguments=text),)

    def _block_stopped(self, index: int) -> tuple[StreamEvent, ...]:
        block = self._open.pop(index, None)
        if block is None:
            raise failures.malformed(f"block {index} is not open")
        if block.arguments is None:
            return ()
        return (ToolCallDelta(index=self._index(block), arguments=block.arguments),)

    def _message_delta(self, event: wire.MessageDelta) -> tuple[StreamEvent, ...]:
        """Note how it ends. A later delta that only counts does not take the reason back."""
        self._count(event.usage)
        if event.delta.stop_reason is not None:
            self._ending = event.delta
        return ()

    def _ended(self) -> Ended:
        if self._open:
            raise failures.malformed("it ended within a block")
        self._has_ended = True
        return Ended(
            finish_reason=reply_reader.finish_reason(self._ending.stop_reason),
            finish_reason_native=self._ending.stop_reason,
            usage=self._counted(),
            stop_sequence=self._ending.stop_sequence,
        )

    def _counted(self) -> Usage | None:
        if not self._can_be_counted:
            return None
        counted = msgspec.convert(self._usage, wire.Usage)
        return reply_reader.usage_of(counted, searched=self._searches)
