"""A policy is what the request says, over what its agent's owner decided, over the defaults."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.routing import policy
from ainfera_server.routing.policy import FLOORS_PER_TASK_TYPE, AgentLimits, NotAPolicy
from ainfera_server.routing.snapshot import Policy
from ainfera_server.routing.task_type import TaskType
from tests.promises import proves


def built(
    hint: object = None,
    caps: object = None,
    agent: AgentLimits | None = None,
    dial: Literal["live", "off"] = "off",
    floors: Mapping[TaskType, Decimal] | None = None,
) -> Policy:
    return policy.build(
        routing_hint=hint,
        caps=caps,
        agent=agent or AgentLimits(),
        task_type=TaskType.REASONING,
        dial=dial,
        floors_per_task_type=floors,
    )


def test_a_request_that_says_nothing_asks_for_the_default_floor() -> None:
    assert built() == Policy(min_quality=Decimal("0.50"))
    assert built({}, {}) == built()


@pytest.mark.parametrize("key", ["min_quality", "quality_floor"])
@pytest.mark.parametrize(
    ("value", "floor"),
    [(0, "0"), (1, "1"), (0.7, "0.7"), ("0.75", "0.75"), ("good", "0.50"), ("frontier", "0.85")],
)
def test_a_floor_is_a_number_or_a_tier(key: str, value: object, floor: str) -> None:
    assert built({key: value}).min_quality == Decimal(floor)


def test_the_floor_s_name_of_today_wins_over_its_older_one() -> None:
    assert built({"quality_floor": "frontier", "min_quality": 0.1}).min_quality == Decimal("0.1")


@pytest.mark.parametrize(
    ("hint", "caps"),
    [
        ({"budget_cap_usd": "0.02"}, None),
        ({"max_cost_usd": 0.02}, {}),
        ({}, {"budget": 0.02}),
        ({"budget_cap_usd": 3, "max_cost_usd": "0.02"}, {"budget": "0.5"}),
        ({"budget_cap_usd": 0.0200000000000000004}, None),
    ],
)
def test_the_tightest_budget_counts_under_any_name(hint: object, caps: object) -> None:
    assert built(hint, caps).budget_cap == 20_000


def test_a_budget_finer_than_a_millionth_counts_as_the_millionth_below() -> None:
    assert built({"budget_cap_usd": 0.1 + 0.2}).budget_cap == 300_000
    assert built({"budget_cap_usd": "0.0000019"}).budget_cap == 1


@pytest.mark.parametrize(
    ("hint", "caps"),
    [
        ({"latency_cap_ms": 1500}, None),
        ({}, {"latency_ms": "1500"}),
        ({"latency_cap_ms": 1500.9}, {"latency_ms": 2000}),
    ],
)
def test_the_tightest_latency_counts_under_any_name(hint: object, caps: object) -> None:
    assert built(hint, caps).latency_cap_ms == 1500


def test_what_the_owner_decided_counts_where_the_request_is_silent() -> None:
    agent = AgentLimits(
        min_quality=Decimal(0), per_call_cap=policy.UsdMicros(7), latency_cap_ms=900
    )

    silent = built(agent=agent, floors=FLOORS_PER_TASK_TYPE)
    assert (silent.min_quality, silent.budget_cap, silent.latency_cap_ms) == (0, 7, 900)
    hint = {"min_quality": 0.9, "budget_cap_usd": 1, "latency_cap_ms": 5}
    spoken = built(hint, agent=agent)
    assert (spoken.min_quality, spoken.budget_cap) == (Decimal("0.9"), 1_000_000)
    assert spoken.latency_cap_ms == 5


@pytest.mark.parametrize(
    ("hint", "floor"),
    [
        ({}, "0.80"),
        ({"min_quality": 0.6}, "0.80"),
        ({"quality_floor": "good"}, "0.80"),
        ({"min_quality": 0.85}, "0.85"),
        ({"routing_preference": "cost"}, "0.80"),
        ({"routing_preference": "quality"}, "0.85"),
        ({"routing_preference": "cost", "min_quality": 0.9}, "0.9"),
    ],
)
def test_no_request_goes_below_the_owners_floor(hint: object, floor: str) -> None:
    agent = AgentLimits(min_quality=Decimal("0.80"))

    assert built(hint, agent=agent, dial="live").min_quality == Decimal(floor)


def test_floors_per_task_type_count_only_where_they_are_given() -> None:
    assert built(floors=FLOORS_PER_TASK_TYPE).min_quality == Decimal("0.88")
    assert built(floors={}).min_quality == Decimal("0.50")
    assert built({"min_quality": 0.6}, floors=FLOORS_PER_TASK_TYPE).min_quality == Decimal("0.6")


@pytest.mark.parametrize(
    ("base", "preference", "floor"),
    [
        ("0.50", "quality", "0.60"),
        ("0.80", "quality", "0.85"),
        ("0.50", "cost", "0.50"),
        ("0.80", "cost", "0.70"),
        ("0.88", "quality", "0.88"),
        ("0.88", "cost", "0.78"),
        ("0.20", "cost", "0.20"),
        ("0.80", "balanced", "0.80"),
        ("0.80", "Quality", "0.80"),
        ("0.80", 1, "0.80"),
        ("0.80", None, "0.80"),
    ],
)
def test_the_dial_moves_the_default_floor(base: str, preference: object, floor: str) -> None:
    floors = {TaskType.REASONING: Decimal(base)}
    hint = {"routing_preference": preference}

    assert built(hint, dial="live", floors=floors).min_quality == Decimal(floor)
    assert built(hint, dial="off", floors=floors).min_quality == Decimal(base)


@given(st.decimals(0, 1, places=3))
def test_the_dial_never_moves_the_wrong_way(base: Decimal) -> None:
    assert policy.dialled(base, "cost") <= base <= policy.dialled(base, "quality")


@pytest.mark.parametrize("preference", ["quality", "cost"])
def test_an_explicit_floor_is_never_dialled(preference: str) -> None:
    hint = {"routing_preference": preference, "min_quality": 0.55}

    assert built(hint, dial="live").min_quality == Decimal("0.55")


@proves("bad-input-changes-nothing")
@pytest.mark.parametrize(
    ("hint", "caps", "sentence"),
    [
        (
            {"min_quality": 1.01},
            None,
            (
                "routing_hint.min_quality must be a number from 0 to 1, or 'good' or 'frontier';"
                " not 1.01"
            ),
        ),
        ({"min_quality": -0.1}, None, "routing_hint.min_quality must be"),
        ({"min_quality": float("nan")}, None, "routing_hint.min_quality must be"),
        ({"min_quality": "NaN"}, None, "routing_hint.min_quality must be"),
        ({"min_quality": True}, None, "routing_hint.min_quality must be"),
        ({"min_quality": "best"}, None, "not 'best'"),
        ({"min_quality": "1e-999"}, None, "routing_hint.min_quality must be"),
        ({"min_quality": "0." + "1" * 1_000_000}, None, "routing_hint.min_quality must be"),
        ({"quality_floor": []}, None, "routing_hint.quality_floor must be"),
        (
            {"budget_cap_usd": "-0.01"},
            None,
            (
                "routing_hint.budget_cap_usd must be an amount of US dollars from 0 to 1000000000;"
                " not '-0.01'"
            ),
        ),
        ({"budget_cap_usd": float("inf")}, None, "routing_hint.budget_cap_usd must be"),
        ({"max_cost_usd": "1e999999"}, None, "routing_hint.max_cost_usd must be"),
        ({}, {"budget": "a lot"}, "caps.budget must be"),
        (
            {"latency_cap_ms": 0},
            None,
            (
                "routing_hint.latency_cap_ms must be a number of milliseconds from 1 to 86400000;"
                " not 0"
            ),
        ),
        ({}, {"latency_ms": False}, "caps.latency_ms must be"),
        (["min_quality"], None, "routing_hint must be an object"),
        ({}, "cheap", "caps must be an object; not 'cheap'"),
    ],
)
def test_a_value_that_means_nothing_is_refused_by_its_name(
    hint: object, caps: object, sentence: str
) -> None:
    with pytest.raises(NotAPolicy) as caught:
        built(hint, caps)

    assert sentence in str(caught.value)
    assert str(caught.value).startswith(caught.value.field)
    assert len(str(caught.value)) < 200


def test_keys_and_presets_that_nobody_knows_are_ignored() -> None:
    assert built({"colour": "red", "policy_name": "mine", "preset": 7}, {"colour": 1}) == built()


@pytest.mark.parametrize("name", ["cost_first", "strict", "strict_latency"])
def test_a_known_preset_names_the_policy_and_moves_nothing(name: str) -> None:
    assert built({"policy_name": name}) == Policy(min_quality=Decimal("0.50"), preset=name)
    assert built({"preset": name}) == built({"policy_name": name})


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
anything = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)
hint_keys = st.sampled_from(
    [
        *("min_quality", "quality_floor", "budget_cap_usd", "max_cost_usd", "latency_cap_ms"),
        *("routing_preference", "policy_name", "preset"),
    ]
)


@given(anything | st.dictionaries(hint_keys, anything))
def test_any_hint_gives_a_policy_or_a_sentence(hint: object) -> None:
    try:
        made = built(hint, hint, dial="live")
    except NotAPolicy:
        return
    assert 0 <= made.min_quality <= 1
    assert made.budget_cap is None or made.budget_cap >= 0
