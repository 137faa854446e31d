"""Streams in the form of the Messages API, written."""

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server import sse
from ainfera_server.conversation import (
    Ended,
    Request,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from ainfera_server.dialects.anthropic_messages import client, server
from ainfera_server.errors import ProviderFailed
from tests.dialects import samples, streams
from tests.dialects.anthropic_messages import conversations
from tests.dialects.anthropic_messages.conversations import ENVELOPE
from tests.dialects.anthropic_messages.vendor_stream import accumulated, check_order, said

ASKED = Request(dialect="anthropic_messages", body=b"", model="m", messages=(), stream=True)
STARTED = Started(reply_id="msg_1", model="claude-opus-4-7", usage=Usage(input_tokens=25))
ENDED = Ended(
    finish_reason="tool_calls",
    finish_reason_native="tool_use",
    usage=Usage(input_tokens=25, output_tokens=15),
)


def written(events: Iterable[StreamEvent]) -> bytes:
    encoder = server.stream_encoder(ASKED, ENVELOPE)
    return b"".join(encoder.encode(one) for one in events)


def test_reasoning_keeps_its_signature_and_what_is_hidden() -> None:
    events = [
        STARTED,
        ThinkingDelta(index=0, text="hm"),
        ThinkingDelta(index=0, signature="EqQB+/="),
        ThinkingDelta(index=1, redacted="Emw"),
        TextDelta(index=2, text="a"),
        ENDED,
    ]
    assert [one.to_dict() for one in accumulated(written(events)).content] == [
        {"type": "thinking", "thinking": "hm", "signature": "EqQB+/="},
        {"type": "redacted_thinking", "data": "Emw"},
        {"type": "text", "text": "a"},
    ]


def test_the_heartbeat_is_the_vendors_own() -> None:
    (beat,) = sse.Splitter().feed(server.HEARTBEAT)
    assert (beat.name, json.loads(beat.data)) == ("ping", {"type": "ping"})
    events = [STARTED, TextDelta(index=0, text="a"), ENDED]
    encoder = server.stream_encoder(ASKED, ENVELOPE)
    body = server.HEARTBEAT.join(encoder.encode(one) for one in events)
    assert accumulated(body).content[0].to_dict() == {"type": "text", "text": "a"}


def test_a_stream_starts_with_what_is_known_and_ends_with_the_totals() -> None:
    events = said(written([STARTED, TextDelta(index=0, text="a"), ENDED]))
    created = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
    counts = {
        "cache_creation_input_tokens": 0,
        "cache_creation": created,
        "cache_read_input_tokens": 0,
    }
    assert events[0]["message"] == {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "model": ENVELOPE.model_slug,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 25, "output_tokens": 0} | counts,
    }
    assert events[-2]["usage"] == {"input_tokens": 25, "output_tokens": 15} | counts
    unknown = Ended(finish_reason="stop", finish_reason_native=None, usage=None)
    assert said(written([STARTED, unknown]))[-2]["usage"] == {"output_tokens": 0}
    assert accumulated(written([STARTED, unknown])).usage.input_tokens == 25


def test_the_first_words_leave_at_once() -> None:
    encoder = server.stream_encoder(ASKED, ENVELOPE)
    encoder.encode(STARTED)
    assert b'"text":"Hi"' in encoder.encode(TextDelta(index=0, text="Hi"))
    opened = encoder.encode(ToolCallStarted(index=1, call_id="a", name="f"))
    assert [one["type"] for one in said(opened)] == ["content_block_stop", "content_block_start"]
    assert b'"partial_json":"{"' in encoder.encode(ToolCallDelta(index=1, arguments="{"))
    assert encoder.encode(ToolCallStarted(index=2, call_id="b", name="g")) == b""
    whole = encoder.encode(ToolCallDelta(index=1, arguments="}"))
    assert [one["type"] for one in said(whole)] == [
        *("content_block_delta", "content_block_stop", "content_block_start"),
    ]


