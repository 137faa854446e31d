"""Streams of typed events, written for a caller of Responses."""

import json
from collections.abc import Sequence
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseErrorEvent, ResponseStreamEvent
from pydantic import TypeAdapter

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
from ainfera_server.dialects.openai_responses import client, reasoning, server
from ainfera_server.errors import AinferaError, Overloaded
from tests.dialects import any_stream, failures, samples, streams
from tests.dialects.openai_chat import vendor_sdk

EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
STREAMED = {"content-type": "text/event-stream"}
CUTS = st.lists(st.integers(0, 10_000), max_size=12)
ANY_TEXT = st.text(max_size=12) | st.sampled_from(["[1]", "null", '{"a"', "{}{}", " ", "not json"])
ANSWER: list[StreamEvent] = [
    Started(reply_id="msg_1", model="claude", usage=Usage(input_tokens=9)),
    ThinkingDelta(index=0, text="Hm"),
    ThinkingDelta(index=0, text="."),
    ThinkingDelta(index=0, signature="EqQB"),
    TextDelta(index=1, text="Hel"),
    TextDelta(index=1, text="lo"),
    ToolCallStarted(index=2, call_id="call_a", name="f"),
    ToolCallDelta(index=2, arguments='{"a"'),
    ToolCallStarted(index=3, call_id="call_b", name="ns--agents--g"),
    ToolCallDelta(index=2, arguments=":1}"),
    ToolCallDelta(index=3, arguments=""),
    Ended(
        finish_reason="tool_calls",
        finish_reason_native="tool_use",
        usage=Usage(input_tokens=4, cache_read_tokens=5, output_tokens=3),
    ),
]


def told(body: bytes) -> list[dict[str, Any]]:
    """The events, each checked against the vendor's own description of it."""
    found: list[dict[str, Any]] = []
    for event in sse.Splitter().feed(body):
        data = json.loads(event.data)
        assert event.name == data["type"]
        EVENT.validate_python(data, strict=True)
        found.append(data)
    return found


def check_laws(events: Sequence[dict[str, Any]]) -> None:
    """Numbers go up, items open and close once in their order, and ids never change."""
    assert [one["sequence_number"] for one in events] == list(range(len(events)))
    assert [one["type"] for one in events[:2]] == ["response.created", "response.in_progress"]
    assert events[-1]["type"] in {"response.completed", "response.incomplete"}
    assert len({one["response"]["id"] for one in (*events[:2], events[-1])}) == 1
    ids: list[str] = []
    done: dict[int, dict[str, Any]] = {}
    for event in events[2:-1]:
        at = event["output_index"]
        match event["type"]:
            case "response.output_item.added":
                assert at == len(ids)
                ids.append(event["item"]["id"])
            case "response.output_item.done":
                assert at not in done
                assert event["item"]["id"] == ids[at]
                done[at] = event["item"]
            case _:
                assert event["item_id"] == ids[at]
                assert at not in done
    assert len(set(ids)) == len(ids) == len(done)
    assert events[-1]["response"]["output"] == [done[at] for at in range(len(done))]


def test_a_stream_is_told_event_by_event_as_the_vendor_tells_it() -> None:
    events = told(any_stream.written(server, ANSWER))
    check_laws(events)
    assert [one["type"].removeprefix("response.") for one in events] == [
        *("created", "in_progress"),
        *("output_item.added", "reasoning_summary_part.added"),
        *("reasoning_summary_text.delta", "reasoning_summary_text.delta"),
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta"),
        *("output_item.added", "function_call_arguments.delta"),
        *("function_call_arguments.done", "output_item.done"),
        *("function_call_arguments.delta", "function_call_arguments.done", "output_item.done"),
        "completed",
    ]
    thought, words, first, second = events[-1]["response"]["output"]
    assert thought["encrypted_content"] == "ainfera.signed.EqQB"
    assert thought["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert words["content"][0]["text"] == "Hello"
    assert (first["name"], first["arguments"]) == ("f", '{"a":1}')
    assert (second["namespace"], second["name"], second["arguments"]) == ("agents", "g", "{}")
    assert events[-1]["response"]["usage"]["input_tokens"] == 9
    assert events[0]["response"]["usage"] is None


def test_the_response_repeats_what_was_asked() -> None:
    asked = {
        "model": "m",
        "input": "Hi",
        "instructions": "Be short.",
        "metadata": {"order": "4711"},
        "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": False}],
        "tool_choice": "required",
        "temperature": 0.5,
        "text": {"format": {"type": "json_object"}},
        "reasoning": None,
        "truncation": None,
        "stream": True,
    }
    request = server.decode_request(json.dumps(asked).encode())
    encoder = server.stream_encoder(request, samples.ENVELOPE)
    events = told(b"".join(encoder.encode(one) for one in ANSWER))
    repeated = ("instructions", "metadata", "tools", "tool_choice", "temperature", "text")
    for event in (*events[:2], events[-1]):
        assert {name: event["response"][name] for name in repeated} == {
            name: asked[name] for name in repeated
        }
        assert event["response"]["truncation"] == "disabled"
        assert event["response"]["store"] is False


@pytest.mark.parametrize(
    ("reason", "status", "why"),
    [
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
    ],
)
def test_an_answer_that_was_cut_off_says_so_at_its_end(reason: Any, status: str, why: str) -> None:
    ended = Ended(finish_reason=reason, finish_reason_native=None, usage=Usage(output_tokens=2))
    events = told(any_stream.written(server, [*ANSWER[:-1], ended]))
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["incomplete_details"] == {"reason": why}
    statuses = [one.get("status") for one in events[-1]["response"]["output"]]
    assert statuses == [None, "completed", "completed", status]


