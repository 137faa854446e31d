"""Errors, worded for a caller of chat completions."""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from ainfera_server import sse
from ainfera_server.dialects import telling
from ainfera_server.dialects.openai_chat import wire
from ainfera_server.dialects.sides import ErrorAnswer
from ainfera_server.errors import (
    AinferaError,
    CapExceeded,
    FailureReason,
    Malformed,
    MoneyRefused,
    Overloaded,
    ProviderFailed,
    RequestError,
    Unauthenticated,
)

STATUSES: Mapping[FailureReason, int] = {"rate_limited": 429, "unavailable": 503, "timeout": 504}
"""How a provider failed, where a status means the same of us; any other failure is a 502."""


def error_answer(error: AinferaError, *, request_id: str) -> ErrorAnswer:
    """Word an error as an HTTP answer; a vendor's own error in this dialect as it came."""
    forwarded = telling.in_the_vendors_words(error, "openai_chat", is_envelope=_is_envelope)
    if forwarded is not None:
        return forwarded
    return ErrorAnswer(
        status=_status(error),
        body=_body(error, request_id),
        headers=telling.steering(error),
    )


def stream_error(error: AinferaError, *, request_id: str) -> bytes:
    """Word an error inside a stream: a chunk with an `error`, and no `[DONE]` after it."""
    return sse.encode(_body(error, request_id))


def _is_envelope(body: bytes) -> bool:
    try:
        said = msgspec.json.decode(body, type=wire.UpstreamErrorAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    has_words = isinstance(said.error, wire.UpstreamError) and said.error.message is not None
    return has_words and said.type != "error"


def _status(error: AinferaError) -> int:
    """The status; money is always 402 here, because clients call a 403 a failed login.

    What cannot be read is a 400, as OpenAI answers it.
    """
    match error:
        case Malformed():
            return 400
        case MoneyRefused():
            return 402
        case ProviderFailed(reason=reason):
            return STATUSES.get(reason, error.status)
        case _:
            return error.status


def _body(error: AinferaError, request_id: str) -> bytes:
    kind, code = _vendors_words(error)
    param = error.facts.get("param")
    told = wire.Error(
        message=error.sentence,
        type=kind,
        param=param if isinstance(param, str) else None,
        code=code,
    )
    ours = Raw(msgspec.json.encode(telling.detail(error, request_id=request_id)))
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
        case ProviderFailed(reason="rate_limited"):
            return "requests", "rate_limit_exceeded"
        case RequestError():
            return "invalid_request_error", error.code
        case _:
            return "server_error", error.code
