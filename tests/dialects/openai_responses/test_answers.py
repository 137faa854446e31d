"""Answers of the Responses API, whole and streamed, and its errors."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response

from ainfera_server import sse
from ainfera_server.conversation import (
    Ended,
    Reply,
    Started,
    StreamEvent,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from ainfera_server.dialects.openai_responses import client
from ainfera_server.errors import ProviderFailed
from tests.dialects import samples, streams

KEY = "sk-proj-4f9aQ2bC7dE1fG3h"
COUNT = {
    "input_tokens": 81,
    "input_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 11},
    "output_tokens": 1035,
    "output_tokens_details": {"reasoning_tokens": 832},
    "total_tokens": 1116,
}
USAGE = Usage(
    input_tokens=40,
    cache_read_tokens=30,
    cache_write_tokens=11,
    output_tokens=1035,
    reasoning_tokens=832,
)
THOUGHT = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "Hm."}],
    "encrypted_content": "gAAAA==",
}
WORDS = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [
        {"type": "output_text", "text": "Hello", "annotations": []},
        {"type": "refusal", "refusal": "No."},
    ],
}
CALL = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_1",
    "name": "get_weather",
    "arguments": '{"city":"Rome"}',
}
SEARCH = {"id": "ts_1", "type": "tool_search_call", "status": "completed", "arguments": {"q": 1}}


def response(*output: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The form of https://developers.openai.com/api/reference/resources/responses."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1741476777,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "gpt-5.5-pro-2026-04-23",
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": COUNT,
    } | fields


def read(found: dict[str, Any]) -> Reply:
    return client.decode_reply(json.dumps(found).encode())


def test_a_documented_answer_is_understood() -> None:
    found = response(THOUGHT, WORDS, CALL)
    Response.model_validate(found, strict=True)
    assert read(found | {"output": [*found["output"], SEARCH]}) == Reply(
        reply_id="resp_1",
        model="gpt-5.5-pro-2026-04-23",
        parts=(
            Thinking(text="Hm.", signature="openai_responses.rs_1.gAAAA=="),
            Text(text="Hello"),
            Text(text="No."),
            ToolCall(call_id="call_1", name="get_weather", arguments='{"city":"Rome"}'),
        ),
        finish_reason="tool_calls",
        finish_reason_native="completed",
        usage=USAGE,
    )


@pytest.mark.parametrize(
    ("fields", "reason", "native"),
    [
        ({}, "stop", "completed"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            "length",
            "max_output_tokens",
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
            "content_filter",
        ),
        ({"status": "incomplete"}, "stop", "incomplete"),
    ],
)
def test_every_way_to_end_has_a_word(fields: dict[str, Any], reason: str, native: str) -> None:
    reply = read(response(WORDS, **fields))
    assert (reply.finish_reason, reply.finish_reason_native) == (reason, native)


def test_a_usage_left_out_is_not_known() -> None:
    assert read(response(WORDS, usage=None)).usage is None


@pytest.mark.parametrize(
    "wrong", [{"input_tokens": 5}, {"output_tokens": 10**12}, {"output_tokens": "5"}]
)
def test_counts_that_cannot_be_are_none_and_the_answer_is_kept(wrong: dict[str, Any]) -> None:
    found = read(response(WORDS, usage=COUNT | wrong))
    assert found.usage is None
    assert found.parts


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ({}, "malformed"),
        (response({"type": "function_call", "arguments": "{}"}), "malformed"),
        (response(status="in_progress"), "incomplete"),
        (response(status=None), "incomplete"),
        (
            response(status="failed", error={"code": "server_error", "message": "Boom"}),
            "unavailable",
        ),
        (
            response(status="failed", error={"code": "rate_limit_exceeded", "message": "Slow"}),
            "rate_limited",
        ),
        (
            response(status="failed", error={"code": "invalid_prompt", "message": "No"}),
            "rejected",
        ),
    ],
)
def test_what_is_no_answer_is_a_failure(found: dict[str, Any], reason: str) -> None:
    with pytest.raises(ProviderFailed) as caught:
        read(found)
    assert caught.value.reason == reason


def event(kind: str, **fields: Any) -> bytes:
    return sse.encode(json.dumps({"type": kind, "sequence_number": 1} | fields).encode(), name=kind)


UNDER_WAY = response(status="in_progress", usage=None)
BEGUN = b"".join(
    event(kind, response=UNDER_WAY) for kind in ("response.created", "response.in_progress")
)


def completed(**fields: Any) -> bytes:
    return event("response.completed", response=response(**fields))


def decoded(body: bytes) -> list[StreamEvent]:
    return streams.decoded(client.stream_decoder(), body)


def test_a_documented_stream_is_understood() -> None:
    opened_call = CALL | {"arguments": "", "status": "in_progress"}
    body = (
        BEGUN
        + event("response.output_item.added", output_index=0, item=THOUGHT | {"summary": []})
        + event("response.reasoning_summary_text.delta", output_index=0, delta="Hm.")
        + event("response.reasoning_summary_text.done", output_index=0, text="Hm.")
        + event("response.output_item.done", output_index=0, item=THOUGHT)
        + event("response.output_item.added", output_index=1, item=WORDS | {"content": []})
        + event("response.output_text.delta", output_index=1, content_index=0, delta="Hel")
        + event("response.output_text.delta", output_index=1, content_index=0, delta="lo")
        + event("response.output_text.done", output_index=1, content_index=0, text="Hello")
        + event("response.output_item.done", output_index=1, item=WORDS)
        + event("response.output_item.added", output_index=2, item=opened_call)
        + event("response.function_call_arguments.delta", output_index=2, delta='{"city":')
        + event("response.function_call_arguments.delta", output_index=2, delta='"Rome"}')
        + event(
            "response.function_call_arguments.done", output_index=2, arguments='{"city":"Rome"}'
        )
        + event("response.output_item.done", output_index=2, item=CALL)
        + event("response.mcp_call_arguments.delta", output_index=3, delta={"a": 1})
        + completed()
    )
    assert decoded(body) == [
        Started(reply_id="resp_1", model="gpt-5.5-pro-2026-04-23"),
        ThinkingDelta(index=0, text="Hm."),
        ThinkingDelta(index=0, signature="openai_responses.rs_1.gAAAA=="),
        TextDelta(index=1, text="Hel"),
        TextDelta(index=1, text="lo"),
        ToolCallStarted(index=2, call_id="call_1", name="get_weather"),
        ToolCallDelta(index=2, arguments='{"city":'),
        ToolCallDelta(index=2, arguments='"Rome"}'),
        Ended(finish_reason="tool_calls", finish_reason_native="completed", usage=USAGE),
    ]


def test_parts_whose_deltas_never_came_are_read_from_their_ends() -> None:
    body = (
        BEGUN
        + event("response.output_item.done", output_index=0, item=THOUGHT)
        + event("response.output_text.done", output_index=1, content_index=0, text="Hello")
        + event("response.refusal.done", output_index=1, content_index=1, refusal="No.")
        + event("response.output_item.done", output_index=2, item=CALL)
        + completed()
    )
    events = decoded(body)
    streams.check_laws(events)
    assert streams.thinking(events) == "Hm."
    assert streams.text(events) == "HelloNo."
    assert streams.calls(events) == [("call_1", "get_weather", '{"city":"Rome"}')]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["text", "refusal", "thinking", "call"]),
        st.integers(0, 3),
        st.integers(0, 1),
        samples.words,
    ),
    max_size=25,
)


@given(steps=STEPS, cuts=st.lists(st.integers(0, 10_000), max_size=12))
def test_any_interleaving_in_any_pieces_gives_the_same_answer(
    steps: list[tuple[str, int, int, str]], cuts: list[int]
) -> None:
    body, said = BEGUN, {"text": "", "thinking": ""}
    called: dict[int, str] = {}
    kinds = {
        "text": "response.output_text.delta",
        "refusal": "response.refusal.delta",
        "thinking": "response.reasoning_text.delta",
        "call": "response.function_call_arguments.delta",
    }
    for kind, output_index, content_index, words in steps:
        place = {"output_index": output_index, "content_index": content_index}
        if kind == "call":
            if output_index not in called:
                item = CALL | {"call_id": f"call_{output_index}", "arguments": ""}
                body += event("response.output_item.added", output_index=output_index, item=item)
            called[output_index] = called.get(output_index, "") + words
        else:
            said["thinking" if kind == "thinking" else "text"] += words
        body += event(kinds[kind], delta=words, **place)
    for output_index, whole in called.items():
        body += event(
            "response.function_call_arguments.done", output_index=output_index, arguments=whole
        )
    events = streams.decoded(client.stream_decoder(), body + completed(), cuts)
    streams.check_laws(events)
    assert streams.text(events) == said["text"]
    assert streams.thinking(events) == said["thinking"]
    assert streams.calls(events) == [
        (f"call_{at}", "get_weather", arguments) for at, arguments in called.items()
    ]


def test_an_answer_ends_once_and_only_when_the_response_does() -> None:
    decoder = client.stream_decoder()
    body = BEGUN + event("response.output_text.delta", output_index=0, delta="Hi")
    assert not any(isinstance(one, Ended) for one in streams.decoded(decoder, body))
    cut = event(
        "response.incomplete",
        response=response(status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
    )
    assert streams.decoded(decoder, cut) == [
        Ended(finish_reason="length", finish_reason_native="max_output_tokens", usage=USAGE)
    ]
    assert streams.decoded(decoder, cut + b"data: [DONE]\n\n") == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"data: {broken\n\n", "malformed"),
        (event("response.output_text.delta", output_index=0, delta="Hi"), "malformed"),
        (
            BEGUN + event("response.function_call_arguments.delta", output_index=0, delta="{"),
            "malformed",
        ),
        (
            BEGUN
            + b"".join(
                event("response.output_text.delta", output_index=at, delta="a")
                for at in range(4097)
            ),
            "malformed",
        ),
        (BEGUN + event("error", code="server_error", message="Boom"), "unavailable"),
        (BEGUN + event("error", code="rate_limit_exceeded", message="Slow"), "rate_limited"),
        (
            BEGUN
            + event(
                "response.failed",
                response=response(
                    status="failed", error={"code": "server_error", "message": "Boom"}
                ),
            ),
            "unavailable",
        ),
        (b'data: {"error":{"message":"Boom","type":"server_error"}}\n\n', "unavailable"),
    ],
)
def test_a_broken_stream_is_a_failure(body: bytes, reason: str) -> None:
    with pytest.raises(ProviderFailed) as caught:
        decoded(body)
    assert caught.value.reason == reason


REFUSAL = b'{"error":{"message":"It broke","type":"invalid_request_error","code":null}}'


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, REFUSAL, "rejected"),
        (400, b'{"error":{"code":"model_not_found"}}', "model_unavailable"),
        (400, b'{"error":{"code":"invalid_api_key"}}', "credential_refused"),
    ],
)
def test_the_vendors_words_say_how_an_attempt_failed(status: int, body: bytes, reason: str) -> None:
    failed = client.decode_failure(status=status, headers={"Retry-After": "1.5"}, body=body)
    assert failed.reason == reason
    assert failed.upstream_status == status
    assert failed.upstream_body == body
    assert failed.upstream_headers == {"retry-after": "1.5"}
    if body == REFUSAL:
        assert failed.sentence == "The provider answered with status 400: It broke"
