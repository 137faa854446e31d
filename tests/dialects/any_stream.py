"""Any streamed answer that a conversation can have, drawn at random."""

from dataclasses import replace
from typing import get_args

from hypothesis import strategies as st

from ainfera_server.conversation import (
    Ended,
    FinishReason,
    Request,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from ainfera_server.dialects.sides import ServerSide
from tests.dialects import samples

ASKED = Request(
    dialect="native",
    body=b"",
    model="m",
    messages=(),
    stream=True,
    stream_includes_usage=True,
)
PARTS_MAX = 5
FINISH_REASONS: tuple[FinishReason, ...] = get_args(FinishReason)

objects = st.sampled_from(
    ["{}", ' {"a": {"b": "}{"}} ', '{"city":"Köln \\"x\\""}', '{"a":[1,2.50,null,true]}']
)
counted_early = samples.usages.map(lambda one: replace(one, output_tokens=0, reasoning_tokens=0))
starts = st.builds(
    Started,
    reply_id=samples.names,
    model=samples.names,
    usage=st.none() | counted_early,
)
ends = st.builds(
    Ended,
    finish_reason=st.sampled_from(FINISH_REASONS),
    finish_reason_native=st.none(),
    usage=samples.usages,
)
silence = st.just("")


@st.composite
def _words(draw: st.DrawFn, index: int) -> list[StreamEvent]:
    said = draw(st.lists(samples.words | silence, min_size=1, max_size=3))
    return [TextDelta(index=index, text=one) for one in said]


@st.composite
def _thoughts(draw: st.DrawFn, index: int) -> list[StreamEvent]:
    said = draw(st.lists(samples.words | silence, min_size=1, max_size=3))
    signature = draw(st.none() | samples.words)
    last = [] if signature is None else [ThinkingDelta(index=index, signature=signature)]
    return [*(ThinkingDelta(index=index, text=one) for one in said), *last]


@st.composite
def _hidden(draw: st.DrawFn, index: int) -> list[StreamEvent]:
    return [ThinkingDelta(index=index, redacted=draw(samples.words))]


@st.composite
def _call(draw: st.DrawFn, index: int, arguments: st.SearchStrategy[str]) -> list[StreamEvent]:
    whole = draw(arguments)
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=3)))
    edges = zip((0, *cuts), (*cuts, len(whole)), strict=True)
    return [
        ToolCallStarted(index=index, call_id=f"call_{index}", name="f"),
        *(ToolCallDelta(index=index, arguments=whole[start:end]) for start, end in edges),
    ]


@st.composite
def answers(draw: st.DrawFn, arguments: st.SearchStrategy[str] = objects) -> list[StreamEvent]:
    """Parts that open in order and speak by turns, however they like."""
    parts: list[list[StreamEvent]] = []
    for index in range(draw(st.integers(0, PARTS_MAX))):
        kinds = (_words(index), _thoughts(index), _hidden(index), _call(index, arguments))
        parts.append(draw(st.one_of(*kinds)))
    events: list[StreamEvent] = []
    opened = 0
    while any(parts):
        may_speak = [at for at, part in enumerate(parts) if part and at <= opened]
        at = draw(st.sampled_from(may_speak))
        opened = max(opened, at + 1)
        events.append(parts[at].pop(0))
    end = draw(ends)
    if any(isinstance(one, ToolCallStarted) for one in events):
        end = replace(end, finish_reason="tool_calls")
    return [draw(starts), *events, end]


def written(server: ServerSide, events: list[StreamEvent]) -> bytes:
    """The answer as a caller of this dialect gets it."""
    encoder = server.stream_encoder(ASKED, samples.ENVELOPE)
    return b"".join(encoder.encode(one) for one in events)
