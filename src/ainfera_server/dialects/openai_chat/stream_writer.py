"""Events of a conversation, written as the chunks that a caller of chat completions reads."""

from typing import assert_never

import msgspec

from ainfera_server import sse
from ainfera_server.conversation import (
    Ended,
    FinishReason,
    Request,
    Searched,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from ainfera_server.dialects.openai_chat import reply_writer, wire
from ainfera_server.dialects.sides import Envelope


class Encoder:
    """Writes one streamed answer: the role, deltas, the reason, the count if asked, `[DONE]`."""

    def __init__(self, request: Request, envelope: Envelope) -> None:
        self._envelope = envelope
        self._counts = request.stream_includes_usage
        self._reply_id = ""
        self._tools: dict[int, int] = {}
        self._silent: set[int] = set()

    def encode(self, event: StreamEvent) -> bytes:
        """Write one event; b"" when chunks have no word for it."""
        match event:
            case Started(reply_id=reply_id):
                self._reply_id = reply_id
                return self._delta(wire.Delta(role="assistant", content=""))
            case TextDelta(text=text):
                return self._delta(wire.Delta(content=text))
            case ThinkingDelta(text=text):
                return self._delta(wire.Delta(reasoning_content=text)) if text else b""
            case ToolCallStarted():
                return self._opened(event)
            case Searched():
                return b""
            case ToolCallDelta(index=index, arguments=arguments):
                return self._arguments(self._tools[index], arguments)
            case Ended(finish_reason=finish_reason, usage=usage):
                return self._ended(finish_reason, usage)
            case _:
                assert_never(event)

    def _opened(self, event: ToolCallStarted) -> bytes:
        """Tool calls are numbered among themselves."""
        index = len(self._tools)
        self._tools[event.index] = index
        self._silent.add(index)
        return self._call(
            wire.DeltaToolCall(
                index=index,
                function=wire.DeltaFunction(arguments="", name=event.name),
                id=event.call_id,
                type="function",
            )
        )

    def _arguments(self, index: int, arguments: str) -> bytes:
        if not arguments:
            return b""
        self._silent.discard(index)
        function = wire.DeltaFunction(arguments=arguments)
        return self._call(wire.DeltaToolCall(index=index, function=function))

    def _ended(self, finish_reason: FinishReason, usage: Usage | None) -> bytes:
        """The end; a call whose arguments never came has none, and callers parse what they get."""
        written = b"".join(self._arguments(index, "{}") for index in sorted(self._silent))
        written += self._delta(wire.Delta(), finish_reason)
        if self._counts and usage is not None:
            written += self._chunk((), reply_writer.usage(usage))
        return written + sse.encode(wire.DONE)

    def _call(self, call: wire.DeltaToolCall) -> bytes:
        return self._delta(wire.Delta(tool_calls=(call,)))

    def _delta(self, delta: wire.Delta, finish_reason: FinishReason | None = None) -> bytes:
        choice = wire.ChunkChoice(index=0, delta=delta, logprobs=None, finish_reason=finish_reason)
        return self._chunk((choice,), None)

    def _chunk(self, choices: tuple[wire.ChunkChoice, ...], usage: wire.Usage | None) -> bytes:
        """A chunk; only a caller who asked for the count sees its field, null until the end."""
        created, model = self._envelope.created_unix_s, self._envelope.model_slug
        if self._counts:
            chunk = wire.ChunkWithUsage(self._reply_id, created, model, choices, usage)
        else:
            chunk = wire.Chunk(self._reply_id, created, model, choices)
        return sse.encode(msgspec.json.encode(chunk))
