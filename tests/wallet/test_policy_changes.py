"""A change of a policy is read exactly, changes what it names, and is refused by name."""

from decimal import Decimal

import pytest

from ainfera_server.catalog import lists
from ainfera_server.conversation import Json
from ainfera_server.errors import Invalid
from ainfera_server.money import UsdMicros
from ainfera_server.wallet import policy_changes
from ainfera_server.wallet.policy import SpendPolicy, TenantPolicy
from ainfera_server.wallet.policy_changes import UNCHANGED, PolicyChange, TenantPolicyChange
from tests.promises import proves

KNOWN = policy_changes.known_names(lists.read_price_lists())

BOUNDS = {
    "per_call_cap_usd": ("0.001", "100"),
    "daily_cap_usd": ("0.01", "10000"),
    "monthly_cap_usd": ("0.01", "300000"),
    "session_cap_usd": ("0.001", "10000"),
    "subagent_cap_usd": ("0.001", "10000"),
}
TENANT_BOUNDS = {
    "daily_cap_usd": ("0.01", "1000000"),
    "monthly_cap_usd": ("0.01", "30000000"),
}
MICRO = Decimal("0.000001")
NO_AMOUNTS: tuple[Json, ...] = (True, [1], {"usd": 1}, "much", "nan", "-1", "0", "0.0000001")


def changed(policy: SpendPolicy, **asked: Json) -> SpendPolicy:
    return policy_changes.changed(policy, policy_changes.parse(asked, KNOWN))


def refused(**asked: Json) -> str:
    with pytest.raises(Invalid) as refusal:
        policy_changes.parse(asked, KNOWN)
    assert refusal.value.facts["param"] in asked
    return refusal.value.sentence


def test_what_a_change_does_not_mention_stays() -> None:
    assert policy_changes.parse({"something_else": 1}, KNOWN) == PolicyChange()
    assert policy_changes.parse({"daily_cap_usd": "5"}, KNOWN).per_call_cap is UNCHANGED
    before = SpendPolicy(per_call_cap=UsdMicros(1_000), may_exceed_hold=True)
    assert changed(before, daily_cap_usd="5") == SpendPolicy(
        per_call_cap=UsdMicros(1_000), daily_cap=UsdMicros(5_000_000), may_exceed_hold=True
    )


def test_everything_can_be_set_and_null_lifts_it_again() -> None:
    asked: dict[str, Json] = {
        "per_call_cap_usd": "0.5",
        "daily_cap_usd": 5,
        "monthly_cap_usd": 300_000,
        "session_cap_usd": 0.001,
        "subagent_cap_usd": "10000",
        "min_quality": "0.70",
        "allowed_models": ["gpt-5-5", "claude-opus-4-7", "gpt-5-5"],
        "allowed_providers": ["groq"],
        "may_exceed_hold": True,
    }
    every = changed(SpendPolicy(), **asked)
    assert every == SpendPolicy(
        per_call_cap=UsdMicros(500_000),
        daily_cap=UsdMicros(5_000_000),
        monthly_cap=UsdMicros(300_000_000_000),
        session_cap=UsdMicros(1_000),
        subagent_cap=UsdMicros(10_000_000_000),
        min_quality=Decimal("0.7"),
        allowed_models=("gpt-5-5", "claude-opus-4-7"),
        allowed_providers=("groq",),
        may_exceed_hold=True,
    )
    assert changed(every, **dict.fromkeys(asked)) == SpendPolicy()


@proves("bad-input-changes-nothing")
@pytest.mark.parametrize("param", BOUNDS)
def test_a_cap_lies_between_its_bounds_or_is_refused_by_its_name(param: str) -> None:
    lowest, highest = map(Decimal, BOUNDS[param])
    for edge in (lowest, highest):
        assert changed(SpendPolicy(), **{param: str(edge)}) != SpendPolicy()
    for beyond in (lowest - MICRO, highest + MICRO):
        assert refused(**{param: str(beyond)}).startswith(f"{param} must be from {lowest:f}")
    for value in NO_AMOUNTS:
        assert refused(**{param: value}).startswith(param)


@pytest.mark.parametrize("param", TENANT_BOUNDS)
def test_a_tenants_cap_lies_between_its_bounds(param: str) -> None:
    lowest, highest = map(Decimal, TENANT_BOUNDS[param])
    for edge in (lowest, highest):
        assert policy_changes.parse_tenant({param: str(edge)}) != TenantPolicyChange()
    for value in (str(lowest - MICRO), str(highest + MICRO), *NO_AMOUNTS):
        with pytest.raises(Invalid, match=param):
            policy_changes.parse_tenant({param: value})


def test_a_tenants_policy_changes_as_an_agents_does() -> None:
    before = TenantPolicy(daily_cap=UsdMicros(10_000), wallet_strict_per_agent=True)

    def after(**asked: Json) -> TenantPolicy:
        return policy_changes.changed_tenant(before, policy_changes.parse_tenant(asked))

    assert after() == before
    assert after(daily_cap_usd=None).daily_cap is None
    assert after(wallet_strict_per_agent=None) == TenantPolicy(daily_cap=UsdMicros(10_000))
    assert after(wallet_strict_per_agent=False) == TenantPolicy(daily_cap=UsdMicros(10_000))
    with pytest.raises(Invalid, match="wallet_strict_per_agent must be true or false"):
        after(wallet_strict_per_agent="yes")


def test_a_list_may_name_an_offer_a_whole_model_and_a_provider() -> None:
    both = changed(
        SpendPolicy(),
        allowed_models=["llama-3-3-70b-groq", "llama-3-3-70b"],
        allowed_providers=["groq", "together", "local"],
    )
    assert both.allowed_models == ("llama-3-3-70b-groq", "llama-3-3-70b")
    assert both.allowed_providers == ("groq", "together", "local")


def test_a_slip_in_a_name_is_refused_with_the_nearest() -> None:
    said = refused(allowed_models=["gpt-5-5", "claude-opus-47"])
    assert "no model is called 'claude-opus-47'. The nearest is 'claude-opus-4-7'." in said
    assert "GET /v1/models lists them." in said
    said = refused(allowed_providers=["anthropics"])
    assert "no provider is called 'anthropics'. The nearest is 'anthropic'." in said
    assert "The nearest" not in refused(allowed_models=["ünheard of"])
    assert len(refused(allowed_models=["x" * 100_000])) < 300


@pytest.mark.parametrize("param", ["allowed_models", "allowed_providers"])
def test_a_list_that_would_allow_nothing_or_is_none_is_refused(param: str) -> None:
    values: tuple[Json, ...] = ([], "gpt-5-5", {"gpt-5-5": True}, 5, False)
    for value in values:
        assert refused(**{param: value}).startswith(f"{param} must be a list of at least one")
    numbers: list[Json] = [5]
    assert "as text" in refused(**{param: numbers})
    many: list[Json] = ["gpt-5-5"] * 201
    assert "at most 200" in refused(**{param: many})


def test_the_name_that_means_choose_for_me_is_no_model() -> None:
    assert "no model is called 'ainfera-inference'" in refused(allowed_models=["ainfera-inference"])


def test_leave_to_exceed_a_hold_is_given_by_true_alone() -> None:
    values: tuple[Json, ...] = ("true", 1, [])
    for value in values:
        assert refused(may_exceed_hold=value) == "may_exceed_hold must be true or false."
