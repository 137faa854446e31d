"""The native API: asked as chat completions are, answered in its own form."""

import json
from decimal import Decimal
from typing import Any

import ainfera
import httpx
import pytest
from ainfera.inference import InferenceResponse
from hypothesis import given

from ainfera_server.conversation import (
    Ended,
    Reply,
    Started,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Usage,
)
from ainfera_server.dialects.native import error_writer, server
from ainfera_server.dialects.native.error_writer import Mistake
from ainfera_server.dialects.openai_chat import server as chat
from ainfera_server.dialects.sides import ServerSide
from ainfera_server.errors import (
    AinferaError,
    CapExceeded,
    InsufficientFunds,
    Invalid,
    KeyScopeInsufficient,
    Malformed,
    ModelUnavailable,
    NotFound,
    ProviderFailed,
    Unauthenticated,
)
from tests.dialects import failures, samples
from tests.dialects.anthropic_messages import conversations as anthropics
from tests.dialects.openai_chat import conversations

KEY = "sk-proj-4f9aQ2bC7dE1fG3h"

ASKED = {
    "model": "ainfera-inference",
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    "agent_id": "a-1",
    "task_type": "poetry",
    "routing_hint": {"min_quality": "good"},
    "caps": {"budget": 0.01},
}


def told(error: AinferaError) -> tuple[int, dict[str, Any]]:
    answer = server.encode_error(error, request_id="req-1")
    return answer.status, json.loads(answer.body)


def replied(*parts: Text | ToolCall | Thinking, usage: Usage | None = None) -> dict[str, Any]:
    reply = Reply(
        reply_id="r",
        model="m",
        parts=parts,
        finish_reason="stop",
        finish_reason_native="end_turn",
        usage=usage,
    )
    return json.loads(server.encode_reply(reply, samples.ENVELOPE))


def test_the_native_side_is_what_the_protocol_asks_for() -> None:
    serving: ServerSide = server
    assert serving.HEARTBEAT == b": keep-alive\n\n"


def test_a_request_keeps_its_wishes_as_they_were_written() -> None:
    request = server.decode_request(json.dumps(ASKED).encode())
    assert request.dialect == "native"
    assert request.wishes.agent_id == "a-1"
    assert request.wishes.task_type == "poetry"
    assert request.wishes.hint == {"min_quality": "good"}
    assert request.wishes.caps == {"budget": 0.01}
    assert request.max_tokens is None
    assert request.fields_not_understood == ()


def test_an_answer_has_exactly_the_documented_fields() -> None:
    usage = Usage(
        input_tokens=3,
        cache_read_tokens=4,
        cache_write_tokens=2,
        cache_write_1h_tokens=3,
        output_tokens=6,
    )
    assert replied(Text(text="Hel"), Text(text="lo"), usage=usage) == {
        "inference_id": samples.ENVELOPE.inference_id,
        "receipt_id": samples.ENVELOPE.receipt_id,
        "agent_id": samples.ENVELOPE.agent_id,
        "content": "Hello",
        "content_blocks": None,
        "model_used": "gpt-5-5",
        "provider": "openai",
        "finish_reason": "stop",
        "finish_reason_native": "end_turn",
        "input_tokens": 12,
        "output_tokens": 6,
        "cost_usd": "0.000123",
    }


def test_an_answer_that_is_more_than_text_comes_in_blocks() -> None:
    answer = replied(
        Thinking(text="Hm.", signature="s"),
        Thinking(text="", redacted="x"),
        ToolCall(call_id="1", name="f", arguments='{"a": 1.50}'),
        ToolCall(call_id="2", name="g", arguments="not json"),
    )
    assert answer["content"] == ""
    assert answer["content_blocks"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1.5}},
        {"type": "tool_use", "id": "2", "name": "g", "input": "not json"},
    ]


@given(reply=conversations.replies())
def test_the_published_client_reads_every_answer(reply: Reply) -> None:
    body = server.encode_reply(reply, samples.ENVELOPE)
    found = InferenceResponse.model_validate_json(body)
    assert found.content == "".join(one.text for one in reply.parts if isinstance(one, Text))
    assert found.cost_usd == Decimal("0.000123")


