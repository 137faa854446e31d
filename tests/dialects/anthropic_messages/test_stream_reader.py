"""Streams in the form of the Messages API, read and relayed."""

import json
from collections.abc import Sequence

import pytest

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
    Usage,
)
from ainfera_server.dialects.anthropic_messages import client
from ainfera_server.errors import ProviderFailed
from tests.dialects import streams
from tests.dialects.anthropic_messages.vendor_stream import block, end, event, start


def read(body: bytes) -> list[StreamEvent]:
    return streams.decoded(client.stream_decoder(), body)


def failed(body: bytes) -> ProviderFailed:
    with pytest.raises(ProviderFailed) as caught:
        read(body)
    return caught.value


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
    "body",
    [
        start(input_tokens=-1) + end(output_tokens=3),
        start(input_tokens=3) + end(output_tokens=10**12),
        start() + end(output_tokens=3),
        start(input_tokens=3) + end(),
        start(input_tokens=3, output_tokens=-1) + end(output_tokens=3),
    ],
    ids=range(5),
)
def test_counts_that_cannot_be_are_none_and_the_answer_ends(body: bytes) -> None:
    ended = read(body)[-1]
    assert isinstance(ended, Ended)
    assert ended.usage is None


def test_each_search_is_told_as_it_comes_and_counted_at_the_end() -> None:
    found = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"a": "b"}]}
    failed_search = found | {"content": {"type": "web_search_tool_result_error"}}
    opening = start(input_tokens=9, output_tokens=1)
    searched = opening + block(0, found) + block(1, failed_search) + block(2, found)
    events = read(searched + end(output_tokens=5))
    assert events[1:-1] == [Searched(result_characters=len('[{"a": "b"}]'))] * 2
    assert isinstance(events[-1], Ended)
    assert events[-1].usage == Usage(input_tokens=9, output_tokens=5, web_searches=2)


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
        start() + block(0, {"type": "tool_use", "id": "t", "name": "f", "input": []}),
    ],
    ids=range(12),
)
def test_a_stream_that_breaks_the_order_is_malformed(body: bytes) -> None:
    assert failed(body).reason == "malformed"


def test_an_end_without_a_reason_is_incomplete() -> None:
    assert failed(start() + end(None)).reason == "incomplete"


def test_what_is_relayed_is_what_came() -> None:
    body = start() + event("ping") + b"event: x\ndata: 1\n\n" + end()
    asked = Request(dialect="anthropic_messages", body=b"", model="m", messages=())
    relayed = [client.relayed(one, asked) for one in sse.Splitter().feed(body)]
    assert b"".join(relayed) == body
