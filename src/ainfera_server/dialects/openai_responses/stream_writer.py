"""Events of a conversation, written as the typed events that a caller of Responses reads."""

from collections.abc import Iterator
from typing import assert_never

import msgspec

from ainfera_server import sse
from ainfera_server.conversation import (
    Ended,
    Request,
    Searched,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from ainfera_server.dialects.openai_responses import answer_wire as wire
from ainfera_server.dialects.openai_responses import item_writer, reasoning, reply_writer
from ainfera_server.dialects.sides import Envelope


class _Words:
    """A message that is being written."""

    def __init__(self, at: int, envelope: Envelope) -> None:
        self.at = at
        self._id = item_writer.item_id("msg", envelope, at)
        self._said: list[str] = []

    def opened(self) -> Iterator[msgspec.Struct]:
        yield wire.ItemAdded(self.at, self.item("in_progress"))
        yield wire.ContentAdded(self._id, self.at, wire.OutputText(text=""))

    def more(self, words: str) -> Iterator[msgspec.Struct]:
        self._said.append(words)
        yield wire.TextDelta(self._id, self.at, words)

    def closed(self) -> Iterator[msgspec.Struct]:
        text = "".join(self._said)
        yield wire.TextDone(self._id, self.at, text)
        yield wire.ContentDone(self._id, self.at, wire.OutputText(text=text))

    def item(self, status: wire.ItemStatus) -> wire.Item:
        return item_writer.message(self._id, "".join(self._said), status)


class _Thought:
    """An item of reasoning that is being written; what it is signed with comes at its end."""

    def __init__(self, at: int, envelope: Envelope) -> None:
        self.at = at
        self._id = item_writer.item_id("rs", envelope, at)
        self._said: list[str] = []
        self._signature: str | None = None
        self._redacted: str | None = None

    def opened(self) -> Iterator[msgspec.Struct]:
        yield wire.ItemAdded(self.at, self.item("in_progress"))

    def more(self, event: ThinkingDelta) -> Iterator[msgspec.Struct]:
        self._signature = event.signature or self._signature
        self._redacted = self._redacted if event.redacted is None else event.redacted
        if event.text and not self._said:
            yield wire.SummaryAdded(self._id, self.at, wire.SummaryText(text=""))
        if event.text:
            self._said.append(event.text)
            yield wire.SummaryTextDelta(self._id, self.at, event.text)

    def closed(self) -> Iterator[msgspec.Struct]:
        text = "".join(self._said)
        if text:
            yield wire.SummaryTextDone(self._id, self.at, text)
            yield wire.SummaryDone(self._id, self.at, wire.SummaryText(text=text))

    def item(self, status: wire.ItemStatus) -> wire.Item:
        if status == "in_progress":
            return item_writer.thought(self._id, "", None)
        encrypted = reasoning.sealed(self._signature, self._redacted)
        return item_writer.thought(self._id, "".join(self._said), encrypted)


class _Call:
    """A call of a function that is being written."""

    def __init__(self, at: int, envelope: Envelope, event: ToolCallStarted) -> None:
        self.at = at
        self._id = item_writer.item_id("fc", envelope, at)
        self._call_id = event.call_id
        self._name = event.name
        self._said: list[str] = []

    def opened(self) -> Iterator[msgspec.Struct]:
        yield wire.ItemAdded(self.at, self.item("in_progress"))

    def more(self, arguments: str) -> Iterator[msgspec.Struct]:
        self._said.append(arguments)
        yield wire.ArgumentsDelta(self._id, self.at, arguments)

    def closed(self) -> Iterator[msgspec.Struct]:
        if not self._said:
            yield from self.more(item_writer.NO_ARGUMENTS)
        whole = self.item("completed")
        yield wire.ArgumentsDone(self._id, self.at, whole.name, whole.arguments)

    def item(self, status: wire.ItemStatus) -> wire.CallItem:
        arguments = "".join(self._said)
        return item_writer.call(self._id, self._call_id, self._name, arguments, status)


_Open = _Words | _Thought | _Call


class Encoder:
    """Writes one streamed answer; each part of a conversation is an item of the output.

    Words and reasoning are done when another part opens; if they come back after that, they are
    a new item. Calls are done at the end, because their arguments may come by turns.
    """

    def __init__(self, request: Request, envelope: Envelope) -> None:
        self._envelope = envelope
        self._begun = reply_writer.begun(request.body, envelope)
        self._events = 0
        self._items = 0
        self._open: dict[int, _Open] = {}
        self._done: dict[int, wire.Item] = {}

    def encode(self, event: StreamEvent) -> bytes:
        """Write one event; b"" when this dialect has nothing to say for it."""
        return b"".join(self._numbered(one) for one in self._written(event))

    def _written(self, event: StreamEvent) -> Iterator[msgspec.Struct]:
        match event:
            case Started():
                yield wire.Created(self._begun)
                yield wire.InProgress(self._begun)
            case TextDelta():
                yield from self._words(event)
            case ThinkingDelta():
                yield from self._thought(event)
            case ToolCallStarted(index=index):
                yield from self._opened(index, _Call(self._items, self._envelope, event))
            case ToolCallDelta(index=index, arguments=arguments):
                call = self._open[index]
                assert isinstance(call, _Call), "arguments come to a call"
                if arguments:
                    yield from call.more(arguments)
            case Searched():
                pass
            case Ended():
                yield from self._ended(event)
            case _:
                assert_never(event)

    def _words(self, event: TextDelta) -> Iterator[msgspec.Struct]:
        if not event.text:
            return
        found = self._open.get(event.index)
        if found is None:
            found = _Words(self._items, self._envelope)
            yield from self._opened(event.index, found)
        assert isinstance(found, _Words), "a part is of one kind"
        yield from found.more(event.text)

    def _thought(self, event: ThinkingDelta) -> Iterator[msgspec.Struct]:
        if not event.text and event.signature is None and event.redacted is None:
            return
        found = self._open.get(event.index)
        if found is None:
            found = _Thought(self._items, self._envelope)
            yield from self._opened(event.index, found)
        assert isinstance(found, _Thought), "a part is of one kind"
        yield from found.more(event)

    def _opened(self, index: int, opening: _Open) -> Iterator[msgspec.Struct]:
        for other, one in tuple(self._open.items()):
            if not isinstance(one, _Call):
                yield from self._closed(other, "completed")
        self._items += 1
        self._open[index] = opening
        yield from opening.opened()

    def _closed(self, index: int, status: wire.ItemStatus) -> Iterator[msgspec.Struct]:
        one = self._open.pop(index)
        yield from one.closed()
        self._done[one.at] = one.item(status)
        yield wire.ItemDone(one.at, self._done[one.at])

    def _ended(self, event: Ended) -> Iterator[msgspec.Struct]:
        """Everything that is open ends, and what was written last was cut off if the answer was."""
        status, details = reply_writer.ending(event.finish_reason)
        for index, one in sorted(self._open.items(), key=lambda each: each[1].at):
            is_last = one.at == self._items - 1
            yield from self._closed(index, status if is_last else "completed")
        output = tuple(self._done[at] for at in sorted(self._done))
        whole = reply_writer.ended(self._begun, event.finish_reason, output, event.usage)
        yield wire.Completed(whole) if details is None else wire.Incomplete(whole)

    def _numbered(self, event: msgspec.Struct) -> bytes:
        numbered = msgspec.structs.replace(event, sequence_number=self._events)
        self._events += 1
        name = str(event.__struct_config__.tag)
        return sse.encode(msgspec.json.encode(numbered), name=name)
