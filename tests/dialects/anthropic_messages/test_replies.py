"""Whole answers in the form of the Messages API, read and written."""

import json
from dataclasses import replace
from typing import Any

import anthropic
import pytest
from anthropic.types import Message
from hypothesis import given

from ainfera_server.conversation import (
    FinishReason,
    Reply,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from ainfera_server.dialects.anthropic_messages import client, server
from ainfera_server.errors import ProviderFailed
from tests.dialects.anthropic_messages import conversations, vendor_sdk
from tests.dialects.anthropic_messages.conversations import ENVELOPE

ANSWER: dict[str, Any] = {
    "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-4-7",
    "content": [{"type": "text", "text": "Hi! My name is Claude."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 2095, "output_tokens": 503},
}
"""From https://platform.claude.com/docs/en/api/messages/create."""

REPLY = Reply(
    reply_id="chatcmpl-1",
    model="gpt-5",
    parts=(Text(text="Hi."),),
    finish_reason="stop",
    finish_reason_native="stop",
    usage=None,
)


def read(**fields: Any) -> Reply:
    return client.decode_reply(json.dumps(ANSWER | fields).encode())


def written(reply: Reply) -> dict[str, Any]:
    return json.loads(server.encode_reply(reply, ENVELOPE))


def parsed(body: bytes) -> anthropic.types.Message:
    """The answer as Anthropic's own client gives it."""
    return vendor_sdk.client(body=body).messages.create(
        model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
    )


def test_a_documented_answer_is_understood() -> None:
    assert read() == Reply(
        reply_id="msg_013Zva2CMHLNnXjNJJKqJ2EF",
        model="claude-opus-4-7",
        parts=(Text(text="Hi! My name is Claude."),),
        finish_reason="stop",
        finish_reason_native="end_turn",
        usage=Usage(input_tokens=2095, output_tokens=503),
    )


@given(conversations.replies())
def test_what_is_written_reads_as_what_was_answered(reply: Reply) -> None:
    body = server.encode_reply(reply, ENVELOPE)
    assert client.decode_reply(body) == reply
    Message.model_validate_json(body, strict=True)


def test_the_vendors_sdk_reads_an_answer_with_everything() -> None:
    reply = replace(
        REPLY,
        parts=(
            Thinking(text="hm"),
            Thinking(text="", redacted="EmwK"),
            Text(text="So."),
            ToolCall(call_id="call_1", name="f", arguments='{"a": [1, 2.50]}'),
        ),
        finish_reason="tool_calls",
        finish_reason_native="tool_calls",
        usage=Usage(
            input_tokens=3,
            cache_read_tokens=5,
            cache_write_tokens=4,
            cache_write_1h_tokens=3,
            output_tokens=11,
            reasoning_tokens=2,
        ),
    )
    message = parsed(server.encode_reply(reply, ENVELOPE))
    assert [one.type for one in message.content] == [
        *("thinking", "redacted_thinking"),
        *("text", "tool_use"),
    ]
    call = message.content[3]
    assert call.type == "tool_use"
    assert call.input == {"a": [1, 2.5]}
    assert (message.id, message.model) == ("msg_chatcmpl-1", ENVELOPE.model_slug)
    assert message.stop_reason == "tool_use"
    usage = message.usage
    assert (usage.input_tokens, usage.output_tokens) == (3, 11)
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (5, 7)
    assert usage.cache_creation is not None
    assert usage.cache_creation.ephemeral_5m_input_tokens == 4
    assert usage.cache_creation.ephemeral_1h_input_tokens == 3
    assert usage.output_tokens_details is not None
    assert usage.output_tokens_details.thinking_tokens == 2


@pytest.mark.parametrize(
    ("total", "created", "written"),
    [
        (100, {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40}, (60, 40)),
        (None, {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40}, (60, 40)),
        (100, {"ephemeral_1h_input_tokens": 100}, (0, 100)),
        (100, {}, (100, 0)),
        (100, None, (100, 0)),
        (None, None, (0, 0)),
    ],
)
def test_what_was_written_to_a_cache_is_counted_by_how_long_it_lives(
    total: int | None, created: dict[str, int] | None, written: tuple[int, int]
) -> None:
    # https://platform.claude.com/docs/en/build-with-claude/prompt-caching#1-hour-cache-duration
    counts = {"cache_creation_input_tokens": total, "cache_creation": created}
    usage = read(usage={"input_tokens": 1, "output_tokens": 2} | counts).usage
    assert usage is not None
    assert (usage.cache_write_tokens, usage.cache_write_1h_tokens) == written
    assert usage.input_tokens == 1


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("content_filter", "refusal"),
    ],
)
def test_every_reason_to_end_has_a_word(reason: FinishReason, word: str) -> None:
    for native in (None, reason, "eos"):
        reply = replace(REPLY, finish_reason=reason, finish_reason_native=native)
        assert written(reply)["stop_reason"] == word
    assert read(stop_reason=word).finish_reason == reason


