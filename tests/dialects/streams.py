"""Streams cut into bytes as networks cut them, and the laws that their events keep."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

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
)
from ainfera_server.dialects.sides import StreamDecoder


def decoded(decoder: StreamDecoder, body: bytes, cuts: Iterable[int] = ()) -> list[StreamEvent]:
    """The events of a stream that arrives in pieces."""
    splitter = sse.Splitter()
    events: list[StreamEvent] = []
    edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    for start, end in pairwise(edges):
        for event in splitter.feed(body[start:end]):
            events.extend(decoder.decode(event))
    for event in splitter.finish():
        events.extend(decoder.decode(event))
    return events


def check_laws(events: Sequence[StreamEvent]) -> None:
    """One Started first, one Ended last, indices from 0 in order, each of one kind."""
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Ended)
    kinds: dict[int, str] = {}
    for event in events[1:-1]:
        match event:
            case TextDelta() | ThinkingDelta():
                kind = type(event).__name__
                assert event.index == len(kinds) or kinds.get(event.index) == kind
            case ToolCallStarted():
                kind = "call"
                assert event.index == len(kinds)
            case ToolCallDelta():
                kind = "call"
                assert kinds.get(event.index) == kind
            case Searched():
                continue
            case Started() | Ended():
                raise AssertionError("an answer starts and ends once")
        kinds[event.index] = kind


def text(events: Iterable[StreamEvent]) -> str:
    """The words of an answer."""
    return "".join(one.text for one in events if isinstance(one, TextDelta))


def thinking(events: Iterable[StreamEvent]) -> str:
    """The reasoning of an answer."""
    return "".join(one.text for one in events if isinstance(one, ThinkingDelta))


def calls(events: Iterable[StreamEvent]) -> list[tuple[str, str, str]]:
    """The calls of an answer: id, name and arguments."""
    found: dict[int, tuple[str, str, str]] = {}
    for event in events:
        match event:
            case ToolCallStarted(index=index, call_id=call_id, name=name):
                found[index] = (call_id, name, "")
            case ToolCallDelta(index=index, arguments=arguments):
                call_id, name, before = found[index]
                found[index] = (call_id, name, before + arguments)
            case _:
                pass
    return list(found.values())