@given(reply=anthropics.replies() | conversations.replies())
def test_content_is_always_text_and_blocks_come_when_there_is_more(reply: Reply) -> None:
    answer = json.loads(server.encode_reply(reply, samples.ENVELOPE))
    texts = [one.text for one in reply.parts if isinstance(one, Text)]
    assert answer["content"] == "".join(texts)
    assert answer["finish_reason"] in {"stop", "length", "tool_calls", "content_filter"}
    assert answer["finish_reason_native"] == reply.finish_reason_native
    assert (answer["content_blocks"] is None) == (len(texts) == len(reply.parts))
    if answer["content_blocks"] is not None:
        blocks = answer["content_blocks"]
        kinds = {"text", "thinking", "redacted_thinking", "tool_use"}
        assert len(blocks) == len(reply.parts)
        assert {one["type"] for one in blocks} <= kinds
        assert [one["text"] for one in blocks if one["type"] == "text"] == texts


def test_several_mistakes_are_told_each_with_its_place() -> None:
    mistakes = [
        Mistake(place=("body", "messages", 0), sentence="Field required", kind="missing"),
        Mistake(place=("query", "limit"), sentence="Too large", kind="less_than_equal"),
    ]
    answer = error_writer.mistakes_answer(Invalid("messages.0: Field required"), mistakes)
    assert answer.status == 422
    assert answer.headers == {"x-should-retry": "false"}
    assert json.loads(answer.body) == {
        "error": "invalid_request",
        "code": "invalid_request",
        "message": "messages.0: Field required",
        "detail": [
            {"loc": ["body", "messages", 0], "msg": "Field required", "type": "missing"},
            {"loc": ["query", "limit"], "msg": "Too large", "type": "less_than_equal"},
        ],
    }


def test_a_native_answer_of_somebody_else_becomes_ours() -> None:
    body = b'{"content": "Hi", "inference_id": "theirs", "extra": 1.50}'
    found = server.adapt_reply(body, samples.ENVELOPE)
    assert b'"extra":1.50' in found
    assert json.loads(found) == {
        "content": "Hi",
        "extra": 1.5,
        "inference_id": samples.ENVELOPE.inference_id,
        "receipt_id": samples.ENVELOPE.receipt_id,
        "agent_id": samples.ENVELOPE.agent_id,
        "model_used": "gpt-5-5",
        "provider": "openai",
        "cost_usd": "0.000123",
    }


def test_a_stream_has_the_form_of_chat_completions() -> None:
    request = server.decode_request(json.dumps(ASKED | {"stream": True}).encode())
    encoder = server.stream_encoder(request, samples.ENVELOPE)
    same = chat.stream_encoder(request, samples.ENVELOPE)
    for event in (
        Started(reply_id="r", model="m"),
        TextDelta(index=0, text="Hi"),
        Ended(finish_reason="stop", finish_reason_native="end_turn", usage=None),
    ):
        assert encoder.encode(event) == same.encode(event)
    error = Unauthenticated("No.")
    assert server.encode_stream_error(error, request_id="r") == (
        chat.encode_stream_error(error, request_id="r")
    )


@pytest.mark.parametrize("error", failures.EVERY_ERROR, ids=repr)
def test_every_error_has_both_words_and_a_sentence(error: AinferaError) -> None:
    status, body = told(error)
    assert body["error"] == body["code"] == error.code
    assert body["message"] == error.sentence
    timed_out = isinstance(error, ProviderFailed) and error.reason == "timeout"
    assert status == (504 if timed_out else error.status)
    match error:
        case Unauthenticated() | NotFound():
            assert body["detail"] == error.sentence
        case Malformed() | Invalid():
            assert [set(one) for one in body["detail"]] == [{"loc", "msg", "type"}]
        case _:
            assert body["detail"]["code"] == error.code
            assert error.facts.items() <= body["detail"].items()


