"""Errors as callers of the Messages API are told them, and as providers tell us."""

import json
from typing import Any

import anthropic
import pytest

from ainfera_server.dialects.anthropic_messages import client, server
from ainfera_server.errors import (
    AinferaError,
    CapExceeded,
    IdempotencyInProgress,
    InsufficientFunds,
    Malformed,
    MoneyRefused,
    Overloaded,
    ProviderFailed,
    RequestError,
)
from tests.dialects import failures
from tests.dialects.anthropic_messages import vendor_sdk

KEY = "sk-ant-api03-4f9aQ2bC7dE1fG3h"

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "invalid_request_error",
    409: "invalid_request_error",
    410: "invalid_request_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    501: "invalid_request_error",
    502: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""https://platform.claude.com/docs/en/api/errors."""

REFUSAL = (
    b'{"type": "error", "error": {"type": "invalid_request_error", "message": "messages.1.content'
    b'.0: Invalid `signature` in `thinking` block"}, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}'
)


def told(error: AinferaError) -> tuple[int, dict[str, Any]]:
    answer = server.encode_error(error, request_id="req-1")
    return answer.status, json.loads(answer.body)


def status_of(error: AinferaError) -> int:
    match error:
        case MoneyRefused():
            return 402
        case Malformed():
            return 400
        case Overloaded():
            return 529
        case ProviderFailed(reason=reason):
            return {"rate_limited": 429, "unavailable": 529, "timeout": 504}.get(reason, 502)
        case _:
            return error.status


@pytest.mark.parametrize("error", failures.EVERY_ERROR, ids=repr)
def test_every_error_has_the_vendors_form_and_our_code(error: AinferaError) -> None:
    status, body = told(error)
    assert status == status_of(error)
    assert list(body) == ["type", "error", "request_id", "detail"]
    assert (body["type"], body["request_id"]) == ("error", "req-1")
    assert body["error"]["type"] == TYPES[status]
    assert body["error"]["message"] == body["detail"]["message"] == error.sentence
    assert body["detail"]["code"] == error.code
    assert error.facts.items() <= body["detail"].items()
    short = {name: fact for name, fact in error.facts.items() if name != "candidates"}
    assert short.items() <= body["error"]["details"].items()
    assert "candidates" not in body["error"]["details"]


@pytest.mark.parametrize("error", failures.EVERY_ERROR, ids=repr)
def test_the_vendors_sdk_raises_every_error_with_its_words(error: AinferaError) -> None:
    answer = server.encode_error(error, request_id="req-1")
    headers = {**answer.headers, "request-id": "req-1"}
    sdk = vendor_sdk.client(status=answer.status, body=answer.body, headers=headers)
    with pytest.raises(anthropic.APIStatusError) as caught:
        sdk.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}])
    raised = caught.value
    by_status = {
        400: anthropic.BadRequestError,
        401: anthropic.AuthenticationError,
        402: anthropic.PaymentRequiredError,
        404: anthropic.NotFoundError,
        409: anthropic.ConflictError,
        422: anthropic.UnprocessableEntityError,
        429: anthropic.RateLimitError,
    }
    expected = by_status.get(answer.status, anthropic.APIStatusError)
    assert isinstance(raised, expected)
    assert raised.type == TYPES[answer.status]
    assert raised.api_message == error.sentence
    assert raised.error_code in {error.code, "wallet_insufficient"}
    assert raised.request_id == "req-1"


@pytest.mark.parametrize("error", failures.EVERY_ERROR, ids=repr)
def test_inside_a_stream_the_error_is_whole(error: AinferaError) -> None:
    _, body = told(error)
    event = server.encode_stream_error(error, request_id="req-1")
    assert event.startswith(b"event: error\ndata: {")
    assert event.endswith(b"}\n\n")
    assert json.loads(event.removeprefix(b"event: error\ndata: ")) == body
    sdk = vendor_sdk.client(body=event, headers={"content-type": "text/event-stream"})
    stream = sdk.messages.create(
        model="m", max_tokens=9, messages=[{"role": "user", "content": "Hi"}], stream=True
    )
    with pytest.raises(anthropic.APIStatusError) as caught:
        list(stream)
    assert caught.value.api_message == error.sentence


@pytest.mark.parametrize("kind", ["overloaded_error", "api_error"])
def test_a_vendor_that_breaks_off_inside_a_stream_has_its_own_word_for_it(kind: str) -> None:
    body = b'{"type":"error","error":{"type":"%s","message":"No"}}' % kind.encode()
    error = ProviderFailed("It broke off.", reason="unavailable", upstream_body=body)
    event = server.encode_stream_error(error, request_id="r")
    assert b'"type":"%s"' % kind.encode() in event


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InsufficientFunds("Too little.", balance_usd="0.1"), "wallet_insufficient"),
        (
            CapExceeded("Too much.", reason="daily_cap_exceeded", cap_usd="1"),
            "spend_policy_exceeded",
        ),
    ],
)
def test_money_is_refused_once_and_for_all(error: AinferaError, code: str) -> None:
    answer = server.encode_error(error, request_id="req-1")
    status, body = told(error)
    assert (status, body["error"]["type"]) == (402, "billing_error")
    details = body["error"]["details"]
    assert details["error_code"] == code
    assert error.facts.items() <= details.items()
    assert details.get("reason") == getattr(error, "reason", None)
    assert answer.headers == {"x-should-retry": "false"}


