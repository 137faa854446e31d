"""A policy is promoted only when it was compared, under the same rules, and nobody is worse off."""

from decimal import Decimal
from typing import Literal

import pytest

from ainfera_server.learning import promotion
from ainfera_server.learning.promotion import Entry, LearnedPolicy, Refusal


def policy(*entries: tuple[str, str, int], ruleset_hash: str | None = "07dbdce7") -> LearnedPolicy:
    return LearnedPolicy(
        entries=tuple(
            Entry(cell="cell", model=model, mean=Decimal(mean), samples=samples)
            for model, mean, samples in entries
        ),
        ruleset_hash=ruleset_hash,
    )


SERVING = policy(("a", "0.50", 10), ("b", "0.50", 10))
BETTER = policy(("a", "0.60", 10), ("b", "0.50", 10))


def refusals(
    serving: LearnedPolicy,
    challenger: LearnedPolicy,
    source: Literal["prod", "synthetic", "shadow"] = "prod",
) -> tuple[Refusal, ...]:
    return promotion.promotion(serving, challenger, source=source).refusals


def test_a_better_policy_is_promoted() -> None:
    assert promotion.promotion(SERVING, BETTER, source="prod").passed


def test_no_change_at_all_is_no_harm() -> None:
    assert refusals(SERVING, SERVING) == ()


@pytest.mark.parametrize(("mean", "passes"), [("0.48", True), ("0.479", False)])
def test_an_entry_may_be_worse_by_two_hundredths_and_no_more(mean: str, *, passes: bool) -> None:
    challenger = policy(("a", mean, 10), ("b", "0.90", 10))

    assert (Refusal.AN_ENTRY_IS_WORSE not in refusals(SERVING, challenger)) is passes


@pytest.mark.parametrize(("samples", "passes"), [(50, True), (51, False)])
def test_losses_weigh_as_much_as_the_traffic_they_hit(samples: int, *, passes: bool) -> None:
    challenger = policy(("a", "0.49", samples), ("b", "0.55", 10))

    assert (Refusal.WORSE_ON_THE_WHOLE not in refusals(SERVING, challenger)) is passes


def test_entries_with_few_answers_on_either_side_are_not_compared() -> None:
    few = policy(("a", "0.10", 9), ("b", "0.10", 9))

    assert refusals(SERVING, few) == (Refusal.NOTHING_TO_COMPARE,)
    assert refusals(few, SERVING) == (Refusal.NOTHING_TO_COMPARE,)


@pytest.mark.parametrize(
    ("before", "after"), [(None, None), (None, "x"), ("x", None), ("x", "y")], ids=repr
)
def test_policies_under_unknown_or_other_rules_are_not_promoted(
    before: str | None, after: str | None
) -> None:
    serving = policy(("a", "0.5", 10), ruleset_hash=before)
    challenger = policy(("a", "0.6", 10), ruleset_hash=after)

    assert refusals(serving, challenger) == (Refusal.RULESET_UNKNOWN_OR_CHANGED,)


def test_what_was_learned_from_made_up_traffic_is_never_promoted() -> None:
    assert refusals(SERVING, BETTER, "synthetic") == (Refusal.SYNTHETIC_SOURCE,)