@pytest.mark.parametrize("error", failures.EVERY_ERROR, ids=repr)
def test_the_published_client_raises_every_error_with_its_words(error: AinferaError) -> None:
    answer = server.encode_error(error, request_id="req-1")

    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(answer.status, content=answer.body, headers=answer.headers)

    expected: type[ainfera.APIError] = ainfera.APIError
    match error:
        case InsufficientFunds():
            expected = ainfera.WalletInsufficient
        case CapExceeded() | KeyScopeInsufficient():  # The client takes every 403 for a cap.
            expected = ainfera.SpendPolicyExceeded
        case ModelUnavailable():
            expected = ainfera.ModelUnavailable
        case _:
            pass
    with pytest.raises(expected) as caught:
        _call(httpx.MockTransport(respond))
    assert type(caught.value) is expected
    assert str(caught.value) == error.sentence
    if isinstance(caught.value, ainfera.ModelUnavailable):
        assert (caught.value.model, caught.value.provider) == ("gpt-5-5", "openai")


def _call(transport: httpx.MockTransport) -> None:
    client = ainfera.AinferaClient(api_key="ainfera_k", base_url="http://127.0.0.1")
    # The published client takes no transport, so its HTTP client gets one: the network is
    # replaced, and everything of theirs runs.
    http: Any = vars(client)["_http"]
    vars(http)["_client"] = httpx.Client(transport=transport, base_url="http://127.0.0.1")
    http.request("POST", "/v1/inference", json=ASKED)


def test_a_cap_says_which_one() -> None:
    status, body = told(CapExceeded("Over.", reason="daily_cap_exceeded", cap_usd="1.000000"))
    assert (status, body["reason"]) == (403, "daily_cap_exceeded")
    assert body["detail"]["cap_usd"] == "1.000000"
    assert body["detail"]["reason"] == "daily_cap_exceeded"


@pytest.mark.parametrize(
    ("body", "place", "kind"),
    [
        (b"{", ["body"], "json_invalid"),
        (b'{"model":"m"}', ["body", "messages"], "value_error"),
        (
            b'{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":3}]}]}',
            ["body", "messages", 0, "content", 0, "text"],
            "value_error",
        ),
        (b'{"model":"m","messages":[]}', ["body", "messages"], "value_error"),
    ],
)
def test_a_request_that_cannot_be_read_is_told_as_fastapi_does(
    body: bytes, place: list[str | int], kind: str
) -> None:
    with pytest.raises((Malformed, Invalid)) as caught:
        server.decode_request(body)
    status, answer = told(caught.value)
    assert status == 422
    assert answer["detail"] == [{"loc": place, "msg": caught.value.sentence, "type": kind}]


@pytest.mark.parametrize(
    ("message", "place", "words"),
    [
        (
            {"role": "wizard", "content": "Hi"},
            ["body", "messages", 0, "role"],
            "`messages.0.role` is one of `assistant`, `developer`, `system`, `tool`, `user`.",
        ),
        (
            {"role": "user", "content": [{"type": "smell"}]},
            ["body", "messages", 0, "content", 0],
            "`messages.0.content.0` is of a kind that this API does not know.",
        ),
    ],
)
def test_what_this_api_does_not_know_is_a_mistake_in_the_request(
    message: dict[str, object], place: list[str | int], words: str
) -> None:
    with pytest.raises(Malformed) as caught:
        server.decode_request(json.dumps({"model": "m", "messages": [message]}).encode())
    assert caught.value.sentence.startswith(words)
    status, answer = told(caught.value)
    assert (status, answer["error"]) == (422, "malformed_request")
    assert [one["loc"] for one in answer["detail"]] == [place]


def test_what_a_provider_said_is_passed_on_without_keys() -> None:
    said = b'{"error":{"message":"bad header %s"}}' % KEY.encode()
    error = ProviderFailed(
        "The provider answered with status 400.",
        reason="rejected",
        upstream_status=400,
        upstream_body=said,
    )
    status, body = told(error)
    assert status == 502
    assert body["detail"] == {
        "code": "provider_error",
        "message": "The provider answered with status 400.",
        "reason": "rejected",
        "upstream_status": 400,
        "upstream_body": '{"error":{"message":"bad header [removed]"}}',
    }


def test_what_a_provider_said_about_our_credential_stays_with_us() -> None:
    error = ProviderFailed(
        "The provider refused.",
        reason="credential_refused",
        upstream_status=401,
        upstream_body=b'{"error":{"message":"Incorrect API key"}}',
    )
    status, body = told(error)
    assert (status, body["detail"]["upstream_body"]) == (502, None)
