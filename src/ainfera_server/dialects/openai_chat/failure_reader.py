"""Answers that are errors, as vendors of this dialect write them."""

from collections.abc import Mapping

import msgspec

from ainfera_server.dialects import failures
from ainfera_server.dialects.openai_chat import wire
from ainfera_server.errors import FailureReason, ProviderFailed

CREDENTIAL_CODES = frozenset({"invalid_api_key", "API_KEY_INVALID", "UNAUTHENTICATED"})
MODEL_CODES = frozenset({"model_not_found", "model_not_available", "model_decommissioned"})
"""OpenAI's and xAI's, Together's and Groq's; Groq gives the last of them a status of 400."""

SPENT_ACCOUNT = frozenset(
    {
        *("insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached"),
        *("project_spend_limit_exceeded", "organization_spend_limit_exceeded"),
        "organization_usage_limit_exceeded",
    }
)
"""What comes with a 429 and speaks of our own account at the vendor, not of haste.

https://developers.openai.com/api/docs/guides/error-codes
"""


def failure(*, status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailed:
    """Read an answer with an error status."""
    message, codes = _words(_envelope(body))
    return failures.answered(
        dialect="openai_chat",
        status=status,
        headers=headers,
        body=body,
        reason=_reason(status, message, codes),
        message=message,
    )


def reported(body: bytes) -> ProviderFailed:
    """Read an error that came with a status of success, as in a stream that had begun."""
    message, codes = _words(_envelope(body))
    status = next((int(one) for one in codes if one.isdecimal() and len(one) == 3), None)
    reason: FailureReason = "unavailable"
    if status is not None:
        reason = _reason(status, message, codes)
    elif not codes.isdisjoint(CREDENTIAL_CODES | SPENT_ACCOUNT):
        reason = "credential_refused"
    elif any("rate_limit" in one for one in codes):
        reason = "rate_limited"
    elif any("invalid_request" in one for one in codes):
        reason = "rejected"
    return failures.reported(dialect="openai_chat", reason=reason, message=message, status=status)


def _reason(status: int, message: str, codes: frozenset[str]) -> FailureReason:
    if status == 429 and not codes.isdisjoint(SPENT_ACCOUNT):
        return "credential_refused"
    reason = failures.reason_of(status)
    if reason is not None:
        return reason
    if not codes.isdisjoint(MODEL_CODES):
        return "model_unavailable"
    if not codes.isdisjoint(CREDENTIAL_CODES) or "api key" in message.lower():
        # Gemini and xAI answer a wrong key with 400.
        return "credential_refused"
    return "rejected"


def _envelope(body: bytes) -> wire.UpstreamErrorAnswer:
    """The error, as far as it can be read; Gemini wraps it in a list."""
    try:
        if body.lstrip().startswith(b"["):
            listed = msgspec.json.decode(body, type=tuple[wire.UpstreamErrorAnswer, ...])
            return listed[0] if listed else wire.UpstreamErrorAnswer()
        return msgspec.json.decode(body, type=wire.UpstreamErrorAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return wire.UpstreamErrorAnswer()


def _words(said: wire.UpstreamErrorAnswer) -> tuple[str, frozenset[str]]:
    match said.error:
        case wire.UpstreamError(message=message, type=kind, code=code, status=status):
            words = (kind, code, status)
        case None:
            message, words = said.message, (said.type, said.code)
        case text:
            message, words = text, (said.type, said.code)
    return message or "", frozenset(str(one) for one in words if one is not None)