def test_a_word_that_is_new_is_an_end_like_any_other() -> None:
    found = read(stop_reason="coffee_break")
    assert (found.finish_reason, found.finish_reason_native) == ("stop", "coffee_break")


def test_the_sequence_that_ended_an_answer_is_named() -> None:
    found = written(replace(REPLY, stop_sequence="END"))
    assert (found["stop_reason"], found["stop_sequence"]) == ("stop_sequence", "END")


def test_an_answer_that_nobody_counted_says_zero() -> None:
    assert written(REPLY)["usage"]["output_tokens"] == 0
    assert read(usage=None).usage is None
    assert read(usage={}).usage is None


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ("", {}),
        (' {"a":1} ', {"a": 1}),
        ('{"a":', {"INVALID_JSON": '{"a":'}),
        ("[1]", {"INVALID_JSON": "[1]"}),
    ],
)
def test_even_broken_arguments_are_handed_over(arguments: str, given: object) -> None:
    call = ToolCall(call_id="c", name="f", arguments=arguments)
    assert written(replace(REPLY, parts=(call,)))["content"][0]["input"] == given


def test_an_answer_in_this_dialect_is_not_touched() -> None:
    body = b'{ "type":"message" , "x":1.0}'
    assert server.adapt_reply(body, ENVELOPE) is body


def test_blocks_that_no_conversation_has_words_for_are_skipped() -> None:
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    found = read(content=[search, *ANSWER["content"]])
    assert found.parts == (Text(text="Hi! My name is Claude."),)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "completion"},
        {"content": "text"},
        {"content": [{"type": "text"}]},
        {"content": [{"type": "tool_use", "id": "t", "name": "f", "input": "{}"}]},
        {"content": [{}]},
        {"id": None},
    ],
)
def test_an_answer_that_is_none_is_malformed(fields: dict[str, Any]) -> None:
    with pytest.raises(ProviderFailed) as caught:
        read(**fields)
    assert caught.value.reason == "malformed"


@pytest.mark.parametrize(
    "usage",
    [
        5,
        {"input_tokens": -1, "output_tokens": 1},
        {"input_tokens": 1, "output_tokens": 10**12},
        {"input_tokens": 1, "output_tokens": 10**30},
        {"input_tokens": 1, "output_tokens": 1.5},
        {"input_tokens": 1},
        {"output_tokens": 1},
        {"input_tokens": 1, "output_tokens": 1, "cache_read_input_tokens": "2"},
        {
            "input_tokens": 1,
            "output_tokens": 1,
            "cache_creation_input_tokens": 1,
            "cache_creation": {"ephemeral_1h_input_tokens": 2},
        },
        {
            "input_tokens": 1,
            "output_tokens": 1,
            "server_tool_use": {"web_search_requests": -1, "web_fetch_requests": 0},
        },
    ],
)
def test_counts_that_cannot_be_are_none_and_the_answer_is_kept(usage: Any) -> None:
    found = read(usage=usage)
    assert found.usage is None
    assert found.parts == (Text(text="Hi! My name is Claude."),)


FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "s",
    "content": [{"type": "web_search_result", "url": "https://a.example", "title": "A"}],
}
FAILED_SEARCH = FOUND | {
    "content": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}
}


def test_searches_are_counted_by_the_vendor_and_else_by_what_they_found() -> None:
    content = [FOUND, FAILED_SEARCH, FOUND, *ANSWER["content"]]
    tokens = {"input_tokens": 3, "output_tokens": 4}
    told = {"server_tool_use": {"web_search_requests": 7, "web_fetch_requests": 0}}
    for usage, searches in ((tokens | told, 7), (tokens, 2)):
        found = read(content=content, usage=usage)
        assert found.web_searches == 2
        assert found.usage == Usage(input_tokens=3, output_tokens=4, web_searches=searches)
        assert found.parts == (Text(text="Hi! My name is Claude."),)


def test_searches_are_written_as_the_vendors_client_reads_them() -> None:
    usage = Usage(input_tokens=3, output_tokens=4, web_searches=2)
    body = server.encode_reply(replace(REPLY, usage=usage), ENVELOPE)
    ran = parsed(body).usage.server_tool_use
    assert ran is not None
    assert (ran.web_search_requests, ran.web_fetch_requests) == (2, 0)
    assert "server_tool_use" not in written(REPLY)["usage"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", b"[" * 100_000])
def test_bytes_that_are_no_answer_are_malformed(body: bytes) -> None:
    with pytest.raises(ProviderFailed) as caught:
        client.decode_reply(body)
    assert caught.value.reason == "malformed"


def test_an_answer_without_a_reason_to_end_is_incomplete() -> None:
    with pytest.raises(ProviderFailed) as caught:
        read(stop_reason=None)
    assert caught.value.reason == "incomplete"


def test_an_error_with_a_status_of_success_is_an_error() -> None:
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    with pytest.raises(ProviderFailed) as caught:
        client.decode_reply(body)
    assert caught.value.reason == "unavailable"
    assert "Overloaded" in caught.value.sentence