@given(events=any_stream.answers(ANY_TEXT))
def test_whatever_a_model_streams_keeps_the_vendors_laws(events: list[StreamEvent]) -> None:
    check_laws(told(any_stream.written(server, events)))


@given(events=any_stream.answers(ANY_TEXT))
def test_openais_client_puts_every_stream_together(events: list[StreamEvent]) -> None:
    body = any_stream.written(server, events).replace(b"\n\n", b"\n\n" + server.HEARTBEAT)
    last = events[-1]
    assert isinstance(last, Ended)
    sdk = vendor_sdk.client(body=body, headers=STREAMED)
    with sdk.responses.stream(model="m", input="Hi") as stream:
        if last.finish_reason not in {"stop", "tool_calls"}:
            assert [one.type for one in stream][-1] == "response.incomplete"
            return
        response = stream.get_final_response()
    calls = [one for one in response.output if one.type == "function_call"]
    assert [(one.call_id, one.name, one.arguments) for one in calls] == [
        (call_id, name, text or "{}") for call_id, name, text in streams.calls(events)
    ]
    assert response.output_text == streams.text(events)
    assert response.usage is not None
    assert last.usage is not None
    assert response.usage.output_tokens == last.usage.output_tokens


@given(events=any_stream.answers(), cuts=CUTS)
def test_a_stream_reads_back_as_it_was_however_it_is_cut(
    events: list[StreamEvent], cuts: list[int]
) -> None:
    found = streams.decoded(client.stream_decoder(), any_stream.written(server, events), cuts)
    streams.check_laws(found)
    assert streams.text(found) == streams.text(events)
    assert streams.thinking(found) == streams.thinking(events)
    assert streams.calls(found) == [
        (call_id, name, text or "{}") for call_id, name, text in streams.calls(events)
    ]
    end, last = found[-1], events[-1]
    assert isinstance(end, Ended)
    assert isinstance(last, Ended)
    has_calls = any(isinstance(one, ToolCallStarted) for one in events)
    is_about_nothing = last.finish_reason == "tool_calls" and not has_calls
    assert end.finish_reason == ("stop" if is_about_nothing else last.finish_reason)
    assert end.usage == last.usage
    assert sorted(signed(found)) == sorted(signed(events))


@given(events=any_stream.answers())
def test_that_a_vendor_searched_is_said_in_no_words_of_ours(events: list[StreamEvent]) -> None:
    searched = [events[0], Searched(result_characters=9), *events[1:]]
    assert any_stream.written(server, searched) == any_stream.written(server, events)


@pytest.mark.parametrize("error", failures.EVERY_ERROR, ids=repr)
def test_an_error_in_a_stream_has_the_vendors_form_for_either_kind_of_reader(
    error: AinferaError,
) -> None:
    body = server.encode_stream_error(error, request_id="req-1")
    event, failed = told(body)
    ResponseErrorEvent.model_validate(event, strict=True)
    assert (event["type"], failed["type"]) == ("error", "response.failed")
    assert event["message"] == event["error"]["message"] == error.sentence
    assert event["code"] == event["error"]["code"]
    assert event["detail"]["code"] == error.code
    assert failed["response"]["status"] == "failed"
    assert failed["response"]["error"]["message"] == error.sentence
    assert event["sequence_number"] < failed["sequence_number"]


def test_an_error_in_a_stream_reaches_the_vendors_sdk_with_what_came_before() -> None:
    body = any_stream.written(server, ANSWER[:6])
    body += server.encode_stream_error(Overloaded("Too many requests wait."), request_id="r")
    said: list[str] = []
    with (
        pytest.raises(openai.APIError) as caught,
        vendor_sdk.client(body=body, headers=STREAMED).responses.stream(
            model="m", input="Hi"
        ) as stream,
    ):
        said.extend(one.delta for one in stream if one.type == "response.output_text.delta")
    assert "".join(said) == "Hello"
    assert caught.value.message == "Too many requests wait."
    assert caught.value.code == "server_is_overloaded"
    raw = vendor_sdk.client(body=body, headers=STREAMED).responses.create(
        model="m", input="Hi", stream=True
    )
    with pytest.raises(openai.APIError, match="Too many requests wait"):
        list(raw)


@given(events=any_stream.answers(ANY_TEXT), at=st.integers(0, 40))
def test_an_error_after_any_event_ends_the_stream_for_the_vendors_sdk(
    events: list[StreamEvent], at: int
) -> None:
    body = any_stream.written(server, events[: min(at, len(events) - 1)])
    body += server.encode_stream_error(Overloaded("Too many requests wait."), request_id="r")
    stream = vendor_sdk.client(body=body, headers=STREAMED).responses.create(
        model="m", input="Hi", stream=True
    )
    kinds: list[str] = []
    with pytest.raises(openai.APIError, match="Too many requests wait"):
        kinds.extend(one.type for one in stream)
    assert not {"response.completed", "response.incomplete"} & set(kinds)


def signed(events: list[StreamEvent]) -> list[str]:
    """What has to come back with reasoning."""
    deltas = (one for one in events if isinstance(one, ThinkingDelta))
    found = (reasoning.sealed(one.signature, one.redacted) for one in deltas)
    return [one for one in found if one != reasoning.UNSIGNED]


def test_a_request_without_a_body_has_nothing_to_repeat() -> None:
    request = Request(dialect="native", body=b"", model="m", messages=())
    encoder = server.stream_encoder(request, samples.ENVELOPE)
    created, _ = told(encoder.encode(ANSWER[0]))
    assert created["response"]["tools"] == []
