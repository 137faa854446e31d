"""Answers that are errors, as vendors of this dialect write them."""

import re
from collections.abc import Mapping

import msgspec

from ainfera_server.dialects.anthropic_messages import wire
from ainfera_server.errors import FailureReason, ProviderFailed

MESSAGE_CHARACTERS_MAX = 500
RETRY_AFTER_S_MAX = 86_400
STEERING_HEADERS = frozenset({"retry-after", "retry-after-ms", "x-should-retry"})

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

_KEY = re.compile(
    r"(?i:bearer\s+[\w.~+/*-]+=*)"
    r"|\b(?:sk|pk|rk|gsk|xai|key|fw|tgp|ainfera)[-_](?=[\w*.-]*[\d*])[\w*.-]{6,}"
    r"|\bAIza[\w*-]{6,}"
    r"|\b[A-Za-z0-9]{32,}\b"
    r"|[\w-]{40,}"
)


def failure(*, status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailed:
    """Read an answer with an error status."""
    kind, message = _words(body)
    sentence = f"The provider answered with status {status}."
    if message:
        sentence = f"The provider answered with status {status}: {shown(message)}"
    lowered = {name.lower(): value for name, value in headers.items()}
    failed = ProviderFailed(
        sentence,
        reason=_reason(status, kind, message),
        upstream_status=status,
        upstream_body=body,
        upstream_headers={
            name: value for name, value in lowered.items() if name in STEERING_HEADERS
        },
    )
    failed.retry_after_s = _retry_after_s(lowered)
    return failed


def reported(body: bytes) -> ProviderFailed:
    """Read an error that came inside a stream that had begun, or with a status of success."""
    kind, message = _words(body)
    return ProviderFailed(
        f"The provider reported an error: {shown(message) or 'it did not say which.'}",
        reason=REASONS.get(kind, "unavailable"),
        upstream_body=body,
    )


def malformed(what: str) -> ProviderFailed:
    """An answer that this dialect cannot say."""
    return ProviderFailed(f"The provider's answer is broken: {what}.", reason="malformed")


def shown(message: str) -> str:
    """A vendor's words as a caller may see them: without keys, and not without end."""
    # A key that the cut would shorten beyond recognition is removed before it.
    return _KEY.sub("[removed]", message[: 2 * MESSAGE_CHARACTERS_MAX])[:MESSAGE_CHARACTERS_MAX]


def holds_a_key(text: str) -> bool:
    """Whether something in the text looks like a credential."""
    return _KEY.search(text) is not None


def vendors_type(body: bytes) -> str:
    """The vendor's own word for what went wrong, if this dialect has it; else empty."""
    kind, _ = _words(body)
    return kind if kind in REASONS or kind in UNAVAILABLE else ""


def _reason(status: int, kind: str, message: str) -> FailureReason:
    match status:
        case 429:
            return "rate_limited"
        case 401 | 402 | 403:
            # 402 is about our account at the provider; the caller's own wallet is another matter.
            return "credential_refused"
        case 404:
            return "model_unavailable"
        case 408 | 504:
            return "timeout"
        case _ if status >= 500 or status < 400:
            return "unavailable"
        case _ if kind == "billing_error" or "credit balance is too low" in message:
            # Anthropic has said the latter with 400, and it is our balance that it speaks of.
            return "credential_refused"
        case _:
            return "rejected"


def _words(body: bytes) -> tuple[str, str]:
    """The type and the message, as far as they can be read; a proxy's page has neither."""
    try:
        said = msgspec.json.decode(body, type=wire.LooseErrorAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", ""
    match said.error:
        case wire.LooseError(type=kind, message=message):
            return kind or "", message or ""
        case None:
            return "", said.message or ""
        case message:
            return "", message


def _retry_after_s(headers: Mapping[str, str]) -> int | None:
    """Whole seconds, rounded up; a date would need a clock and is left out."""
    for name, units_in_a_second in (("retry-after-ms", 1000), ("retry-after", 1)):
        whole, _, rest = headers.get(name, "").strip().partition(".")
        if whole.isascii() and whole.isdecimal() and len(whole) <= 12:
            units = int(whole) + (rest.strip("0") != "")
            return min(-(-units // units_in_a_second), RETRY_AFTER_S_MAX)
    return None
