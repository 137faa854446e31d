"""Streams in the form of the Messages API, read, written and relayed."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import anthropic
import pytest
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

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
from tests.dialects.anthropic_messages import conversations, vendor_sdk
from tests.dialects.anthropic_messages.conversations import ENVELOPE
from tests.dialects.openai_chat import streams

ASKED = Request(dialect="anthropic_messages", body=b"", model="m", messages=(), stream=True)
STARTED = Started(reply_id="msg_1", model="claude-opus-4-7", usage=Usage(input_tokens=25))
ENDED = Ended(
    finish_reason="tool_calls",
    finish_reason_native="tool_use",
    usage=Usage(input_tokens=25, output_tokens=15),
)
VENDORS_EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)


def event(kind: str, **fields: Any) -> bytes:
    return sse.encode(json.dumps({"type": kind} | fields).encode(), name=kind)


def start(**usage: int) -> bytes:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-4-7"}
    ending = {"stop_reason": None, "stop_sequence": None, "usage": usage}
    return event("message_start", message=message | {"content": []} | ending)


def block(index: int, content_block: dict[str, Any], *deltas: dict[str, Any]) -> bytes:
    return b"".join(
        (
            event("content_block_start", index=index, content_block=content_block),
            *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
            event("content_block_stop", index=index),
        )
    )


def end(stop_reason: str | None = "end_turn", **usage: int) -> bytes:
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return event("message_delta", delta=delta, usage=usage) + event("message_stop")


def read(body: bytes) -> list[StreamEvent]:
    return streams.decoded(client.stream_decoder(), body)


def failed(body: bytes) -> ProviderFailed:
    with pytest.raises(ProviderFailed) as caught:
        read(body)
    return caught.value


def written(events: Iterable[StreamEvent]) -> bytes:
    encoder = server.stream_encoder(ASKED, ENVELOPE)
    return b"".join(encoder.encode(one) for one in events)


def said(body: bytes) -> list[dict[str, Any]]:
    """The data of every event; each is named as its data says."""
    found = list(sse.Splitter().feed(body))
    data = [json.loads(one.data) for one in found]
    assert [one.name for one in found] == [one["type"] for one in data]
    return data


def accumulated(body: bytes) -> anthropic.types.Message:
    """What Anthropic's own client makes of a stream."""
    sdk = vendor_sdk.client(body=body, headers={"content-type": "text/event-stream"})
    asked = sdk.messages.stream(
        model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
    )
    with asked as stream:
        return stream.get_final_message()


def check_order(body: bytes) -> None:
    """The vendor's order: blocks one after the other from 0, each opened, spoken, closed."""
    events = said(body)
    for one in events:
        VENDORS_EVENT.validate_python(one, strict=True)
    kinds = [one["type"] for one in events]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    is_open, is_spoken, blocks, deltas = False, False, 0, 0
    for one in events[1:-2]:
        assert one["index"] == blocks
        match one["type"]:
            case "content_block_start":
                assert not is_open
                is_open, deltas = True, 0
                is_spoken = one["content_block"]["type"] == "redacted_thinking"
            case "content_block_delta":
                assert is_open
                deltas += 1
            case "content_block_stop":
                assert is_open
                assert deltas >= 1 or is_spoken
                is_open, blocks = False, blocks + 1
            case kind:
                raise AssertionError(kind)
    assert not is_open


def test_a_documented_stream_is_understood() -> None:
    # From https://platform.claude.com/docs/en/build-with-claude/streaming
    body = (
        start(input_tokens=472, output_tokens=2, cache_read_input_tokens=7)
        + event("ping")
        + block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Okay"})
        + block(
            1,
            {"type": "tool_use", "id": "toolu_01", "name": "get_weather", "input": {}},
            {"type": "input_json_delta", "partial_json": ""},
            {"type": "input_json_delta", "partial_json": '{"location":'},
            {"type": "input_json_delta", "partial_json": ' "SF"}'},
        )
        + end("tool_use", output_tokens=89)
    )
    started = Usage(input_tokens=472, cache_read_tokens=7, output_tokens=2)
    assert read(body) == [
        Started(reply_id="msg_1", model="claude-opus-4-7", usage=started),
        TextDelta(index=0, text="Okay"),
        ToolCallStarted(index=1, call_id="toolu_01", name="get_weather"),
        ToolCallDelta(index=1, arguments='{"location":'),
        ToolCallDelta(index=1, arguments=' "SF"}'),
        Ended(
            finish_reason="tool_calls",
            finish_reason_native="tool_use",
            usage=Usage(input_tokens=472, cache_read_tokens=7, output_tokens=89),
        ),
    ]


def test_reasoning_keeps_its_signature_and_what_is_hidden() -> None:
    body = (
        start()
        + block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "hm"},
            {"type": "signature_delta", "signature": "EqQB+/="},
        )
        + block(1, {"type": "redacted_thinking", "data": "Emw"})
        + block(2, {"type": "text", "text": "a"}, {"type": "citations_delta", "citation": {}})
        + end()
    )
    events = read(body)
    assert events[1:-1] == [
        ThinkingDelta(index=0, text="hm"),
        ThinkingDelta(index=0, signature="EqQB+/="),
        ThinkingDelta(index=1, redacted="Emw"),
        TextDelta(index=2, text="a"),
    ]
    message = accumulated(written(events))
    assert [one.to_dict() for one in message.content] == [
        {"type": "thinking", "thinking": "hm", "signature": "EqQB+/="},
        {"type": "redacted_thinking", "data": "Emw"},
        {"type": "text", "text": "a"},
    ]


