"""Whole answers and errors, written for a caller of Responses."""

import json
from dataclasses import replace
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response

from ainfera_server.conversation import (
    FinishReason,
    Reply,
    Text,
    Thinking,
    ToolCall,
    Usage,
)
from ainfera_server.dialects.openai_responses import client, server
from ainfera_server.errors import (
    AinferaError,
    CapExceeded,
    IdempotencyInProgress,
    InsufficientFunds,
    Internal,
    Malformed,
    Overloaded,
    ProviderFailed,
    RequestError,
)
from tests.dialects import failures
from tests.dialects.openai_chat import conversations, vendor_sdk
from tests.dialects.samples import ENVELOPE, words

REPLY = Reply(
    reply_id="chatcmpl-1",
    model="gpt-5.5",
    parts=(
        Thinking(text="Hm.", signature="EqQB"),
        Text(text="I look."),
        ToolCall(call_id="call_1", name="weather", arguments='{ "city": "Köln" }'),
        ToolCall(call_id="call_2", name="ns--agents--wait", arguments="{}"),
    ),
    finish_reason="tool_calls",
    finish_reason_native="tool_use",
    usage=Usage(
        input_tokens=4,
        cache_read_tokens=5,
        cache_write_tokens=2,
        cache_write_1h_tokens=1,
        output_tokens=9,
        reasoning_tokens=3,
    ),
)


def written(reply: Reply) -> dict[str, Any]:
    body = json.loads(server.encode_reply(reply, ENVELOPE))
    ours = body.pop("ainfera")
    Response.model_validate(body, strict=True)
    assert ours["inference_id"] == ENVELOPE.inference_id
    return body


def test_every_part_is_an_item_with_an_id_of_its_own() -> None:
    body = written(REPLY)
    number = ENVELOPE.inference_id.replace("-", "")
    assert body["id"] == f"resp_{number}"
    assert (body["object"], body["model"], body["status"]) == ("response", "gpt-5-5", "completed")
    assert body["store"] is False
    assert body["output"] == [
        {
            "type": "reasoning",
            "id": f"rs_{number}_0",
            "summary": [{"type": "summary_text", "text": "Hm."}],
            "encrypted_content": "ainfera.signed.EqQB",
        },
        {
            "type": "message",
            "id": f"msg_{number}_1",
            "status": "completed",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "I look.", "annotations": [], "logprobs": []}
            ],
        },
        {
            "type": "function_call",
            "id": f"fc_{number}_2",
            "status": "completed",
            "call_id": "call_1",
            "name": "weather",
            "arguments": '{ "city": "Köln" }',
        },
        {
            "type": "function_call",
            "id": f"fc_{number}_3",
            "status": "completed",
            "call_id": "call_2",
            "name": "wait",
            "arguments": "{}",
            "namespace": "agents",
        },
    ]


def test_the_input_counts_what_a_cache_had_a_part_in() -> None:
    assert written(REPLY)["usage"] == {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 3},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 21,
    }
    assert written(replace(REPLY, usage=None))["usage"] is None


@pytest.mark.parametrize(
    ("reason", "status", "details"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_every_reason_to_end_has_a_status(
    reason: FinishReason, status: str, details: dict[str, str] | None
) -> None:
    words, cut = Text(text="Whole."), Text(text="Ha")
    body = written(replace(REPLY, parts=(words, cut), finish_reason=reason))
    assert (body["status"], body["incomplete_details"]) == (status, details)
    assert [one["status"] for one in body["output"]] == ["completed", status]


thoughts = st.builds(Thinking, text=words, signature=st.none() | words)


@given(reply=conversations.replies(), thinking=st.lists(thoughts, max_size=2))
def test_a_reply_reads_back_as_it_was(reply: Reply, thinking: list[Thinking]) -> None:
    parts = (*thinking, *(one for one in reply.parts if not isinstance(one, Thinking)))
    reply = replace(reply, parts=parts)
    found = client.decode_reply(server.encode_reply(reply, ENVELOPE))
    assert found.parts == parts
    assert (found.finish_reason, found.usage) == (reply.finish_reason, reply.usage)


def status_of(error: AinferaError) -> int:
    match error:
        case CapExceeded():
            return 402
        case Malformed():
            return 400
        case ProviderFailed(reason=reason):
            return {"rate_limited": 429, "unavailable": 503, "timeout": 504}.get(reason, 502)
        case _:
            return error.status


@pytest.mark.parametrize("error", failures.EVERY_ERROR, ids=repr)
def test_every_error_has_the_vendors_form_and_our_code(error: AinferaError) -> None:
    answer = server.encode_error(error, request_id="req-1")
    body = json.loads(answer.body)
    assert set(body) == {"error", "detail"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"] == error.sentence
    assert body["error"]["param"] == error.facts.get("param")
    assert all(isinstance(body["error"][one], str) for one in ("message", "type", "code"))
    assert body["detail"]["code"] == error.code
    assert error.facts.items() <= body["detail"].items()
    assert answer.status == status_of(error)
    assert ("request_id" in body["detail"]) == isinstance(error, Internal)
    if isinstance(error, RequestError) and not isinstance(error, IdempotencyInProgress):
        assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("error", failures.EVERY_ERROR, ids=repr)
def test_the_vendors_sdk_raises_every_error_with_its_words(error: AinferaError) -> None:
    answer = server.encode_error(error, request_id="req-1")
    sdk = vendor_sdk.client(status=answer.status, body=answer.body, headers=answer.headers)
    with pytest.raises(openai.APIStatusError) as caught:
        sdk.responses.create(model="m", input="Hi")
    assert error.sentence in caught.value.message
    assert caught.value.code == json.loads(answer.body)["error"]["code"]
    assert caught.value.status_code == answer.status


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InsufficientFunds("Too little."), "credit_balance_exhausted"),
        (CapExceeded("Too much.", reason="daily_cap_exceeded"), "project_spend_limit_exceeded"),
    ],
)
def test_money_is_refused_once_and_for_all(error: AinferaError, code: str) -> None:
    answer = server.encode_error(error, request_id="req-1")
    told = json.loads(answer.body)["error"]
    assert (answer.status, told["type"], told["code"]) == (402, "insufficient_quota", code)
    assert answer.headers == {"x-should-retry": "false"}


def test_when_to_try_again_is_told_in_whole_seconds() -> None:
    error = Overloaded("Too many requests wait.")
    error.retry_after_s = 7
    assert server.encode_error(error, request_id="r").headers == {"retry-after": "7"}


REFUSAL = b'{"error": {"message": "input is too long", "type": "invalid_request_error", "x": 1}}'


@pytest.mark.parametrize("status", [400, 429, 500])
def test_a_vendors_error_reaches_a_caller_of_its_dialect_unchanged(status: int) -> None:
    headers = {"X-Should-Retry": "false", "Retry-After": "3", "Set-Cookie": "a"}
    failed = client.decode_failure(status=status, headers=headers, body=REFUSAL)
    answer = server.encode_error(failed, request_id="r")
    assert (answer.status, answer.body) == (status, REFUSAL)
    assert answer.headers == {"x-should-retry": "false", "retry-after": "3"}


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error":{}}', b'{"type":"error","error":{"message":"a"}}']
)
def test_what_is_no_error_of_this_dialect_is_worded_anew(body: bytes) -> None:
    failed = client.decode_failure(status=400, headers={}, body=body)
    answer = server.encode_error(failed, request_id="r")
    assert answer.status == 502
    assert json.loads(answer.body)["detail"]["upstream_status"] == 400
