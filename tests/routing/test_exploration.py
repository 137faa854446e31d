"""Exploring tries the least tried survivors, as often as it was told, and says how often."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.routing import decide
from ainfera_server.routing.snapshot import Snapshot
from tests.routing import anchors
from tests.routing.anchors import GEMINI, GPT, GROK, MISTRAL, OPUS

SEEDS = tuple(f"seed-{number}" for number in range(2000))


def exploring(epsilon: str, seed: str | None) -> Snapshot:
    """Opus is too dear, gemini and grok were tried least."""
    candidates = anchors.anchors(
        gpt_5_5={"observations": 5},
        mistral_large_3={"observations": 90},
        gemini_3_1_pro={"observations": 1},
        grok_4={"observations": 1},
    )
    policy = anchors.asking(budget_cap=20_360)
    snapshot = anchors.snapshot(candidates, policy)
    return replace(snapshot, exploration_epsilon=Decimal(epsilon), seed=seed)


@given(st.text())
def test_nothing_is_explored_unless_asked(seed: str) -> None:
    made = decide.decide(exploring("0", seed))

    assert made.chosen_model_slug == MISTRAL
    assert (made.decision_type, made.propensity) == ("deterministic", 1)


def test_nothing_is_explored_without_a_seed() -> None:
    made = decide.decide(exploring("1", None))

    assert (made.decision_type, made.propensity) == ("deterministic", 1)


def test_only_the_least_tried_survivors_are_explored_and_equally_often() -> None:
    made = [decide.decide(exploring("0.2", seed)) for seed in SEEDS]

    chosen = [one.chosen_model_slug for one in made]
    assert set(chosen) == {MISTRAL, GEMINI, GROK}
    for slug, propensity in ((MISTRAL, "0.8"), (GEMINI, "0.1"), (GROK, "0.1")):
        of_slug = [one for one in made if one.chosen_model_slug == slug]
        assert {one.propensity for one in of_slug} == {Decimal(propensity)}
        assert abs(len(of_slug) / len(SEEDS) - float(propensity)) < 0.03


def test_a_share_too_small_to_teach_is_raised() -> None:
    made = [decide.decide(exploring("0.001", seed)) for seed in SEEDS]

    assert {one.propensity for one in made} == {Decimal("0.95"), Decimal("0.025")}


def test_an_explored_candidate_goes_first_and_the_others_keep_their_order() -> None:
    made = decide.decide(exploring("1", "any"))

    assert made.decision_type == "exploratory"
    first, *rest = (one.model_slug for one in made.order)
    assert first in {GEMINI, GROK}
    assert rest == [slug for slug in (MISTRAL, GEMINI, GPT, GROK) if slug != first]
    assert [one.rank for one in made.candidates] == [0, 1, 2, 3, None]
    assert made.candidates[-1].candidate.model_slug == OPUS


def test_a_single_survivor_is_certain() -> None:
    snapshot = replace(
        anchors.snapshot((anchors.ANCHORS[GPT],), anchors.asking()),
        exploration_epsilon=Decimal(1),
        seed="any",
    )

    assert decide.decide(snapshot).propensity == 1
