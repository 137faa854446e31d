"""The published figures: what the rules decide about the five anchors, case by case."""

from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from ainfera_server import money
from ainfera_server.money import UsdMicros
from ainfera_server.routing import decide, projection
from ainfera_server.routing.filters import DropReason
from ainfera_server.routing.snapshot import Candidate, Policy
from tests.promises import proves
from tests.routing import anchors
from tests.routing.anchors import GEMINI, GPT, GROK, MISTRAL, OPUS

CHEAPEST, VETOED = "cheapest_clearing_floor", "m_allowed_veto_applied"
NONE_CLEARS, NONE_ENROLLED = "no_candidate_clears_floor", "no_candidate_enrolled"
PLAIN, LATENCY, DIVERSITY, EXPECTED = "07dbdce7", "dc5cff92", "13cd1311", "2ec4cada"

BY_PRICE = (MISTRAL, GEMINI, GPT, GROK, OPUS)
WITHOUT_MISTRAL = BY_PRICE[1:]


def dropped(reason: DropReason, *slugs: str) -> tuple[tuple[str, DropReason], ...]:
    return tuple((slug, reason) for slug in sorted(slugs))


FLOOR, BUDGET = DropReason.BELOW_QUALITY_FLOOR, DropReason.EXCEEDS_BUDGET_CAP
VETO, NO_PRIOR = DropReason.M_ALLOWED_VETO, DropReason.NOT_ENROLLED_NO_Q_PRIOR
MISTRAL_IS_LOW = dropped(FLOOR, MISTRAL)
LEARNED_MEANS = anchors.anchors(
    gemini_3_1_pro={"learned_mean": Decimal("0.2")},
    mistral_large_3={"learned_mean": Decimal("0.97")},
)
LEARNED_QUALITIES = anchors.anchors(
    gemini_3_1_pro={"learned_quality": Decimal("0.0")},
    mistral_large_3={"learned_quality": Decimal("0.97")},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is asked of whom, and what must come of it."""

    policy: Policy
    rule: str
    order: tuple[str, ...]
    dropped: tuple[tuple[str, DropReason], ...] = ()
    candidates: tuple[Candidate, ...] = anchors.anchors()
    ruleset_hash: str = PLAIN


def asking(floor: str = "0.50", **limits: object) -> Policy:
    return anchors.asking(floor, **limits)


CASES = {
    "floor 0.50": Case(policy=asking("0.50"), rule=CHEAPEST, order=BY_PRICE),
    "floor 0.80, equality passes": Case(policy=asking("0.80"), rule=CHEAPEST, order=BY_PRICE),
    "floor 0.85": Case(
        policy=asking("0.85"), rule=CHEAPEST, order=WITHOUT_MISTRAL, dropped=MISTRAL_IS_LOW
    ),
    "floor 0.86": Case(
        policy=asking("0.86"), rule=CHEAPEST, order=WITHOUT_MISTRAL, dropped=MISTRAL_IS_LOW
    ),
    "floor 0.90": Case(
        policy=asking("0.90"),
        rule=CHEAPEST,
        order=(GEMINI, GPT, OPUS),
        dropped=dropped(FLOOR, GROK, MISTRAL),
    ),
    "floor 0.91": Case(
        policy=asking("0.91"),
        rule=CHEAPEST,
        order=(GPT, OPUS),
        dropped=dropped(FLOOR, GEMINI, GROK, MISTRAL),
    ),
    "floor 0.95": Case(
        policy=asking("0.95"),
        rule=CHEAPEST,
        order=(OPUS,),
        dropped=dropped(FLOOR, GEMINI, GPT, GROK, MISTRAL),
    ),
    "floor 0.96": Case(
        policy=asking("0.96"), rule=NONE_CLEARS, order=(), dropped=dropped(FLOOR, *BY_PRICE)
    ),
    "budget of exactly the cheapest": Case(
        policy=asking(budget_cap=UsdMicros(8144)),
        rule=CHEAPEST,
        order=(MISTRAL,),
        dropped=dropped(BUDGET, *WITHOUT_MISTRAL),
    ),
    "budget of a millionth less": Case(
        policy=asking(budget_cap=UsdMicros(8143)),
        rule=NONE_CLEARS,
        order=(),
        dropped=dropped(BUDGET, *BY_PRICE),
    ),
    "the cheapest is vetoed": Case(
        policy=asking(),
        candidates=anchors.anchors(mistral_large_3={"m_allowed": False}),
        rule=VETOED,
        order=WITHOUT_MISTRAL,
        dropped=dropped(VETO, MISTRAL),
    ),
    "the cheapest has no verdict": Case(
        policy=asking(),
        candidates=anchors.anchors(mistral_large_3={"m_allowed": None}),
        rule=VETOED,
        order=WITHOUT_MISTRAL,
        dropped=dropped(VETO, MISTRAL),
    ),
    "the vetoed one would not have cleared": Case(
        policy=asking("0.85"),
        candidates=anchors.anchors(mistral_large_3={"m_allowed": False}),
        rule=CHEAPEST,
        order=WITHOUT_MISTRAL,
        dropped=dropped(VETO, MISTRAL),
    ),
    "a dearer one is vetoed": Case(
        policy=asking(),
        candidates=anchors.anchors(claude_opus_4_7={"m_allowed": False}),
        rule=CHEAPEST,
        order=(MISTRAL, GEMINI, GPT, GROK),
        dropped=dropped(VETO, OPUS),
    ),
    "the cheapest has no prior": Case(
        policy=asking(),
        candidates=anchors.anchors(mistral_large_3={"q_prior": None}),
        rule=CHEAPEST,
        order=WITHOUT_MISTRAL,
        dropped=dropped(NO_PRIOR, MISTRAL),
    ),
    "nobody has a prior": Case(
        policy=asking(),
        candidates=anchors.anchors(
            **{slug.replace("-", "_"): {"q_prior": None} for slug in BY_PRICE}
        ),
        rule=NONE_ENROLLED,
        order=(),
        dropped=dropped(NO_PRIOR, *BY_PRICE),
    ),
    "no candidates": Case(policy=asking(), candidates=(), rule=NONE_ENROLLED, order=()),
    "a latency cap": Case(
        policy=asking(latency_cap_ms=5000),
        candidates=anchors.anchors(mistral_large_3={"expected_latency_ms": 41_000}),
        rule=CHEAPEST,
        order=WITHOUT_MISTRAL,
        dropped=dropped(DropReason.EXCEEDS_LATENCY_CAP, MISTRAL),
        ruleset_hash=LATENCY,
    ),
    "an agentic floor": Case(
        policy=asking(agentic_floor=Decimal("0.95")),
        candidates=anchors.anchors(mistral_large_3={"agentic_index": Decimal("0.5")}),
        rule=CHEAPEST,
        order=WITHOUT_MISTRAL,
        dropped=dropped(DropReason.BELOW_AGENTIC_FLOOR, MISTRAL),
    ),
    "learned means in legacy mode": Case(
        policy=asking("0.85", floor_mode="legacy"),
        candidates=LEARNED_MEANS,
        rule=CHEAPEST,
        order=(MISTRAL, GPT, GROK, OPUS),
        dropped=dropped(FLOOR, GEMINI),
    ),
    "learned means in serving mode": Case(
        policy=asking("0.85"),
        candidates=LEARNED_MEANS,
        rule=CHEAPEST,
        order=WITHOUT_MISTRAL,
        dropped=MISTRAL_IS_LOW,
    ),
    "a learned quality of zero counts": Case(
        policy=asking("0.85"),
        candidates=LEARNED_QUALITIES,
        rule=CHEAPEST,
        order=(MISTRAL, GPT, GROK, OPUS),
        dropped=dropped(FLOOR, GEMINI),
    ),
    "a maker penalty": Case(
        policy=asking(),
        candidates=anchors.anchors(mistral_large_3={"maker_penalty": Decimal("0.5")}),
        rule=CHEAPEST,
        order=(GEMINI, MISTRAL, GPT, GROK, OPUS),
        ruleset_hash=DIVERSITY,
    ),
    "maker penalties of zero": Case(
        policy=asking(),
        candidates=anchors.anchors(mistral_large_3={"maker_penalty": Decimal("0.0")}),
        rule=CHEAPEST,
        order=BY_PRICE,
    ),
    "expected cost": Case(
        policy=asking(ranking="expected_cost"),
        rule=CHEAPEST,
        order=BY_PRICE,
        ruleset_hash=EXPECTED,
    ),
    "expected cost with a learned mean": Case(
        policy=asking(ranking="expected_cost"),
        candidates=anchors.anchors(mistral_large_3={"learned_mean": Decimal("0.5")}),
        rule=CHEAPEST,
        order=(GEMINI, MISTRAL, GPT, GROK, OPUS),
        ruleset_hash=EXPECTED,
    ),
}


@proves("cheapest-above-the-floor", "refusals-name-every-candidate")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_published_case_is_decided_as_published(case: Case) -> None:
    decision = decide.decide(anchors.snapshot(case.candidates, case.policy))

    assert decision.rule_fired == case.rule
    assert tuple(one.model_slug for one in decision.order) == case.order
    assert decision.ruleset_hash == case.ruleset_hash
    assert decision.policy_version == f"balanced@1.0.0+{case.ruleset_hash}"
    records = decision.candidates
    assert [(one.candidate.model_slug, one.drop_reason) for one in records] == [
        *((slug, None) for slug in case.order),
        *case.dropped,
    ]
    ranks = [one.rank for one in records]
    assert ranks == [*range(len(case.order)), *(None for _ in case.dropped)]


@pytest.mark.parametrize(
    ("slug", "cost"),
    [
        (MISTRAL, "0.008144"),
        (GEMINI, "0.011490"),
        (GPT, "0.020360"),
        (GROK, "0.020360"),
        (OPUS, "0.091800"),
    ],
)
def test_an_anchor_costs_what_is_published(slug: str, cost: str) -> None:
    decision = decide.decide(anchors.snapshot((anchors.ANCHORS[slug],), asking()))

    assert decision.cost_projected is not None
    assert money.usd(decision.cost_projected) == cost


def test_a_maker_penalty_orders_and_never_charges() -> None:
    candidates = anchors.anchors(mistral_large_3={"maker_penalty": Decimal("0.5")})

    decision = decide.decide(anchors.snapshot(candidates, asking()))

    second = decision.candidates[1]
    assert (second.candidate.model_slug, second.cost_projected) == (MISTRAL, 8144)


@pytest.mark.parametrize(
    ("price_in", "price_out", "input_tokens", "output_tokens", "micros"),
    [
        ("0.5", "1.5", 1, 0, 0),
        ("0.5", "1.5", 3, 0, 2),
        ("0.5", "1.5", 5, 0, 2),
        ("1.25", "10", 17, 6, 81),
    ],
)
def test_a_projection_rounds_ties_to_the_even_neighbour(
    price_in: str, price_out: str, input_tokens: int, output_tokens: int, micros: int
) -> None:
    candidate = anchors.candidate("any", "any", price_in, price_out, "0.9")
    snapshot = anchors.snapshot((candidate,), asking())
    asked = replace(snapshot, input_tokens_estimate=input_tokens, max_tokens_reserved=output_tokens)

    assert projection.projected_cost(candidate, asked) == micros


@pytest.mark.parametrize(
    ("penalty", "latency_cap_ms", "ranking", "ruleset_hash"),
    [
        ("0", None, "cheapest", "07dbdce7"),
        ("0", None, "expected_cost", "2ec4cada"),
        ("0", 5000, "cheapest", "dc5cff92"),
        ("0", 5000, "expected_cost", "b47f8c70"),
        ("0.1", None, "cheapest", "13cd1311"),
        ("0.1", None, "expected_cost", "62ad94f4"),
        ("0.1", 5000, "cheapest", "90c9736d"),
        ("0.1", 5000, "expected_cost", "49e25873"),
    ],
)
def test_rules_that_are_switched_on_change_the_fingerprint_as_published(
    penalty: str, latency_cap_ms: int | None, ranking: str, ruleset_hash: str
) -> None:
    candidates = anchors.anchors(grok_4={"maker_penalty": Decimal(penalty)})
    policy = asking(latency_cap_ms=latency_cap_ms, ranking=ranking)

    assert decide.fingerprint(anchors.snapshot(candidates, policy)) == ruleset_hash
