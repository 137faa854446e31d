"""Answers that are errors, as the Responses API writes them."""

from collections.abc import Mapping

import msgspec

from ainfera_server.dialects import failures
from ainfera_server.dialects.openai_responses import wire
from ainfera_server.errors import FailureReason, ProviderFailed

SPENT_ACCOUNT = frozenset({"insufficient_quota", "credit_balance_exhausted"})
"""What comes with a 429 and speaks of our own account at the vendor, not of haste."""


def failure(*, status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailed:
    """Read an answer with an error status."""
    said = _error(body)
    return failures.answered(
        dialect="openai_responses",
        status=status,
        headers=headers,
        body=body,
        reason=_reason(status, said),
        message=said.message or "",
    )


def reported(said: wire.ResponseError | None) -> ProviderFailed:
    """Read an error that came with a status of success: a failed response, or an error event."""
    said = said or wire.ResponseError()
    words = f"{said.code or ''} {said.type or ''}"
    reason: FailureReason = "unavailable"
    if not SPENT_ACCOUNT.isdisjoint({said.code, said.type}):
        reason = "credential_refused"
    elif "rate_limit" in words:
        reason = "rate_limited"
    elif "invalid" in words or "policy" in words or "image" in words:
        # The vendor's list of codes: beside server_error, rate limits and time-outs every one
        # of them is about what was asked.
        reason = "rejected"
    return failures.reported(dialect="openai_responses", reason=reason, message=said.message or "")


def _reason(status: int, said: wire.ResponseError) -> FailureReason:
    if status == 429 and not SPENT_ACCOUNT.isdisjoint({said.code, said.type}):
        return "credential_refused"
    reason = failures.reason_of(status)
    if reason is not None:
        return reason
    match said.code:
        case "model_not_found":
            return "model_unavailable"
        case "invalid_api_key":
            return "credential_refused"
        case _:
            return "rejected"


def _error(body: bytes) -> wire.ResponseError:
    try:
        said = msgspec.json.decode(body, type=wire.ErrorAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return wire.ResponseError()
    return said.error or wire.ResponseError()