def test_unknown_blocks_and_events_take_no_place() -> None:
    searched = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    body = (
        start()
        + event("invented_tomorrow", value=1)
        + block(0, searched, {"type": "input_json_delta", "partial_json": "{}"})
        + block(1, {"type": "text", "text": ""})
        + block(2, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Found."})
        + end()
    )
    assert read(body)[1:-1] == [TextDelta(index=0, text="Found.")]


@pytest.mark.parametrize(
    ("given", "deltas", "arguments"),
    [
        ("{}", [], "{}"),
        ("{}", [""], "{}"),
        ('{"a": 1}', [], '{"a": 1}'),
        ("{}", ['{"b"', ":2}"], '{"b":2}'),
    ],
)
def test_arguments_arrive_however_they_are_given(
    given: str, deltas: Sequence[str], arguments: str
) -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": json.loads(given)}
    pieces = [{"type": "input_json_delta", "partial_json": one} for one in deltas]
    events = read(start() + block(0, call, *pieces) + end("tool_use"))
    assert streams.calls(events) == [("t", "f", arguments)]


def test_a_later_count_does_not_take_back_the_reason() -> None:
    delta = {"stop_reason": "max_tokens", "stop_sequence": None}
    ending = event("message_delta", delta=delta, usage={"output_tokens": 5})
    events = read(start(input_tokens=1) + ending + end(None, output_tokens=9))
    assert events[-1] == Ended(
        finish_reason="length",
        finish_reason_native="max_tokens",
        usage=Usage(input_tokens=1, output_tokens=9),
    )


def test_without_the_terminator_there_is_no_end() -> None:
    body = start() + event("message_delta", delta={"stop_reason": "end_turn"}, usage={})
    assert not any(isinstance(one, Ended) for one in read(body))
    whole = body + event("message_stop")
    assert read(whole * 2) == read(whole)


def test_a_stream_that_nobody_counted_has_no_usage() -> None:
    ended = read(start() + end())[-1]
    assert isinstance(ended, Ended)
    assert ended.usage is None


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("overloaded_error", "unavailable"),
        ("api_error", "unavailable"),
        ("invented_error", "unavailable"),
        ("invalid_request_error", "rejected"),
        ("rate_limit_error", "rate_limited"),
        ("authentication_error", "credential_refused"),
    ],
)
def test_a_vendors_error_in_a_stream_is_raised(kind: str, reason: str) -> None:
    body = event("error", error={"type": kind, "message": "Overloaded"}, request_id="r")
    failure = failed(start() + body)
    assert failure.reason == reason
    assert "Overloaded" in failure.sentence
    assert failed(b"event: error\ndata: not json\n\n").reason == "unavailable"


OPEN = event("content_block_start", index=0, content_block={"type": "text", "text": ""})


@pytest.mark.parametrize(
    "body",
    [
        b"data: {\n\n",
        b'data: {"index":1}\n\n',
        b"data: \xff\n\n",
        OPEN,
        start() + start(),
        start() + OPEN + OPEN,
        start() + event("content_block_stop", index=0),
        start() + event("content_block_delta", index=0, delta={"type": "text_delta", "text": ""}),
        start() + OPEN + end(),
        start()
        + OPEN
        + event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "a"}),
        start() + event("content_block_start", index="0", content_block={"type": "text"}),
        start(output_tokens=-1),
        start() + end(output_tokens=10**12),
        start() + block(0, {"type": "tool_use", "id": "t", "name": "f", "input": []}),
    ],
    ids=range(14),
)
def test_a_stream_that_breaks_the_order_is_malformed(body: bytes) -> None:
    assert failed(body).reason == "malformed"


def test_an_end_without_a_reason_is_incomplete() -> None:
    assert failed(start() + end(None)).reason == "incomplete"


def test_what_is_relayed_is_what_came() -> None:
    body = start() + event("ping") + b"event: x\ndata: 1\n\n" + end()
    relayed = [client.relayed(one, ASKED) for one in sse.Splitter().feed(body)]
    assert b"".join(relayed) == body


def test_the_heartbeat_is_the_vendors_own() -> None:
    (beat,) = sse.Splitter().feed(server.HEARTBEAT)
    assert (beat.name, json.loads(beat.data)) == ("ping", {"type": "ping"})
    events = [STARTED, TextDelta(index=0, text="a"), ENDED]
    encoder = server.stream_encoder(ASKED, ENVELOPE)
    body = server.HEARTBEAT.join(encoder.encode(one) for one in events)
    assert accumulated(body).content[0].to_dict() == {"type": "text", "text": "a"}


def test_a_stream_starts_with_what_is_known_and_ends_with_the_totals() -> None:
    events = said(written([STARTED, TextDelta(index=0, text="a"), ENDED]))
    counts = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
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


def test_a_tool_call_always_speaks() -> None:
    body = written([STARTED, ToolCallStarted(index=0, call_id="a", name="f"), ENDED])
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
        words = draw(st.lists(conversations.words, min_size=1, max_size=3))
        return [TextDelta(index=index, text=one) for one in words]
    if kind == "thinking":
        words = draw(st.lists(conversations.words, min_size=1, max_size=3))
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
