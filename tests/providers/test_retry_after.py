"""A provider's wish to be left alone is understood in every form, and never believed too far."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.providers import retry_after

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def wait_s(**headers: str) -> int | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return retry_after.retry_after_s(named, now_unix_s=NOW.timestamp())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1", 1),
        ("0", 0),
        ("0.2", 1),
        ("59.0", 59),
        (" 7 ", 7),
        ("10000", retry_after.WAIT_S_MAX),
        ("1e400", retry_after.WAIT_S_MAX),
        ("-1", None),
        ("nan", None),
        ("soon", None),
        ("", None),
    ],
)
def test_seconds_are_rounded_up_and_capped(text: str, seconds: int | None) -> None:
    assert wait_s(retry_after=text) == seconds


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        (format_datetime(NOW.replace(second=30), usegmt=True), 30),
        (format_datetime(NOW.replace(hour=11), usegmt=True), 0),
        (format_datetime(NOW.replace(year=2036), usegmt=True), retry_after.WAIT_S_MAX),
        ("Sat, 21 Nov 2026 12:00:05", 5),
        ("Sat, 99 Nov 2026 12:00:00 GMT", None),
    ],
)
def test_a_date_is_the_time_until_then(date: str, seconds: int | None) -> None:
    assert wait_s(retry_after=date) == seconds


def test_milliseconds_are_believed_before_seconds() -> None:
    assert wait_s(retry_after_ms="1500", retry_after="60") == 2
    assert wait_s(retry_after_ms="soon", retry_after="60") == 60


def test_an_answer_that_says_nothing_asks_for_nothing() -> None:
    assert wait_s() is None


@given(st.text())
def test_whatever_a_provider_writes_is_a_wait_within_bounds_or_none(text: str) -> None:
    seconds = wait_s(retry_after=text)
    assert seconds is None or 0 <= seconds <= retry_after.WAIT_S_MAX
