"""Typed events of the Responses API, read into events of a conversation."""

import msgspec

from ainfera_server.conversation import (
    Ended,
    Started,
    StreamEvent,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from ainfera_server.dialects import failures
from ainfera_server.dialects.openai_responses import (
    failure_reader,
    reasoning,
    reply_reader,
    wire,
)
from ainfera_server.sse import Event

PARTS_MAX = 4096
"""No answer has more parts; a stream that does is broken."""

REASONING = -1
"""Stands where a message has the number of its content: an item of reasoning is one part."""

CALL = -2
"""As REASONING, for a call of a function."""

_EVENT = msgspec.json.Decoder(wire.StreamedEvent)


class Decoder:
    """Reads one streamed answer; what it knows of the answer so far is its state.

    The vendor numbers items and their contents apart; a part is found by both, and gets our
    index when it opens. A part whose deltas never came is read from the event that ends it.
    """

    def __init__(self) -> None:
        self._has_started = False
        self._has_ended = False
        self._called_tools = False
        self._indices: dict[tuple[int, int], int] = {}
        self._heard: set[int] = set()

    def decode(self, event: Event) -> tuple[StreamEvent, ...]:
        """Read one event; the completed response gives the Ended. Raises ProviderFailed."""
        if self._has_ended or not event.data or event.data.startswith(b"[DONE]"):
            return ()
        try:
            said = _EVENT.decode(event.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise failures.malformed(f"{error}") from None
        if said.type == "error" or said.error is not None:
            raise failure_reader.reported(
                said.error or wire.ResponseError(message=said.message, code=said.code)
            )
        if said.response is not None:
            return self._response(said.type, said.response)
        return self._part(said)

    def _response(self, kind: str, response: wire.Response) -> tuple[StreamEvent, ...]:
        started: tuple[StreamEvent, ...] = ()
        if not self._has_started:
            self._has_started = True
            started = (Started(reply_id=response.id, model=response.model),)
        match kind:
            case "response.completed" | "response.incomplete" | "response.failed":
                reason, native = reply_reader.finish_reason(
                    response, called_tools=self._called_tools
                )
                self._has_ended = True
                usage = reply_reader.usage(response.usage)
                ended = Ended(finish_reason=reason, finish_reason_native=native, usage=usage)
                return (*started, ended)
            case _:
                return started

    def _part(self, said: wire.StreamedEvent) -> tuple[StreamEvent, ...]:
        place = (said.output_index, said.content_index)
        match said.type:
            case "response.output_text.delta" | "response.refusal.delta":
                return self._text(place, _delta(said))
            case "response.output_text.done":
                return self._text(place, self._unheard(place, said.text))
            case "response.refusal.done":
                return self._text(place, self._unheard(place, said.refusal))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                return self._thinking(said.output_index, _delta(said))
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                return self._arguments(said.output_index, _delta(said))
            case "response.function_call_arguments.done":
                unheard = self._unheard((said.output_index, CALL), said.arguments)
                return self._arguments(said.output_index, unheard)
            case "response.custom_tool_call_input.done":
                unheard = self._unheard((said.output_index, CALL), said.input)
                return self._arguments(said.output_index, unheard)
            case "response.output_item.added" if said.item is not None:
                return self._opened(said.output_index, said.item)
            case "response.output_item.done" if said.item is not None:
                return self._closed(said.output_index, said.item)
            case _:
                return ()

    def _text(self, place: tuple[int, int], words: str) -> tuple[StreamEvent, ...]:
        return (TextDelta(index=self._index(place), text=words),) if words else ()

    def _thinking(self, output_index: int, words: str) -> tuple[StreamEvent, ...]:
        if not words:
            return ()
        return (ThinkingDelta(index=self._index((output_index, REASONING)), text=words),)

    def _arguments(self, output_index: int, words: str) -> tuple[StreamEvent, ...]:
        place = (output_index, CALL)
        if place not in self._indices:
            raise failures.malformed("arguments came for a call that never opened")
        return (ToolCallDelta(index=self._index(place), arguments=words),) if words else ()

    def _opened(self, output_index: int, item: wire.SaidItem) -> tuple[StreamEvent, ...]:
        if item.type not in reply_reader.CALLS:
            return ()
        called = reply_reader.call(item)
        self._called_tools = True
        index = self._index((output_index, CALL))
        self._heard.discard(index)
        return (ToolCallStarted(index=index, call_id=called.call_id, name=called.name),)

    def _closed(self, output_index: int, item: wire.SaidItem) -> tuple[StreamEvent, ...]:
        match item.type:
            case "reasoning":
                return self._thought(output_index, reasoning.thinking(item))
            case kind if kind in reply_reader.CALLS:
                opened: tuple[StreamEvent, ...] = ()
                if (output_index, CALL) not in self._indices:
                    opened = self._opened(output_index, item)
                unheard = self._unheard((output_index, CALL), reply_reader.item_arguments(item))
                return (*opened, *self._arguments(output_index, unheard))
            case _:
                return ()

    def _thought(self, output_index: int, whole: Thinking) -> tuple[StreamEvent, ...]:
        unheard = self._unheard((output_index, REASONING), whole.text)
        if whole.signature is None and whole.redacted is None:
            return self._thinking(output_index, unheard)
        index = self._index((output_index, REASONING))
        return (
            ThinkingDelta(
                index=index, text=unheard, signature=whole.signature, redacted=whole.redacted
            ),
        )

    def _unheard(self, place: tuple[int, int], whole: str | None) -> str:
        """The whole of a part, if none of it came before."""
        index = self._indices.get(place)
        return "" if index in self._heard else whole or ""

    def _index(self, place: tuple[int, int]) -> int:
        if not self._has_started:
            raise failures.malformed("a part came before the response began")
        index = self._indices.setdefault(place, len(self._indices))
        if index >= PARTS_MAX:
            raise failures.malformed(f"it has more than {PARTS_MAX} parts")
        self._heard.add(index)
        return index


def _delta(said: wire.StreamedEvent) -> str:
    """The words of a delta; events that we do not read have deltas that are no text."""
    raw = bytes(said.delta)
    return msgspec.json.decode(raw, type=str) if raw.startswith(b'"') else ""
