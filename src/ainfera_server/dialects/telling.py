"""What callers of every dialect are told about an error beside the words of their dialect."""

from collections.abc import Callable, Mapping

from ainfera_server.conversation import Dialect, Json
from ainfera_server.dialects import scrubbing
from ainfera_server.dialects.sides import ErrorAnswer
from ainfera_server.errors import (
    AinferaError,
    CapExceeded,
    FailureReason,
    IdempotencyInProgress,
    Internal,
    MoneyRefused,
    ProviderFailed,
    RequestError,
)

FINAL_FAILURES: frozenset[FailureReason] = frozenset(
    {"rejected", "credential_refused", "model_unavailable"}
)
"""How an attempt failed when the same attempt would fail again."""

VENDORS_OWN: frozenset[FailureReason] = frozenset({"rejected", "rate_limited", "unavailable"})
"""How an attempt failed when the vendor's answer is as much about the caller as about us."""

FORWARDED_BYTES_MAX = 64 * 1024
"""No vendor's error is longer; what is gets our words instead."""


def facts(error: AinferaError) -> Mapping[str, Json]:
    """What programs read, all but the code and the sentence."""
    match error:
        case CapExceeded(reason=reason):
            return {**error.facts, "reason": reason}
        case ProviderFailed(reason=reason, upstream_status=upstream_status):
            return {**error.facts, "reason": reason, "upstream_status": upstream_status}
        case _:
            return error.facts


def detail(error: AinferaError, *, request_id: str) -> dict[str, Json]:
    """What programs read: the facts, our own code and the sentence.

    Only a mistake of ours names the request. Everybody else's detail is the same from call to
    call, so that another tenant's thing and a thing that is not there cannot be told apart.
    """
    named: dict[str, Json] = {"request_id": request_id} if isinstance(error, Internal) else {}
    return {**facts(error), **named, "code": error.code, "message": error.sentence}


def steering(error: AinferaError) -> dict[str, str]:
    """Headers on whether and when to try again.

    SDKs repeat a 409 and every 5xx, and Claude Code even a 400, unless they are told.
    """
    headers: dict[str, str] = {}
    if _is_final(error):
        headers["x-should-retry"] = "false"
    if error.retry_after_s is not None:
        headers["retry-after"] = str(error.retry_after_s)
    return headers


def in_the_vendors_words(
    error: AinferaError, dialect: Dialect, *, is_envelope: Callable[[bytes], bool]
) -> ErrorAnswer | None:
    """A vendor's own error as it came, for a caller of its dialect; None where ours has to do.

    Clients mend their requests by the vendor's wording, so that may not change. `is_envelope`
    says whether a body is an error of the dialect, and is asked only for UTF-8.
    """
    if not isinstance(error, ProviderFailed) or error.upstream_dialect != dialect:
        return None
    status, body = error.upstream_status, error.upstream_body
    if error.reason not in VENDORS_OWN or status is None or status < 400:
        return None
    if len(body) > FORWARDED_BYTES_MAX or not _may_be_shown(body) or not is_envelope(body):
        return None
    return ErrorAnswer(status=status, body=body, headers=_vendors_steering(error))


def _may_be_shown(body: bytes) -> bool:
    try:
        return not scrubbing.holds_a_secret(body.decode())
    except UnicodeDecodeError:
        return False


def _vendors_steering(error: ProviderFailed) -> Mapping[str, str]:
    """The vendor's word on whether and when to try again; ours where it has none.

    A date in `retry-after` gives way to the seconds that we made of it: not every client reads it.
    """
    steered = steering(error)
    given = {name.lower(): value.strip() for name, value in error.upstream_headers.items()}
    should_retry, after = given.get("x-should-retry", ""), given.get("retry-after", "")
    if should_retry in {"true", "false"}:
        steered["x-should-retry"] = should_retry
    if after.isascii() and after.isdecimal():
        steered["retry-after"] = after
    return steered


def _is_final(error: AinferaError) -> bool:
    match error:
        case IdempotencyInProgress():
            return False
        case RequestError() | MoneyRefused():
            return True
        case ProviderFailed(reason=reason):
            return reason in FINAL_FAILURES
        case _:
            return False
