"""Errors, worded for a caller of chat completions."""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from ainfera_server import sse
from ainfera_server.conversation import Json
from ainfera_server.dialects.openai_chat import failure_reader, wire
from ainfera_server.dialects.sides import ErrorAnswer
from ainfera_server.errors import (
    AinferaError,
    CapExceeded,
    IdempotencyInProgress,
    Internal,
    MoneyRefused,
    Overloaded,
    ProviderFailed,
    RequestError,
    Unauthenticated,
)

FINAL_FAILURES = frozenset({"rejected", "credential_refused", "model_unavailable"})
"""How an attempt failed when the same attempt would fail again."""


def error_answer(error: AinferaError, *, request_id: str) -> ErrorAnswer:
    """Word an error as an HTTP answer; a vendor's own refusal in this dialect as it came."""
    if isinstance(error, ProviderFailed) and is_in_the_vendors_words(error):
        assert error.upstream_status is not None, "what a vendor refused came with a status"
        return ErrorAnswer(
            status=error.upstream_status,
            body=error.upstream_body,
            headers=_vendors_steering(error),
        )
    return ErrorAnswer(
        status=_status(error),
        body=_body(error, request_id),
        headers=steering_headers(error),
    )


def stream_error(error: AinferaError, *, request_id: str) -> bytes:
    """Word an error inside a stream: a chunk with an `error`, and no `[DONE]` after it."""
    return sse.encode(_body(error, request_id))


def steering_headers(error: AinferaError) -> dict[str, str]:
    """Whether and when to try again; SDKs retry a 409 and every 5xx unless they are told."""
    steering: dict[str, str] = {}
    if _is_final(error):
        steering["x-should-retry"] = "false"
    if error.retry_after_s is not None:
        steering["retry-after"] = str(error.retry_after_s)
    return steering


def detail(error: AinferaError, *, request_id: str) -> dict[str, Json]:
    """What programs read: our own code, the sentence, and the facts."""
    more: dict[str, Json] = {}
    match error:
        case CapExceeded(reason=reason):
            more["reason"] = reason
        case ProviderFailed(reason=reason, upstream_status=upstream_status):
            more |= {"reason": reason, "upstream_status": upstream_status}
        case Internal():
            # Everybody else's body stays the same from call to call, so that a thing of another
            # tenant's and a thing that is not there cannot be told apart.
            more["request_id"] = request_id
        case _:
            pass
    return {**error.facts, **more, "code": error.code, "message": error.sentence}


def is_timeout(error: AinferaError) -> bool:
    """Whether somebody we called took too long."""
    return isinstance(error, ProviderFailed) and error.reason == "timeout"


def is_in_the_vendors_words(error: ProviderFailed) -> bool:
    """Whether the caller may see the vendor's refusal as it is: of this dialect, and no secret."""
    if error.reason != "rejected" or error.upstream_status is None:
        return False
    try:
        said = msgspec.json.decode(error.upstream_body, type=wire.UpstreamErrorAnswer)
        text = error.upstream_body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    is_envelope = isinstance(said.error, wire.UpstreamError) and said.error.message is not None
    return is_envelope and said.type != "error" and not failure_reader.holds_a_key(text)


def _vendors_steering(error: ProviderFailed) -> Mapping[str, str]:
    """The vendor's word on whether and when to try again; ours where it has none.

    A date in `retry-after` gives way to the seconds that we made of it: not every client reads it.
    """
    ours = steering_headers(error)
    given = {
        name.lower(): value
        for name, value in error.upstream_headers.items()
        if name.lower() in failure_reader.STEERING_HEADERS
    }
    return {**given, **ours, "x-should-retry": given.get("x-should-retry", "false")}


def _is_final(error: AinferaError) -> bool:
    match error:
        case IdempotencyInProgress():
            return False
        case RequestError() | MoneyRefused():
            return True
        case ProviderFailed(reason=reason):
            return reason in FINAL_FAILURES
        case _:
            return False


def _status(error: AinferaError) -> int:
    """The status; money is always 402 here, because clients call a 403 a failed login."""
    if is_timeout(error):
        return 504
    return 402 if isinstance(error, MoneyRefused) else error.status


def _body(error: AinferaError, request_id: str) -> bytes:
    kind, code = _vendors_words(error)
    param = error.facts.get("param")
    told = wire.Error(
        message=error.sentence,
        type=kind,
        param=param if isinstance(param, str) else None,
        code=code,
    )
    ours = Raw(msgspec.json.encode(detail(error, request_id=request_id)))
    return msgspec.json.encode(wire.ErrorAnswer(error=told, detail=ours))


def _vendors_words(error: AinferaError) -> tuple[str, str]:
    """OpenAI's `type` and `code`, or our code where OpenAI has none.

    https://developers.openai.com/api/docs/guides/error-codes
    """
    match error:
        case CapExceeded():
            return "insufficient_quota", "project_spend_limit_exceeded"
        case MoneyRefused():
            return "insufficient_quota", "credit_balance_exhausted"
        case Unauthenticated():
            return "invalid_request_error", "invalid_api_key"
        case Overloaded():
            return "server_error", "server_is_overloaded"
        case RequestError():
            return "invalid_request_error", error.code
        case _:
            return "server_error", error.code
