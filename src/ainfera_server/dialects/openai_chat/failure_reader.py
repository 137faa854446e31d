"""Answers that are errors, as vendors of this dialect write them."""

import re
from collections.abc import Mapping

import msgspec

from ainfera_server.dialects.openai_chat import wire
from ainfera_server.errors import FailureReason, ProviderFailed

MESSAGE_CHARACTERS_MAX = 500
STEERING_HEADERS = frozenset({"retry-after", "retry-after-ms", "x-should-retry"})

CREDENTIAL_CODES = frozenset({"invalid_api_key", "API_KEY_INVALID", "UNAUTHENTICATED"})
MODEL_CODES = frozenset({"model_not_found", "model_not_available", "model_decommissioned"})
"""OpenAI's and xAI's, Together's and Groq's; Groq gives the last of them a status of 400."""

_KEY = re.compile(
    r"(?i:bearer\s+[\w.~+/*-]+=*)"
    r"|\b(?:sk|pk|rk|gsk|xai|key|fw|tgp|ainfera)[-_](?=[\w*.-]*[\d*])[\w*.-]{6,}"
    r"|\bAIza[\w*-]{6,}"
    r"|\b[A-Za-z0-9]{32,}\b"
    r"|[\w-]{40,}"
)


def failure(*, status: int, headers: Mapping[str, str], body: bytes) -> ProviderFailed:
    """Read an answer with an error status."""
    said = _envelope(body)
    message, codes = _words(said)
    sentence = f"The provider answered with status {status}."
    if message:
        sentence = f"The provider answered with status {status}: {shown(message)}"
    lowered = {name.lower(): value for name, value in headers.items()}
    return ProviderFailed(
        sentence,
        reason=_reason(status, message, codes),
        upstream_status=status,
        upstream_body=body,
        upstream_headers={
            name: value for name, value in lowered.items() if name in STEERING_HEADERS
        },
    )


def reported(body: bytes) -> ProviderFailed:
    """Read an error that came with a status of success, as in a stream that had begun."""
    message, codes = _words(_envelope(body))
    status = next((int(one) for one in codes if one.isdecimal() and len(one) == 3), None)
    reason: FailureReason = "unavailable"
    if status is not None:
        reason = _reason(status, message, codes)
    elif not codes.isdisjoint(CREDENTIAL_CODES):
        reason = "credential_refused"
    elif any("rate_limit" in one for one in codes):
        reason = "rate_limited"
    elif any("invalid_request" in one for one in codes):
        reason = "rejected"
    return ProviderFailed(
        f"The provider reported an error: {shown(message) or 'it did not say which.'}",
        reason=reason,
        upstream_status=status,
    )


def malformed(what: str) -> ProviderFailed:
    """An answer that this dialect cannot say."""
    return ProviderFailed(f"The provider's answer is broken: {what}.", reason="malformed")


def holds_a_key(text: str) -> bool:
    """Whether something in the text looks like a credential."""
    return _KEY.search(text) is not None


def shown(message: str) -> str:
    """A vendor's words as a caller may see them: without keys, and not without end."""
    return without_keys(message, characters_max=MESSAGE_CHARACTERS_MAX)


def without_keys(text: str, *, characters_max: int) -> str:
    """The beginning of the text, less whatever looks like a credential in it.

    It is cut after that: half a key no longer looks like one. Four times as much is looked at.
    """
    return _KEY.sub("[removed]", text[: 4 * characters_max])[:characters_max]


def _reason(status: int, message: str, codes: frozenset[str]) -> FailureReason:
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
        case _ if not codes.isdisjoint(MODEL_CODES):
            return "model_unavailable"
        case _ if not codes.isdisjoint(CREDENTIAL_CODES) or "api key" in message.lower():
            # Gemini and xAI answer a wrong key with 400.
            return "credential_refused"
        case _:
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
