"""Caps are checked on the most that a call may cost, and say what is left and until when."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.errors import Invalid
from ainfera_server.money import UsdMicros
from ainfera_server.wallet import caps
from ainfera_server.wallet.caps import CapBroken, SpentDay
from tests.promises import proves

TODAY = SpentDay(day=date(2026, 12, 31))
AMOUNTS = st.integers(0, 1_000).map(UsdMicros)


def test_a_call_within_its_cap_is_allowed_to_the_last_micro() -> None:
    assert caps.per_call(UsdMicros(1_000), UsdMicros(1_000)) is None
    assert caps.per_call(None, UsdMicros(10**12)) is None


def test_a_call_above_its_cap_is_refused_with_the_numbers() -> None:
    broken = caps.per_call(UsdMicros(1_000), UsdMicros(1_001))
    assert isinstance(broken, CapBroken)
    assert broken.reason == "per_call_cap_exceeded"
    assert (broken.cap, broken.needed, broken.remaining) == (1_000, 1_001, 1_000)
    assert broken.resets_at is None


def test_a_day_counts_what_still_runs() -> None:
    cap = UsdMicros(100)
    first = caps.hold(TODAY, cap, UsdMicros(60))
    assert isinstance(first, SpentDay)
    broken = caps.hold(first, cap, UsdMicros(41))
    assert isinstance(broken, CapBroken)
    assert broken.reason == "daily_cap_exceeded"
    assert (broken.spent, broken.remaining) == (60, 40)
    assert broken.resets_at == datetime(2027, 1, 1, tzinfo=UTC)


def test_what_a_call_did_not_spend_is_free_again() -> None:
    cap = UsdMicros(100)
    held = caps.hold(TODAY, cap, UsdMicros(100))
    assert isinstance(held, SpentDay)
    settled = caps.settle(held, UsdMicros(100), UsdMicros(30))
    assert (settled.posted, settled.pending) == (30, 0)
    assert isinstance(caps.hold(settled, cap, UsdMicros(70)), SpentDay)
    assert isinstance(caps.hold(settled, cap, UsdMicros(71)), CapBroken)


def test_a_cap_below_what_is_spent_leaves_nothing_and_owes_nothing() -> None:
    broken = caps.hold(replace(TODAY, posted=UsdMicros(90)), UsdMicros(50), UsdMicros(1))
    assert isinstance(broken, CapBroken)
    assert broken.remaining == 0


@proves("no-overspend")
@given(st.lists(AMOUNTS), AMOUNTS)
def test_no_sequence_of_holds_breaks_a_day(amounts: list[UsdMicros], cap: UsdMicros) -> None:
    today = TODAY
    for amount in amounts:
        after = caps.hold(today, cap, amount)
        if isinstance(after, SpentDay):
            today = after
    assert today.spent <= cap


@pytest.mark.parametrize("value", ["0.001", 100, "100.000000", 0.5])
def test_a_cap_within_the_limits_is_read_exactly(value: str | float) -> None:
    parsed = caps.parse_per_call_cap(value, param="per_call_cap_usd")
    assert parsed == round(float(value) * 1_000_000)


@pytest.mark.parametrize("value", ["0.0001", "100.000001", "-1", "nan", "much", "", 0, True])
def test_a_cap_outside_the_limits_is_refused_by_its_name(value: str | float) -> None:
    with pytest.raises(Invalid) as refusal:
        caps.parse_per_call_cap(value, param="per_call_cap_usd")
    assert refusal.value.facts["param"] == "per_call_cap_usd"


@pytest.mark.parametrize("value", ["0.009", "10000.01"])
def test_a_daily_cap_outside_the_limits_is_refused(value: str) -> None:
    with pytest.raises(Invalid):
        caps.parse_daily_cap(value, param="daily_cap_usd")
