"""Whole answers in the form of chat completions, read and written."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from openai.types.chat import ChatCompletion

from ainfera_server.conversation import Reply, Text, Thinking, ToolCall, Usage
from ainfera_server.dialects.openai_chat import client, server
from ainfera_server.errors import ProviderFailed
from tests.dialects import samples
from tests.dialects.openai_chat import conversations, vendor_sdk

# From https://developers.openai.com/api/reference/resources/chat
GOLDEN = b"""{
  "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
  "object": "chat.completion",
  "created": 1741569952,
  "model": "gpt-5.4",
  "choices": [
    {
      "index": 0,
      "message": {
        "role": "assistant",
        "content": "Hello! How can I assist you today?",
        "refusal": null,
        "annotations": []
      },
      "logprobs": null,
      "finish_reason": "stop"
    }
  ],
  "usage": {
    "prompt_tokens": 19,
    "completion_tokens": 10,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 0}
  },
  "service_tier": "default"
}"""


def answer_of(message: dict[str, Any], finish_reason: str | None = "stop", **more: Any) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return json.dumps({"id": "c", "model": "m", "choices": [choice]} | more).encode()


def counted(**usage: Any) -> Usage | None:
    return client.decode_reply(answer_of({"content": "Hi"}, usage=usage)).usage


def test_a_documented_answer_is_understood() -> None:
    assert client.decode_reply(GOLDEN) == Reply(
        reply_id="chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        model="gpt-5.4",
        parts=(Text(text="Hello! How can I assist you today?"),),
        finish_reason="stop",
        finish_reason_native="stop",
        usage=Usage(input_tokens=15, cache_read_tokens=4, output_tokens=10, reasoning_tokens=3),
    )


@given(reply=conversations.replies())
def test_what_is_written_is_read_back_the_same(reply: Reply) -> None:
    body = server.encode_reply(reply, samples.ENVELOPE)
    assert client.decode_reply(body) == reply


@given(reply=conversations.replies())
def test_the_vendors_sdk_reads_what_is_written(reply: Reply) -> None:
    body = server.encode_reply(reply, samples.ENVELOPE)
    found = ChatCompletion.model_validate_json(body, strict=True)
    assert found.choices[0].finish_reason == reply.finish_reason
    message = found.choices[0].message
    texts = [one.text for one in reply.parts if isinstance(one, Text)]
    calls = [one for one in reply.parts if isinstance(one, ToolCall)]
    assert (message.content or "") == "".join(texts)
    assert [one.id for one in message.tool_calls or []] == [one.call_id for one in calls]
    assert (found.usage is None) == (reply.usage is None)
    if found.usage is not None:
        parts = found.usage.prompt_tokens + found.usage.completion_tokens
        assert found.usage.total_tokens == parts


def test_an_answer_says_what_we_know_about_it() -> None:
    reply = client.decode_reply(GOLDEN)
    body = server.encode_reply(reply, samples.ENVELOPE)
    completion = vendor_sdk.client(body=body).chat.completions.create(
        model="ainfera-inference", messages=[{"role": "user", "content": "Hi"}]
    )
    assert completion.choices[0].message.content == "Hello! How can I assist you today?"
    assert completion.model == "gpt-5-5"
    assert completion.created == samples.ENVELOPE.created_unix_s
    assert completion.to_dict()["ainfera"] == {
        "agent_id": samples.ENVELOPE.agent_id,
        "inference_id": samples.ENVELOPE.inference_id,
        "receipt_id": samples.ENVELOPE.receipt_id,
        "provider": "openai",
        "model": "gpt-5-5",
        "cost_usd": "0.000123",
        "audit_verify_url": f"{samples.ENVELOPE.audit_url}/verify",
    }


def test_an_answer_in_the_callers_dialect_is_only_added_to() -> None:
    body = server.adapt_reply(GOLDEN, samples.ENVELOPE)
    found, before = json.loads(body), json.loads(GOLDEN)
    assert list(found) == [*before, "ainfera"]
    assert found.pop("ainfera")["receipt_id"] == samples.ENVELOPE.receipt_id
    assert found == before
    for raw in (b'{"cached_tokens": 4, "audio_tokens": 0}', b'"logprobs": null,\n'):
        assert raw in body


def test_tool_calls_without_text_have_no_content() -> None:
    call = ToolCall(call_id="call_1", name="f", arguments='{"a":1}')
    reply = Reply(
        reply_id="r",
        model="m",
        parts=(call,),
        finish_reason="tool_calls",
        finish_reason_native="tool_use",
        usage=None,
    )
    body = json.loads(server.encode_reply(reply, samples.ENVELOPE))
    assert body["choices"][0]["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [
            {
                "type": "function",
                "id": "call_1",
                "function": {"name": "f", "arguments": '{"a":1}'},
            }
        ],
    }
    assert "usage" not in body


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({"content": None, "refusal": "No."}, (Text(text="No."),)),
        ({"content": ""}, ()),
        (
            {"content": "4", "reasoning_content": "2+2"},
            (Thinking(text="2+2"), Text(text="4")),
        ),
        ({"content": "4", "reasoning": "2+2"}, (Thinking(text="2+2"), Text(text="4"))),
        ({"content": "4", "reasoning": {"effort": "low"}}, (Text(text="4"),)),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "2+2"}]},
                    {"type": "text", "text": "4"},
                ]
            },
            (Thinking(text="2+2"), Text(text="4")),
        ),
    ],
)
def test_vendors_own_ways_of_saying_things_are_understood(
    message: dict[str, Any], parts: tuple[Any, ...]
) -> None:
    assert client.decode_reply(answer_of(message)).parts == parts


def test_vendors_own_ways_of_calling_tools_are_understood() -> None:
    calls = [
        {"id": "", "function": {"name": "f", "arguments": {"a": 1.50}}},
        {"function": {"name": "g", "arguments": ""}},
    ]
    body = answer_of({"content": None, "tool_calls": calls}).replace(b"1.5", b"1.50")
    reply = client.decode_reply(body)
    assert reply.parts == (
        ToolCall(call_id="call_c_0", name="f", arguments='{"a": 1.50}'),
        ToolCall(call_id="call_c_1", name="g", arguments="{}"),
    )
    assert (reply.finish_reason, reply.finish_reason_native) == ("tool_calls", "stop")


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("length", "length"),
        ("model_length", "length"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("something_new", "stop"),
    ],
)
def test_every_reason_to_end_has_a_word(native: str, reason: str) -> None:
    reply = client.decode_reply(answer_of({"content": "Hi"}, native))
    assert (reply.finish_reason, reply.finish_reason_native) == (reason, native)


def test_every_token_is_counted_once() -> None:
    details = {"cached_tokens": 30, "cache_write_tokens": 20}
    assert counted(
        prompt_tokens=100, completion_tokens=7, total_tokens=107, prompt_tokens_details=details
    ) == Usage(input_tokens=50, cache_read_tokens=30, cache_write_tokens=20, output_tokens=7)


def test_what_was_written_for_an_hour_is_part_of_the_prompt_too() -> None:
    usage = Usage(
        input_tokens=1, cache_read_tokens=2, cache_write_tokens=4, cache_write_1h_tokens=8
    )
    reply = replace(client.decode_reply(GOLDEN), usage=usage)
    found = json.loads(server.encode_reply(reply, samples.ENVELOPE))["usage"]
    assert found["prompt_tokens"] == found["total_tokens"] == 15
    assert found["prompt_tokens_details"] == {"cached_tokens": 2, "cache_write_tokens": 12}


def test_reasoning_counted_outside_of_the_completion_is_output() -> None:
    for details in ({"reasoning_tokens": 40}, None):
        assert counted(
            prompt_tokens=10,
            completion_tokens=5,
            total_tokens=55,
            completion_tokens_details=details,
        ) == Usage(input_tokens=10, output_tokens=45, reasoning_tokens=40)


def test_a_usage_left_out_is_not_known() -> None:
    assert client.decode_reply(answer_of({"content": "Hi"})).usage is None
    assert client.decode_reply(answer_of({"content": "Hi"}, usage=None)).usage is None
    assert counted() is None


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -1, "completion_tokens": 1},
        {"prompt_tokens": 1, "completion_tokens": 10**12},
        {"prompt_tokens": 1.5, "completion_tokens": 1},
        {"prompt_tokens": "1", "completion_tokens": 1},
        {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 10**30},
        {
            "prompt_tokens": 1,
            "completion_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": 2},
        },
        {
            "prompt_tokens": 1,
            "completion_tokens": 1,
            "completion_tokens_details": {"reasoning_tokens": -2},
        },
    ],
)
def test_counts_that_cannot_be_are_none_and_the_answer_is_kept(usage: dict[str, Any]) -> None:
    assert counted(**usage) is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "malformed"),
        (b"<html>", "malformed"),
        (b"[]", "malformed"),
        (b"{}", "malformed"),
        (b'{"choices":[]}', "malformed"),
        (b'{"choices":[{"message":{"content":5}}]}', "malformed"),
        (b'{"choices":[{"message":{"content":"\xff"}}]}', "malformed"),
        (b"[" * 99_999, "malformed"),
        (answer_of({"tool_calls": [{"id": "a"}]}), "malformed"),
        (answer_of({"content": "Hi"}, None), "incomplete"),
        (answer_of({"content": "Hi"}, "error"), "unavailable"),
        (b'{"error":{"message":"Overloaded","code":503}}', "unavailable"),
        (b'{"error":"busy"}', "unavailable"),
        (b'{"error":{"message":"Slow down","code":429}}', "rate_limited"),
        (b'{"error":{"message":"No","type":"invalid_request_error"}}', "rejected"),
    ],
)
def test_what_is_no_answer_is_a_failure(body: bytes, reason: str) -> None:
    with pytest.raises(ProviderFailed) as caught:
        client.decode_reply(body)
    assert caught.value.reason == reason
