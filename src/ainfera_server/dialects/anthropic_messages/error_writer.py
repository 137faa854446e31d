"""Errors, worded for a caller of the Messages API."""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from ainfera_server import sse
from ainfera_server.conversation import Json
from ainfera_server.dialects.anthropic_messages import failure_reader, wire
from ainfera_server.dialects.sides import ErrorAnswer
from ainfera_server.errors import (
    AinferaError,
    CapExceeded,
    IdempotencyInProgress,
    InsufficientFunds,
    MoneyRefused,
    NotFound,
    Overloaded,
    ProviderFailed,
    RequestError,
    TooLarge,
    Unauthenticated,
)

FINAL_FAILURES = frozenset({"rejected", "credential_refused", "model_unavailable"})
"""How an attempt failed when the same attempt would fail again."""

FORWARDED_BYTES_MAX = 64 * 1024
"""No vendor's refusal is longer; what is gets our words instead."""

OVERLOADED_STATUS = 529


def error_answer(error: AinferaError, *, request_id: str) -> ErrorAnswer:
    """Word an error as an HTTP answer; a vendor's own refusal in this dialect as it came.

    Claude Code mends its requests by the vendor's wording, so that may not change.
    """
    if isinstance(error, ProviderFailed) and _is_in_the_vendors_words(error):
        assert error.upstream_status is not None, "what a vendor refused came with a status"
        return ErrorAnswer(
            status=error.upstream_status,
            body=error.upstream_body,
            headers={**_steering_headers(error), **_vendors_steering(error)},
        )
    status, kind = _status_and_type(error)
    return ErrorAnswer(
        status=status,
        body=_body(error, kind, request_id),
        headers=_steering_headers(error),
    )


def stream_error(error: AinferaError, *, request_id: str) -> bytes:
    """Word an error inside a stream; the whole error object, for no status tells more.

    That an overloaded vendor broke off is worth another try, so its own word for it stays.
    """
    _, kind = _status_and_type(error)
    if isinstance(error, ProviderFailed) and error.reason in {"unavailable", "rate_limited"}:
        kind = failure_reader.vendors_type(error.upstream_body) or kind
    return sse.encode(_body(error, kind, request_id), name=wire.ERROR_EVENT)


def _steering_headers(error: AinferaError) -> dict[str, str]:
    """Whether and when to try again; Claude Code repeats even a 400 unless it is told."""
    steering: dict[str, str] = {}
    if _is_final(error):
        steering["x-should-retry"] = "false"
    if error.retry_after_s is not None:
        steering["retry-after"] = str(error.retry_after_s)
    return steering


def _vendors_steering(error: ProviderFailed) -> Mapping[str, str]:
    names = failure_reader.STEERING_HEADERS
    given = {name.lower(): value for name, value in error.upstream_headers.items()}
    return {name: value for name, value in given.items() if name in names}


def _is_in_the_vendors_words(error: ProviderFailed) -> bool:
    """Whether the caller may see the vendor's refusal as it is: of this dialect, and no secret."""
    body = error.upstream_body
    if error.reason != "rejected" or error.upstream_status is None:
        return False
    if len(body) > FORWARDED_BYTES_MAX:
        return False
    try:
        msgspec.json.decode(body, type=wire.UpstreamErrorAnswer)
        says_what_it_is = msgspec.json.decode(body, type=wire.Typed)
        text = body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return says_what_it_is.type == wire.ERROR_EVENT and not failure_reader.holds_a_key(text)


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


def _status_and_type(error: AinferaError) -> tuple[int, str]:
    """Anthropic's status and word for it; money is always 402 here.

    Clients call a 403 a failed login. https://platform.claude.com/docs/en/api/errors
    """
    match error:
        case MoneyRefused():
            return 402, "billing_error"
        case Unauthenticated():
            return error.status, "authentication_error"
        case NotFound():
            return error.status, "not_found_error"
        case TooLarge():
            return error.status, "request_too_large"
        case RequestError():
            return error.status, "invalid_request_error"
        case Overloaded():
            return OVERLOADED_STATUS, "overloaded_error"
        case ProviderFailed(reason="timeout"):
            return 504, "timeout_error"
        case _:
            return error.status, "api_error"


def _body(error: AinferaError, kind: str, request_id: str) -> bytes:
    facts = _facts(error)
    details: dict[str, Json] = {**facts, "error_code": _error_code(error)}
    detail: dict[str, Json] = {**facts, "code": error.code, "message": error.sentence}
    told = wire.Error(type=kind, message=error.sentence, details=_raw(details))
    return msgspec.json.encode(
        wire.ErrorAnswer(error=told, request_id=request_id, detail=_raw(detail))
    )


def _facts(error: AinferaError) -> Mapping[str, Json]:
    match error:
        case CapExceeded(reason=reason):
            return {**error.facts, "reason": reason}
        case ProviderFailed(reason=reason, upstream_status=upstream_status):
            return {**error.facts, "reason": reason, "upstream_status": upstream_status}
        case _:
            return error.facts


def _error_code(error: AinferaError) -> str:
    """The word in `details`; an empty wallet has one there that no vendor's code looks like."""
    return "wallet_insufficient" if isinstance(error, InsufficientFunds) else error.code


def _raw(value: Mapping[str, Json]) -> Raw:
    return Raw(msgspec.json.encode(value))
