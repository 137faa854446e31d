"""What holds for every decision there can be, and the exact bytes of one."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.routing import cells, decide, decision, filters, ranking
from ainfera_server.routing import snapshot as snapshots
from ainfera_server.routing.decision import RuleFired
from ainfera_server.routing.filters import DropReason
from ainfera_server.routing.snapshot import Snapshot
from tests.promises import proves
from tests.routing import anchors
from tests.routing import snapshots as any_snapshot
from tests.routing.anchors import GEMINI, GPT, GROK, MISTRAL

GOLDEN = Path(__file__).with_name("decision.golden.jsonl")
RECORD_KEYS = {
    "model_id",
    "model_slug",
    "brand_slug",
    "q_prior",
    "price_in_per_mtok_usd",
    "price_out_per_mtok_usd",
    "m_allowed",
    "projected_cost_usd",
    "drop_reason",
    "rank",
}


@proves("decisions-are-pure")
@given(any_snapshot.snapshots, st.data())
def test_the_order_of_the_candidates_changes_no_byte(
    snapshot: Snapshot, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(snapshot.candidates))

    again = decide.decide(replace(snapshot, candidates=tuple(shuffled)))

    assert decision.encode(again) == decision.encode(decide.decide(snapshot))


@proves("decisions-can-be-made-again")
@given(any_snapshot.snapshots)
def test_a_stored_snapshot_gives_the_same_decision_again(snapshot: Snapshot) -> None:
    stored = snapshots.encode(snapshot)

    again = decide.decide(snapshots.decode(stored))

    assert decision.encode(again) == decision.encode(decide.decide(snapshot))


@given(any_snapshot.snapshots)
def test_every_candidate_is_recorded_once_as_ranked_or_dropped(snapshot: Snapshot) -> None:
    made = decide.decide(snapshot)

    recorded = sorted(one.candidate.model_id for one in made.candidates)
    assert recorded == sorted(one.model_id for one in snapshot.candidates)
    ranked = [one.candidate for one in made.candidates if one.rank is not None]
    assert tuple(ranked) == made.order
    lost = [one for one in made.candidates if one.drop_reason is not None]
    assert lost == sorted(lost, key=lambda one: (one.drop_reason or "", one.candidate.model_slug))


@given(any_snapshot.snapshots)
def test_a_refusal_names_no_model_and_an_answer_names_the_first(snapshot: Snapshot) -> None:
    made = decide.decide(snapshot)

    refused = made.rule_fired in (
        RuleFired.NO_CANDIDATE_ENROLLED,
        RuleFired.NO_CANDIDATE_CLEARS_FLOOR,
    )
    assert refused == (made.chosen is None)
    of_the_chosen = (made.chosen_model_slug, made.q_prior_used, made.cost_projected, made.cell)
    assert all((one is None) == refused for one in of_the_chosen)
    assert (made.propensity is None) == refused


@given(any_snapshot.snapshots, any_snapshot.shares, any_snapshot.shares)
def test_raising_the_floor_never_lets_a_worse_candidate_in(
    snapshot: Snapshot, one_floor: Decimal, other_floor: Decimal
) -> None:
    low, high = sorted((one_floor, other_floor))
    lower, higher = (_with_floor(snapshot, floor) for floor in (low, high))

    survivors_below = set(decide.decide(lower).order)
    survivors_above = set(decide.decide(higher).order)

    assert survivors_above <= survivors_below
    for one in survivors_above:
        value = filters.floor_value(one, higher.policy)
        assert value is not None
        assert value >= high


@proves("cheapest-above-the-floor")
@given(any_snapshot.snapshots)
def test_nobody_who_survives_is_cheaper_than_the_winner(snapshot: Snapshot) -> None:
    policy = replace(snapshot.policy, ranking="cheapest")
    made = decide.decide(replace(snapshot, policy=policy, exploration_epsilon=Decimal(0)))

    prices = [ranking.effective_price(one) for one in made.order]

    assert prices == sorted(prices)


@given(any_snapshot.snapshots)
def test_the_stored_decision_shows_the_wire_s_keys_and_no_float(snapshot: Snapshot) -> None:
    made = decide.decide(snapshot)
    stored = orjson.loads(decision.encode(made))

    assert all(set(one) == RECORD_KEYS for one in stored["candidates"])
    assert orjson.loads(decision.encode_candidates(made)) == stored["candidates"]
    assert decision.encode(made) == orjson.dumps(stored, option=orjson.OPT_SORT_KEYS)
    assert b"." not in orjson.dumps(_without_texts(stored))


@proves("unpriced-is-never-served")
@given(any_snapshot.snapshots)
def test_what_has_no_price_is_never_tried(snapshot: Snapshot) -> None:
    for one in decide.decide(snapshot).order:
        assert one.price_in
        assert one.price_out


@pytest.mark.parametrize(
    ("limits", "mistral"),
    [
        ({"latency_cap_ms": 5000}, {"expected_latency_ms": 5000}),
        ({"latency_cap_ms": 5000}, {"expected_latency_ms": None}),
        ({"agentic_floor": Decimal("0.5")}, {"agentic_index": Decimal("0.50")}),
        ({"agentic_floor": Decimal("0.5")}, {"agentic_index": None}),
    ],
    ids=repr,
)
def test_what_is_on_a_limit_or_not_known_passes_it(
    limits: dict[str, object], mistral: dict[str, object]
) -> None:
    candidates = anchors.anchors(mistral_large_3=mistral)

    policy = replace(anchors.asking(), **limits)
    made = decide.decide(anchors.snapshot(candidates, policy))

    assert made.chosen_model_slug == MISTRAL


def test_a_veto_of_somebody_as_dear_as_the_winner_did_not_matter() -> None:
    candidates = tuple(anchors.ANCHORS[slug] for slug in (GPT, GROK))
    vetoed = (replace(candidates[0], m_allowed=False), candidates[1])

    made = decide.decide(anchors.snapshot(vetoed, anchors.asking()))

    assert made.rule_fired is RuleFired.CHEAPEST_CLEARING_FLOOR


def test_an_unpriced_candidate_is_recorded_without_a_projection() -> None:
    candidates = anchors.anchors(mistral_large_3={"price_out": anchors.price("0")})

    made = decide.decide(anchors.snapshot(candidates, anchors.asking()))

    last = made.candidates[-1]
    assert last.drop_reason is DropReason.NOT_ENROLLED_NO_PRICE
    assert last.cost_projected is None


def test_compliance_is_reported_whatever_the_other_rules_say() -> None:
    candidates = anchors.anchors(
        grok_4={"m_allowed": None}, mistral_large_3={"q_prior": Decimal("0.1")}
    )

    made = decide.decide(anchors.snapshot(candidates, anchors.asking()))

    assert made.m_allowed_set == ("claude-opus-4-7", "gemini-3-1-pro", "gpt-5-5", MISTRAL)


def test_offers_of_one_slug_are_told_apart_by_their_id() -> None:
    one = anchors.ANCHORS[GEMINI]
    other = replace(one, model_id="another-offer")

    made = decide.decide(anchors.snapshot((one, other), anchors.asking()))

    assert [each.model_id for each in made.order] == ["another-offer", one.model_id]


def test_what_never_succeeds_is_ranked_last_by_expected_cost() -> None:
    candidates = anchors.anchors(mistral_large_3={"learned_mean": Decimal(0)})
    policy = anchors.asking(ranking="expected_cost")

    made = decide.decide(anchors.snapshot(candidates, policy))

    assert made.order[-1].model_slug == MISTRAL


def test_a_decision_names_the_cells_it_is_counted_and_learned_in() -> None:
    snapshot = anchors.snapshot(anchors.anchors(), anchors.asking(preset="cost_first"))

    assert decide.decide(snapshot).cell == "general:mistral-large-3:cost"
    assert cells.learning_cell(snapshot) == "general:tenant:cost"
    assert cells.learning_cell(replace(snapshot, tenant_id=None)) == "general:unknown:cost"


def test_every_preset_belongs_to_a_band() -> None:
    presets = ("balanced", "cost_first", "quality_first", "latency_first", "strict_latency", "mine")

    bands = tuple(cells.constraint_band(preset) for preset in presets)

    assert bands == ("balanced", "cost", "quality", "latency", "strict", "weighted")


def test_the_bytes_of_a_decision_stay_what_they_were() -> None:
    candidates = anchors.anchors(
        grok_4={"m_allowed": None}, gpt_5_5={"q_prior": None}, claude_opus_4_7={"price_in": None}
    )
    snapshot = replace(
        anchors.snapshot(candidates, anchors.asking("0.85")),
        seed="seed",
        exploration_epsilon=Decimal("0.10"),
    )

    written = snapshots.encode(snapshot) + b"\n" + decision.encode(decide.decide(snapshot)) + b"\n"

    assert written == GOLDEN.read_bytes()


def _with_floor(snapshot: Snapshot, floor: Decimal) -> Snapshot:
    return replace(snapshot, policy=replace(snapshot.policy, min_quality=floor))


def _without_texts(value: object) -> object:
    """The same JSON with every text emptied, so that only numbers could hold a point."""
    match value:
        case dict():
            return {key: _without_texts(one) for key, one in value.items()}
        case list():
            return [_without_texts(one) for one in value]
        case str():
            return ""
        case _:
            return value
