"""Errors as callers of chat completions are told them, and as providers tell us."""

import json
from typing import Any

import openai
import pytest

from ainfera_server.dialects.openai_chat import client, server
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
from tests.dialects.openai_chat import vendor_sdk

KEY = "sk-proj-4f9aQ2bC7dE1fG3h"


def told(error: AinferaError) -> tuple[int, dict[str, Any]]:
    answer = server.encode_error(error, request_id="req-1")
    return answer.status, json.loads(answer.body)


def test_one_error_of_every_kind_is_tried() -> None:
    assert {type(one) for one in failures.EVERY_ERROR} == failures.leaves()


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
    status, body = told(error)
    assert set(body) == {"error", "detail"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"] == error.sentence
    assert body["error"]["param"] == error.facts.get("param")
    assert all(isinstance(body["error"][one], str) for one in ("message", "type", "code"))
    assert body["detail"]["code"] == error.code
    assert body["detail"]["message"] == error.sentence
    assert error.facts.items() <= body["detail"].items()
    assert status == status_of(error)
    assert ("request_id" in body["detail"]) == isinstance(error, Internal)
    streamed = server.encode_stream_error(error, request_id="req-1")
    assert json.loads(streamed.removeprefix(b"data: ")) == body


@pytest.mark.parametrize("error", failures.EVERY_ERROR, ids=repr)
def test_the_vendors_sdk_raises_every_error_with_its_words(error: AinferaError) -> None:
    answer = server.encode_error(error, request_id="req-1")
    sdk = vendor_sdk.client(status=answer.status, body=answer.body, headers=answer.headers)
    with pytest.raises(openai.APIStatusError) as caught:
        sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
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
    status, body = told(error)
    assert (status, body["error"]["type"], body["error"]["code"]) == (
        *(402, "insufficient_quota"),
        code,
    )
    assert answer.headers == {"x-should-retry": "false"}


@pytest.mark.parametrize("error", failures.EVERY_ERROR, ids=repr)
def test_nobody_is_told_to_try_again_what_would_fail_again(error: AinferaError) -> None:
    headers = server.encode_error(error, request_id="req-1").headers
    mends_itself = isinstance(error, IdempotencyInProgress)
    if isinstance(error, RequestError) and not mends_itself:
        assert headers["x-should-retry"] == "false"
    if isinstance(error, ProviderFailed):
        again = error.reason not in {"rejected", "credential_refused", "model_unavailable"}
        assert ("x-should-retry" not in headers) == again


def test_when_to_try_again_is_told_in_whole_seconds() -> None:
    error = Overloaded("Too many requests wait.")
    error.retry_after_s = 7
    assert server.encode_error(error, request_id="r").headers == {"retry-after": "7"}


def test_a_thing_that_is_missing_looks_the_same_every_time() -> None:
    error = failures.NotFound("There is no such agent.")
    first = server.encode_error(error, request_id="req-1")
    assert first == server.encode_error(error, request_id="req-2")


def failure(status: int, body: bytes, **headers: str) -> ProviderFailed:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.decode_failure(status=status, headers=named, body=body)


REFUSAL = b'{"error": {"message": "prompt is too long", "type": "invalid_request_error", "x": 1}}'


@pytest.mark.parametrize(
    ("status", "reason"), [(400, "rejected"), (429, "rate_limited"), (500, "unavailable")]
)
def test_a_vendors_error_reaches_a_caller_of_its_dialect_unchanged(
    status: int, reason: str
) -> None:
    failed = failure(status, REFUSAL, X_Should_Retry="false", Retry_After="3", Set_Cookie="a")
    assert (failed.reason, failed.upstream_dialect) == (reason, "openai_chat")
    answer = server.encode_error(failed, request_id="r")
    assert (answer.status, answer.body) == (status, REFUSAL)
    assert answer.headers == {"x-should-retry": "false", "retry-after": "3"}


def test_a_vendor_that_is_busy_may_be_asked_again() -> None:
    failed = failure(429, REFUSAL, X_Should_Retry="perhaps")
    assert server.encode_error(failed, request_id="r").headers == {}
    failed.retry_after_s = 2
    assert server.encode_error(failed, request_id="r").headers == {"retry-after": "2"}


@pytest.mark.parametrize("status", [302, 401, 402, 403, 404, 504])
def test_what_a_vendor_says_about_us_or_nothing_is_worded_anew(status: int) -> None:
    answer = server.encode_error(failure(status, REFUSAL), request_id="r")
    assert answer.status == {302: 503, 504: 504}.get(status, 502)
    assert answer.body != REFUSAL


def test_a_vendors_word_on_trying_again_wins_and_its_date_becomes_seconds() -> None:
    date = "Wed, 21 Oct 2026 07:28:00 GMT"
    failed = failure(409, REFUSAL, X_Should_Retry="true", Retry_After=date)
    failed.retry_after_s = 4
    headers = server.encode_error(failed, request_id="r").headers
    assert headers == {"x-should-retry": "true", "retry-after": "4"}


@pytest.mark.parametrize(
    "body",
    [
        b"<html>No</html>",
        b'{"error":"no"}',
        b'{"error":{"type":"x"}}',
        b'{"type":"error","error":{"type":"invalid_request_error","message":"no"}}',
        b'{"error":{"message":"bad header ' + KEY.encode() + b'"}}',
        b'{"error":{"message":"\xff"}}',
        b'{"error":{"message":"Limit reached in organization org-4f9aQ2bC7dE1fG3h5J"}}',
    ],
)
@pytest.mark.parametrize(("upstream", "status"), [(422, 502), (429, 429), (503, 503)])
def test_an_error_in_other_words_or_with_a_secret_is_worded_anew(
    body: bytes, upstream: int, status: int
) -> None:
    found, answer = told(failure(upstream, body))
    assert found == status
    assert answer["detail"]["code"] == "provider_error"
    assert answer["detail"]["upstream_status"] == upstream
    assert KEY not in json.dumps(answer)
    assert "org-4f9a" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (429, b'{"error":{"type":"requests","code":"rate_limit_exceeded"}}', "rate_limited"),
        (429, b'{"error":{"type":"insufficient_quota"}}', "credential_refused"),
        (413, REFUSAL, "rejected"),
        (422, REFUSAL, "rejected"),
        (400, b'{"error":{"message":"x","code":"model_decommissioned"}}', "model_unavailable"),
        # https://ai.google.dev/gemini-api/docs/troubleshooting
        (
            400,
            b'[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}]',
            "credential_refused",
        ),
    ],
)
def test_the_vendors_words_say_how_an_attempt_failed(status: int, body: bytes, reason: str) -> None:
    failed = failure(status, body)
    assert failed.reason == reason
    assert failed.upstream_status == status
    assert failed.upstream_body == body


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"message":"It broke"}}',
        b'{"error":"It broke"}',
        b'{"object":"error","message":"It broke","type":"x","code":"3000"}',
        b'[{"error":{"message":"It broke","code":500}}]',
    ],
)
def test_a_sentence_names_the_vendors_message_in_whatever_form(body: bytes) -> None:
    assert failure(500, body).sentence == "The provider answered with status 500: It broke"
