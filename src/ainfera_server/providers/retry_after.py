"""Reads how long a provider asks us to stay away, in each of the forms that providers use."""

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

WAIT_S_MAX = 3600
"""Whoever asks for more is asked again after an hour: a mistaken header must not end a provider."""


def retry_after_s(headers: Mapping[str, str], *, now_unix_s: float) -> int | None:
    """Whole seconds to wait, rounded up; None when the answer does not say, or says nonsense.

    `headers` has names in lower case. OpenAI and Anthropic send `retry-after-ms` beside the
    standard's header when a wait is short, and their SDKs believe it first.
    """
    wait_s = _number(headers.get("retry-after-ms"), of_which_a_second_has=1000)
    if wait_s is None:
        wait_s = _number(headers.get("retry-after"), of_which_a_second_has=1)
    if wait_s is None:
        wait_s = _until(headers.get("retry-after"), now_unix_s=now_unix_s)
    if wait_s is None:
        return None
    return math.ceil(min(max(wait_s, 0.0), WAIT_S_MAX))


def _number(text: str | None, *, of_which_a_second_has: int) -> float | None:
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    is_sensible = number >= 0 and not math.isnan(number)
    return number / of_which_a_second_has if is_sensible else None


def _until(text: str | None, *, now_unix_s: float) -> float | None:
    """A date, as HTTP allows (RFC 9110, 10.2.3); one that has passed means now."""
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(moment.timestamp() - now_unix_s, 0.0)