@pytest.mark.parametrize("silence", [(), ("",), (" ", "\n")])
def test_a_tool_call_always_speaks(silence: tuple[str, ...]) -> None:
    deltas = [ToolCallDelta(index=0, arguments=one) for one in silence]
    body = written([STARTED, ToolCallStarted(index=0, call_id="a", name="f"), *deltas, ENDED])
    assert accumulated(body).content[0].to_dict()["input"] == {}
    assert [one.get("delta") for one in said(body)][2] == {
        "type": "input_json_delta",
        "partial_json": "{}",
    }
    check_order(body)


def test_what_waits_is_bounded() -> None:
    encoder = server.stream_encoder(ASKED, ENVELOPE)
    encoder.encode(STARTED)
    for index in (0, 1):
        encoder.encode(ToolCallStarted(index=index, call_id="a", name="f"))
    much = ToolCallDelta(index=1, arguments="a" * 600_000)
    encoder.encode(much)
    with pytest.raises(ProviderFailed):
        encoder.encode(much)


def test_arguments_that_go_on_after_their_end_are_not_glued_to_another_call() -> None:
    encoder = server.stream_encoder(ASKED, ENVELOPE)
    encoder.encode(STARTED)
    encoder.encode(ToolCallStarted(index=0, call_id="a", name="f"))
    encoder.encode(ToolCallDelta(index=0, arguments="{}"))
    encoder.encode(ToolCallStarted(index=1, call_id="b", name="f"))
    assert encoder.encode(ToolCallDelta(index=0, arguments=" \n")) == b""
    encoder.encode(ToolCallDelta(index=1, arguments="{}"))
    with pytest.raises(ProviderFailed):
        encoder.encode(ToolCallDelta(index=0, arguments='{"a":1}'))


Track = list[StreamEvent]


@st.composite
def tracks(draw: st.DrawFn, index: int) -> Track:
    """All that one part says, in small pieces."""
    kind = draw(st.sampled_from(["text", "thinking", "call", "call"]))
    if kind == "text":
        words = draw(st.lists(samples.words, min_size=1, max_size=3))
        return [TextDelta(index=index, text=one) for one in words]
    if kind == "thinking":
        words = draw(st.lists(samples.words, min_size=1, max_size=3))
        signed = ThinkingDelta(index=index, signature="s")
        return [*(ThinkingDelta(index=index, text=one) for one in words), signed]
    arguments = draw(conversations.arguments)
    cut = draw(st.integers(0, len(arguments)))
    pieces = [one for one in (arguments[:cut], arguments[cut:]) if one]
    return [
        ToolCallStarted(index=index, call_id=f"call_{index}", name="f"),
        *(ToolCallDelta(index=index, arguments=one) for one in pieces),
    ]


@st.composite
def mixed(draw: st.DrawFn) -> list[StreamEvent]:
    """Parts that open in order and then speak by turns."""
    parts = [draw(tracks(index)) for index in range(draw(st.integers(0, 4)))]
    events: list[StreamEvent] = [STARTED]
    opened = 0
    while any(parts):
        may_speak = [at for at, part in enumerate(parts) if part and at <= opened]
        at = draw(st.sampled_from(may_speak))
        opened = max(opened, at + 1)
        events.append(parts[at].pop(0))
    return [*events, ENDED]


@given(mixed(), st.lists(st.integers(0, 10_000), max_size=5))
def test_any_interleaving_in_any_pieces_gives_the_same_answer(
    events: list[StreamEvent], cuts: list[int]
) -> None:
    body = written(events)
    check_order(body)
    found = streams.decoded(client.stream_decoder(), body, cuts)
    streams.check_laws(found)
    assert sorted(streams.text(found)) == sorted(streams.text(events))
    assert sorted(streams.thinking(found)) == sorted(streams.thinking(events))
    assert sorted(streams.calls(found)) == sorted(streams.calls(events))
    assert found[-1] == ENDED
    uses = [one for one in accumulated(body).content if one.type == "tool_use"]
    assert sorted((one.id, json.dumps(one.input)) for one in uses) == sorted(
        (call_id, json.dumps(json.loads(arguments)))
        for call_id, _, arguments in streams.calls(events)
    )
