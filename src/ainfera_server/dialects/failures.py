"""How vendors of every dialect tell that they failed: what a status means, and what is kept."""

from collections.abc import Mapping

from ainfera_server.conversation import Dialect
from ainfera_server.dialects import scrubbing
from ainfera_server.errors import FailureReason, ProviderFailed

MESSAGE_CHARACTERS_MAX = 500
STEERING_HEADERS = frozenset({"retry-after", "x-should-retry"})


def reason_of(status: int) -> FailureReason | None:
    """What a status alone says; None for a refusal, of which only the words say what it is."""
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
        case _:
            return None


def answered(
    *,
    dialect: Dialect,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    reason: FailureReason,
    message: str,
) -> ProviderFailed:
    """A failure that is an answer with an error status."""
    sentence = f"The provider answered with status {status}."
    if message:
        sentence = f"The provider answered with status {status}: {_shown(message)}"
    lowered = {name.lower(): value for name, value in headers.items()}
    return ProviderFailed(
        sentence,
        reason=reason,
        upstream_status=status,
        upstream_body=body,
        upstream_headers={
            name: value for name, value in lowered.items() if name in STEERING_HEADERS
        },
        upstream_dialect=dialect,
    )


def reported(
    *,
    dialect: Dialect,
    reason: FailureReason,
    message: str,
    status: int | None = None,
    body: bytes = b"",
) -> ProviderFailed:
    """A failure that came with a status of success, as inside a stream that had begun."""
    return ProviderFailed(
        f"The provider reported an error: {_shown(message) or 'it did not say which.'}",
        reason=reason,
        upstream_status=status,
        upstream_body=body,
        upstream_dialect=dialect,
    )


def malformed(what: str) -> ProviderFailed:
    """An answer that its dialect cannot say."""
    return ProviderFailed(f"The provider's answer is broken: {what}.", reason="malformed")


def _shown(message: str) -> str:
    """A vendor's words as a caller may see them: without keys, and not without end."""
    return scrubbing.without_secrets(message, characters_max=MESSAGE_CHARACTERS_MAX)
