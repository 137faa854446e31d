"""A policy is read exactly, kept whole, and served as text."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.conversation import Json
from ainfera_server.errors import Invalid
from ainfera_server.money import UsdMicros
from ainfera_server.wallet import policy
from ainfera_server.wallet.policy import UNCHANGED, SpendPolicy


@given(st.none() | st.decimals(0, 1, places=6))
def test_a_policy_is_kept_whole(min_quality: Decimal | None) -> None:
    before = SpendPolicy(per_call_cap=UsdMicros(1_000), min_quality=min_quality)
    kept = policy.encode(before)
    after = policy.decode(kept, per_call_cap=before.per_call_cap, daily_cap=before.daily_cap)
    assert after == before


def test_what_a_change_does_not_mention_stays() -> None:
    change = policy.parse_change({"daily_cap_usd": "5", "something_else": 1})
    assert change.per_call_cap is UNCHANGED
    before = SpendPolicy(per_call_cap=UsdMicros(1_000), min_quality=Decimal("0.5"))
    assert policy.changed(before, change) == SpendPolicy(
        per_call_cap=UsdMicros(1_000), daily_cap=UsdMicros(5_000_000), min_quality=Decimal("0.5")
    )


def test_a_policy_is_served_as_text_and_null() -> None:
    assert policy.facts(SpendPolicy(daily_cap=UsdMicros(10_000), min_quality=Decimal("0.7"))) == {
        "per_call_cap_usd": None,
        "daily_cap_usd": "0.010000",
        "min_quality": "0.7",
    }


def test_any_cap_protects_against_draining() -> None:
    assert policy.drain_proof_status(SpendPolicy(daily_cap=UsdMicros(1))) == "protected"
    assert policy.drain_proof_status(SpendPolicy(min_quality=Decimal(1))) == "unprotected"


@pytest.mark.parametrize("value", ["1.1", -0.1, "nan", "inf", "1e-30", "much", {}, "9" * 50, True])
def test_a_floor_that_is_no_share_of_one_is_refused(value: Json) -> None:
    with pytest.raises(Invalid) as refusal:
        policy.parse_change({"min_quality": value})
    assert refusal.value.facts["param"] == "min_quality"
