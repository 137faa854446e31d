"""Errors, worded for a caller of the Messages API."""

import msgspec
from msgspec import Raw

from ainfera_server import sse
from ainfera_server.dialects import telling
from ainfera_server.dialects.anthropic_messages import error_wire, failure_reader, wire
from ainfera_server.dialects.sides import ErrorAnswer
from ainfera_server.errors import (
    AinferaError,
    InsufficientFunds,
    KeyScopeInsufficient,
    Malformed,
    MoneyRefused,
    NotFound,
    Overloaded,
    ProviderFailed,
    RequestError,
    TooLarge,
    Unauthenticated,
)

OVERLOADED_STATUS = 529
CANDIDATES = "candidates"
"""Long, and in `detail` already; the SDKs print both."""


def error_answer(error: AinferaError, *, request_id: str) -> ErrorAnswer:
    """Word an error as an HTTP answer; a vendor's own error in this dialect as it came."""
    forwarded = telling.in_the_vendors_words(error, "anthropic_messages", is_envelope=_is_envelope)
    if forwarded is not None:
        return forwarded
    status, kind = _status_and_type(error)
    return ErrorAnswer(
        status=status,
        body=_body(error, kind, request_id),
        headers=telling.steering(error),
    )


def stream_error(error: AinferaError, *, request_id: str) -> bytes:
    """Word an error inside a stream; the whole error object, for no status tells more.

    That an overloaded vendor broke off is worth another try, so its own word for it stays.
    """
    _, kind = _status_and_type(error)
    if isinstance(error, ProviderFailed) and error.reason in {"unavailable", "rate_limited"}:
        kind = failure_reader.vendors_type(error) or kind
    return sse.encode(_body(error, kind, request_id), name=wire.ERROR_EVENT)


def _is_envelope(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=error_wire.UpstreamErrorAnswer)
        says_what_it_is = msgspec.json.decode(body, type=wire.Typed)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return says_what_it_is.type == wire.ERROR_EVENT


def _status_and_type(error: AinferaError) -> tuple[int, str]:
    """Anthropic's status and word for it; money is always 402 here, and what is unreadable a 400.

    Clients call a 403 a failed login. https://platform.claude.com/docs/en/api/errors
    """
    match error:
        case MoneyRefused():
            return 402, "billing_error"
        case Unauthenticated():
            return error.status, "authentication_error"
        case KeyScopeInsufficient():
            return error.status, "permission_error"
        case NotFound():
            return error.status, "not_found_error"
        case TooLarge():
            return error.status, "request_too_large"
        case Malformed():
            return 400, "invalid_request_error"
        case RequestError():
            return error.status, "invalid_request_error"
        case Overloaded():
            return OVERLOADED_STATUS, "overloaded_error"
        case ProviderFailed(reason="rate_limited"):
            return 429, "rate_limit_error"
        case ProviderFailed(reason="unavailable"):
            return OVERLOADED_STATUS, "overloaded_error"
        case ProviderFailed(reason="timeout"):
            return 504, "timeout_error"
        case _:
            return error.status, "api_error"


def _body(error: AinferaError, kind: str, request_id: str) -> bytes:
    facts = {name: fact for name, fact in telling.facts(error).items() if name != CANDIDATES}
    details = {**facts, "error_code": _error_code(error)}
    told = error_wire.Error(type=kind, message=error.sentence, details=_raw(details))
    detail = _raw(telling.detail(error, request_id=request_id))
    return msgspec.json.encode(
        error_wire.ErrorAnswer(error=told, request_id=request_id, detail=detail)
    )


def _error_code(error: AinferaError) -> str:
    """The word in `details`; an empty wallet has one there that no vendor's code looks like."""
    return "wallet_insufficient" if isinstance(error, InsufficientFunds) else error.code


def _raw(value: object) -> Raw:
    return Raw(msgspec.json.encode(value))
