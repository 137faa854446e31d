"""A policy is kept whole, and served as text."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.errors import Invalid
from ainfera_server.money import UsdMicros
from ainfera_server.wallet import policy
from ainfera_server.wallet.policy import Kept, SpendPolicy, TenantPolicy

NAMES = st.none() | st.lists(st.text(), min_size=1).map(tuple)


@given(st.none() | st.decimals(0, 1, places=6), NAMES, NAMES)
def test_what_has_no_column_of_its_own_is_kept_whole(
    min_quality: Decimal | None,
    models: tuple[str, ...] | None,
    providers: tuple[str, ...] | None,
) -> None:
    before = SpendPolicy(
        per_call_cap=UsdMicros(1_000),
        min_quality=min_quality,
        allowed_models=models,
        allowed_providers=providers,
    )
    kept = policy.decode(policy.encode(before))
    assert kept == Kept(
        min_quality=None if min_quality is None else str(min_quality),
        allowed_models=models,
        allowed_providers=providers,
    )


def test_what_was_kept_before_there_were_lists_is_still_read() -> None:
    assert policy.decode('{"min_quality":"0.7"}') == Kept(min_quality="0.7")
    assert policy.decode("{}") == Kept()


def test_a_policy_is_served_as_text_and_null() -> None:
    allowed = SpendPolicy(
        daily_cap=UsdMicros(10_000), min_quality=Decimal("0.7"), allowed_models=("gpt-5-5",)
    )
    assert policy.facts(allowed) == {
        "per_call_cap_usd": None,
        "daily_cap_usd": "0.010000",
        "monthly_cap_usd": None,
        "session_cap_usd": None,
        "subagent_cap_usd": None,
        "min_quality": "0.7",
        "allowed_models": ["gpt-5-5"],
        "allowed_providers": None,
        "may_exceed_hold": False,
    }
    assert policy.tenant_facts(TenantPolicy(monthly_cap=UsdMicros(1))) == {
        "daily_cap_usd": None,
        "monthly_cap_usd": "0.000001",
        "wallet_strict_per_agent": False,
    }


def test_a_cap_that_nobody_can_step_around_protects_against_draining() -> None:
    one = UsdMicros(1)
    for protecting in (
        SpendPolicy(per_call_cap=one),
        SpendPolicy(daily_cap=one),
        SpendPolicy(monthly_cap=one),
    ):
        assert policy.drain_proof_status(protecting) == "protected"
    for evaded in (
        SpendPolicy(min_quality=Decimal(1)),
        SpendPolicy(session_cap=one, subagent_cap=one),
    ):
        assert policy.drain_proof_status(evaded) == "unprotected"


@pytest.mark.parametrize("value", ["1.1", -0.1, "nan", "inf", "1e-30", "much", "9" * 50, True])
def test_what_is_no_share_of_one_is_refused(value: str | float) -> None:
    with pytest.raises(Invalid) as refusal:
        policy.parse_share(value, param="min_quality")
    assert refusal.value.facts["param"] == "min_quality"