@pytest.mark.parametrize("error", failures.EVERY_ERROR, ids=repr)
def test_nobody_is_told_to_try_again_what_would_fail_again(error: AinferaError) -> None:
    headers = server.encode_error(error, request_id="req-1").headers
    if isinstance(error, RequestError):
        mends_itself = isinstance(error, IdempotencyInProgress)
        assert ("x-should-retry" in headers) != mends_itself
    if isinstance(error, ProviderFailed):
        again = error.reason not in {"rejected", "credential_refused", "model_unavailable"}
        assert ("x-should-retry" not in headers) == again


def test_when_to_try_again_is_told_in_whole_seconds() -> None:
    error = Overloaded("Too many requests wait.")
    error.retry_after_s = 7
    assert server.encode_error(error, request_id="r").headers == {"retry-after": "7"}


def failure(status: int, body: bytes, **headers: str) -> ProviderFailed:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.decode_failure(status=status, headers=named, body=body)


@pytest.mark.parametrize(
    ("status", "reason"), [(400, "rejected"), (429, "rate_limited"), (529, "unavailable")]
)
def test_a_vendors_error_reaches_a_caller_of_its_dialect_unchanged(
    status: int, reason: str
) -> None:
    failed = failure(status, REFUSAL, X_Should_Retry="false", Retry_After="3", Set_Cookie="a")
    assert (failed.reason, failed.upstream_dialect) == (reason, "anthropic_messages")
    answer = server.encode_error(failed, request_id="r")
    assert (answer.status, answer.body) == (status, REFUSAL)
    assert answer.headers == {"x-should-retry": "false", "retry-after": "3"}


@pytest.mark.parametrize("status", [401, 402, 403, 404, 504])
def test_what_a_vendor_says_about_us_or_nothing_is_worded_anew(status: int) -> None:
    answer = server.encode_error(failure(status, REFUSAL), request_id="r")
    assert answer.status == (504 if status == 504 else 502)
    assert answer.body != REFUSAL


@pytest.mark.parametrize(
    "body",
    [
        b"<html>No</html>",
        b'{"error":{"message":"no","type":"invalid_request_error"}}',
        b'{"type":"error","error":"no"}',
        b'{"type":"error","error":{"type":"x"}}',
        b'{"type":"error","error":{"type":"x","message":"bad ' + KEY.encode() + b'"}}',
        b'{"type":"error","error":{"type":"x","message":"\xff"}}',
        b'{"type":"error","error":{"type":"x","message":"' + b"a " * 40_000 + b'"}}',
    ],
    ids=range(7),
)
@pytest.mark.parametrize(("upstream", "status"), [(422, 502), (429, 429), (503, 529)])
def test_an_error_in_other_words_or_with_a_secret_is_worded_anew(
    body: bytes, upstream: int, status: int
) -> None:
    found, answer = told(failure(upstream, body))
    assert found == status
    assert answer["error"]["type"] == TYPES[status]
    assert answer["detail"]["code"] == "provider_error"
    assert answer["detail"]["upstream_status"] == upstream
    assert KEY not in json.dumps(answer)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (413, REFUSAL, "rejected"),
        (422, REFUSAL, "rejected"),
        (
            400,
            b'{"error":{"message":"Your credit balance is too low to access the API."}}',
            "credential_refused",
        ),
        (400, b'{"error":{"type":"billing_error","message":"x"}}', "credential_refused"),
        (
            429,
            b'{"error":{"type":"x","details":{"error_code":"enforced_spend_limit_reached"}}}',
            "credential_refused",
        ),
        (429, b'{"error":{"type":"rate_limit_error","details":7}}', "rate_limited"),
    ],
)
def test_the_vendors_words_say_how_an_attempt_failed(status: int, body: bytes, reason: str) -> None:
    failed = failure(status, body)
    assert failed.reason == reason
    assert failed.upstream_status == status
    assert failed.upstream_body == body
    if reason == "credential_refused":
        assert told(failed)[0] == 502


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"error","error":{"type":"api_error","message":"It broke"}}',
        b'{"error":{"message":"It broke","code":500}}',
        b'{"error":"It broke"}',
        b'{"message":"It broke"}',
    ],
)
def test_a_sentence_names_the_vendors_message_in_whatever_form(body: bytes) -> None:
    assert failure(500, body).sentence == "The provider answered with status 500: It broke"


def test_the_credential_and_the_version_travel_in_headers() -> None:
    assert client.PATH == "/v1/messages"
    assert client.headers(api_key=KEY) == {
        "x-api-key": KEY,
        "anthropic-version": "2023-06-01",
        "content-type": "application/json",
    }
    assert "x-api-key" not in client.headers(api_key="")
