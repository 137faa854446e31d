"""Answers that are errors, as vendors of this dialect write them."""

from collections.abc import Mapping

import msgspec

from ainfera_server.dialects import failures
from ainfera_server.dialects.anthropic_messages import error_wire
from ainfera_server.errors import FailureReason, ProviderFailed

REASONS: Mapping[str, FailureReason] = {
    "invalid_request_error": "rejected",
    "request_too_large": "rejected",
    "authentication_error": "credential_refused",
    "permission_error": "credential_refused",
    "billing_error": "credential_refused",
    "not_found_error": "model_unavailable",
    "rate_limit_error": "rate_limited",
    "timeout_error": "timeout",
}
"""What the vendor's words mean when no status says it; all others mean "unavailable"."""

UNAVAILABLE = frozenset({"api_error", "overloaded_error"})

SPENT_ACCOUNT = frozenset({"enforced_spend_limit_reached"})
"""Codes that come with a 429 and speak of our own account at the vendor."""


def failure(*, status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailed:
    """Read an answer with an error status."""
    said = _error(body)
    return failures.answered(
        dialect="anthropic_messages",
        status=status,
        headers=headers,
        body=body,
        reason=_reason(status, said),
        message=said.message or "",
    )


def reported(body: bytes) -> ProviderFailed:
    """Read an error that came inside a stream that had begun, or with a status of success."""
    said = _error(body)
    return failures.reported(
        dialect="anthropic_messages",
        reason=REASONS.get(said.type or "", "unavailable"),
        message=said.message or "",
        body=body,
    )


def vendors_type(failed: ProviderFailed) -> str:
    """The vendor's own word for what went wrong, if this dialect has it; else empty."""
    kind = _error(failed.upstream_body).type
    return kind if kind is not None and (kind in REASONS or kind in UNAVAILABLE) else ""


def _reason(status: int, said: error_wire.LooseError) -> FailureReason:
    # Anthropic has said the last of these with 400, and it is our balance that it speaks of.
    is_about_our_account = (
        said.type == "billing_error"
        or _error_code(said) in SPENT_ACCOUNT
        or "credit balance is too low" in (said.message or "")
    )
    if is_about_our_account and 400 <= status < 500:
        return "credential_refused"
    return failures.reason_of(status) or "rejected"


def _error(body: bytes) -> error_wire.LooseError:
    """The error, as far as it can be read; a proxy's page is none."""
    try:
        said = msgspec.json.decode(body, type=error_wire.LooseErrorAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return error_wire.LooseError()
    match said.error:
        case error_wire.LooseError() as error:
            return error
        case None:
            return error_wire.LooseError(message=said.message)
        case message:
            return error_wire.LooseError(message=message)


def _error_code(said: error_wire.LooseError) -> str | None:
    try:
        return msgspec.json.decode(said.details, type=error_wire.ErrorDetails).error_code
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
