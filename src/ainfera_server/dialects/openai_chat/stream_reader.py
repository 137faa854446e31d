"""Chunks as vendors of this dialect stream them, read into events of a conversation."""

from dataclasses import dataclass
from typing import Literal

from ainfera_server.conversation import (
    Ended,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from ainfera_server.dialects import failures
from ainfera_server.dialects.openai_chat import failure_reader, reply_reader, wire
from ainfera_server.sse import Event

TOOL_CALLS_MAX = 1024
"""No model calls more tools at once; a stream that does is broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenCall:
    index: int
    call_id: str


class Decoder:
    """Reads one streamed answer; what it knows of the answer so far is its state.

    Indices are given in the order in which parts open. Text and reasoning that come back after
    another part opened are a new part, because some readers close a part when the next one opens;
    arguments find their own call again whatever opened since.
    """

    def __init__(self) -> None:
        self._reply_id: str | None = None
        self._parts = 0
        self._open: Literal["text", "thinking", "tool"] | None = None
        self._calls: dict[int, _OpenCall] = {}
        self._last_call: _OpenCall | None = None
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._has_ended = False

    def decode(self, event: Event) -> tuple[StreamEvent, ...]:
        """Read one event; `[DONE]` gives the Ended. Raises ProviderFailed."""
        if self._has_ended or not event.data:
            return ()
        if event.data.startswith(wire.DONE):
            return (self._ended(),)
        if event.name == "error":
            raise failure_reader.reported(event.data)
        found = reply_reader.answer(event.data)
        # Some vendors count in every chunk, always from the start: the last one is the total.
        self._usage = reply_reader.usage(found.usage) or self._usage
        events: list[StreamEvent] = []
        for choice in found.choices or ():
            if self._reply_id is None:
                self._reply_id = found.id or ""
                events.append(Started(reply_id=self._reply_id, model=found.model or ""))
            if choice.delta is not None:
                events += self._deltas(choice.delta)
            self._finish = choice.finish_reason or self._finish
        return tuple(events)

    def _ended(self) -> Ended:
        self._has_ended = True
        return Ended(
            finish_reason=reply_reader.finish_reason(
                self._finish, called_tools=self._last_call is not None
            ),
            finish_reason_native=self._finish,
            usage=self._usage,
        )

    def _deltas(self, said: wire.Said) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        thinking, text = reply_reader.thinking_of(said), reply_reader.text_of(said)
        if thinking:
            events.append(ThinkingDelta(index=self._index("thinking"), text=thinking))
        if text:
            events.append(TextDelta(index=self._index("text"), text=text))
        for call in said.tool_calls or ():
            events += self._call_deltas(call)
        return events

    def _index(self, kind: Literal["text", "thinking"]) -> int:
        if self._open != kind:
            self._open = kind
            self._parts += 1
        return self._parts - 1

    def _call_deltas(self, said: wire.SaidToolCall) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        function = said.function or wire.SaidFunction()
        call = self._known_call(said, function.name)
        if call is None:
            if not function.name:
                raise failures.malformed("a tool call opens without a name")
            call = self._opened(said)
            events.append(
                ToolCallStarted(index=call.index, call_id=call.call_id, name=function.name)
            )
        arguments = reply_reader.arguments_of(function)
        if arguments:
            events.append(ToolCallDelta(index=call.index, arguments=arguments))
        return events

    def _known_call(self, said: wire.SaidToolCall, name: str | None) -> _OpenCall | None:
        """The call that this fragment belongs to; None when it opens one.

        Gemini leaves the index out or says 0 for every parallel call, each with its own id.
        """
        if said.index is None:
            opens = name and (self._last_call is None or said.id != self._last_call.call_id)
            return None if opens else self._last_call
        call = self._calls.get(said.index)
        opens = call is not None and name and said.id and said.id != call.call_id
        return None if opens else call

    def _opened(self, said: wire.SaidToolCall) -> _OpenCall:
        if len(self._calls) >= TOOL_CALLS_MAX:
            raise failures.malformed(f"it calls more than {TOOL_CALLS_MAX} tools")
        call_id = reply_reader.call_id_of(said.id, self._reply_id or "", self._parts)
        call = _OpenCall(index=self._parts, call_id=call_id)
        if said.index is not None:
            self._calls[said.index] = call
        self._last_call = call
        self._open = "tool"
        self._parts += 1
        return call
