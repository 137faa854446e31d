"""Answers that are errors, as the Responses API writes them."""

import re
from collections.abc import Mapping

import msgspec

from ainfera_server.dialects.openai_responses import wire
from ainfera_server.errors import FailureReason, ProviderFailed

MESSAGE_CHARACTERS_MAX = 500
STEERING_HEADERS = frozenset({"retry-after", "retry-after-ms", "x-should-retry"})

_KEY = re.compile(
    r"(?i:bearer\s+[\w.~+/*-]+=*)|\b(?:sk|ainfera)[-_][\w*.-]{6,}"
    r"|\b[A-Za-z0-9]{32,}\b|[\w-]{40,}"
)


def failure(*, status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailed:
    """Read an answer with an error status."""
    said = _error(body)
    sentence = f"The provider answered with status {status}."
    if said.message:
        sentence = f"The provider answered with status {status}: {shown(said.message)}"
    lowered = {name.lower(): value for name, value in headers.items()}
    return ProviderFailed(
        sentence,
        reason=_reason(status, said),
        upstream_status=status,
        upstream_body=body,
        upstream_headers={
            name: value for name, value in lowered.items() if name in STEERING_HEADERS
        },
    )


def reported(said: wire.ResponseError | None) -> ProviderFailed:
    """Read an error that came with a status of success: a failed response, or an error event."""
    said = said or wire.ResponseError()
    words = f"{said.code or ''} {said.type or ''}"
    reason: FailureReason = "unavailable"
    if "rate_limit" in words:
        reason = "rate_limited"
    elif "invalid" in words or "policy" in words or "image" in words:
        # The vendor's list of codes: beside server_error, rate limits and time-outs every one
        # of them is about what was asked.
        reason = "rejected"
    told = shown(said.message or "it did not say which.")
    return ProviderFailed(f"The provider reported an error: {told}", reason=reason)


def malformed(what: str) -> ProviderFailed:
    """An answer that this dialect cannot say."""
    return ProviderFailed(f"The provider's answer is broken: {what}.", reason="malformed")


def shown(message: str) -> str:
    """A vendor's words as a caller may see them: without keys, and not without end.

    They are cut after that: half a key no longer looks like one.
    """
    looked_at = message[: 4 * MESSAGE_CHARACTERS_MAX]
    return _KEY.sub("[removed]", looked_at)[:MESSAGE_CHARACTERS_MAX]


def _reason(status: int, said: wire.ResponseError) -> FailureReason:
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
        case _ if said.code == "model_not_found":
            return "model_unavailable"
        case _ if said.code == "invalid_api_key":
            return "credential_refused"
        case _:
            return "rejected"


def _error(body: bytes) -> wire.ResponseError:
    try:
        said = msgspec.json.decode(body, type=wire.ErrorAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return wire.ResponseError()
    return said.error or wire.ResponseError()
