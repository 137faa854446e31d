"""Errors, worded for a caller of the Responses API."""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from ainfera_server import sse
from ainfera_server.dialects import telling
from ainfera_server.dialects.openai_responses import answer_wire as wire
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

LAST_NUMBERS = (2**31 - 2, 2**31 - 1)
"""The numbers of the events that end a broken stream: they come after whatever was sent before."""


def error_answer(error: AinferaError, *, request_id: str) -> ErrorAnswer:
    """Word an error as an HTTP answer; a vendor's own error in this dialect as it came."""
    forwarded = telling.in_the_vendors_words(error, "openai_responses", is_envelope=_is_envelope)
    if forwarded is not None:
        return forwarded
    told, detail = _error(error), _detail(error, request_id)
    return ErrorAnswer(
        status=_status(error),
        body=msgspec.json.encode(wire.ErrorAnswer(error=told, detail=detail)),
        headers=telling.steering(error),
    )


def stream_error(error: AinferaError, *, request_id: str) -> bytes:
    """Word an error inside a stream, twice.

    OpenAI's SDK raises for the first event and reads no further. Codex takes no notice of that
    one, and of a stream without the second it says only that it was cut off.
    """
    told, detail = _error(error), _detail(error, request_id)
    first, second = LAST_NUMBERS
    event = wire.ErrorEvent(
        code=told.code,
        message=told.message,
        param=told.param,
        error=told,
        detail=detail,
        sequence_number=first,
    )
    failed = wire.Failed(_failed_response(error, request_id), sequence_number=second)
    return _event(event) + _event(failed)


def _event(event: wire.ErrorEvent | wire.Failed) -> bytes:
    return sse.encode(msgspec.json.encode(event), name=str(event.__struct_config__.tag))


def _failed_response(error: AinferaError, request_id: str) -> wire.Response:
    """A response of which nothing is known here but that it failed."""
    return wire.Response(
        id=f"resp_{request_id}",
        created_at=0,
        status="failed",
        error=wire.ResponseError(code=_failure_code(error), message=error.sentence),
        model="",
    )


def _failure_code(error: AinferaError) -> str:
    """The code of a response that failed, of which OpenAI has a list."""
    match error:
        case ProviderFailed(reason="rate_limited"):
            return "rate_limit_exceeded"
        case ProviderFailed(reason="rejected") | RequestError():
            return "invalid_prompt"
        case _:
            return "server_error"


def _is_envelope(body: bytes) -> bool:
    try:
        said = msgspec.json.decode(body, type=wire.UpstreamErrorAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    has_words = said.error is not None and said.error.message is not None
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


def _error(error: AinferaError) -> wire.Error:
    kind, code = _vendors_words(error)
    param = error.facts.get("param")
    return wire.Error(
        message=error.sentence,
        type=kind,
        param=param if isinstance(param, str) else None,
        code=code,
    )


def _detail(error: AinferaError, request_id: str) -> Raw:
    return Raw(msgspec.json.encode(telling.detail(error, request_id=request_id)))


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
