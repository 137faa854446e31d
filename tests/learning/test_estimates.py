"""Means, scores, quotas and decay give the published figures, whatever order answers come in."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.learning import estimates
from ainfera_server.learning.estimates import Arm, Observation


def seen(model: str, reward: str, tick: int = 0, weight: str = "1") -> Observation:
    return Observation(
        tick=tick, cell="cell", model=model, reward=Decimal(reward), weight=Decimal(weight)
    )


PUBLISHED = (seen("a", "1"), seen("a", "0.5", 1), seen("b", "0.25", 2, "0.25"))


def test_the_published_observations_sum_up_as_published() -> None:
    arms = estimates.accumulated(PUBLISHED)

    assert arms == {
        ("cell", "a"): Arm(weight_sum=Decimal(2), reward_sum=Decimal("1.5"), count=2),
        ("cell", "b"): Arm(weight_sum=Decimal("0.25"), reward_sum=Decimal("0.0625"), count=1),
    }


def test_the_published_arms_have_the_published_means_and_scores() -> None:
    arms = estimates.accumulated(PUBLISHED)
    a, b = arms["cell", "a"], arms["cell", "b"]

    assert (estimates.mean(a), estimates.mean(b)) == (Decimal("0.75"), Decimal("0.25"))
    assert str(estimates.score(a, 3)).startswith("1.798147")
    assert str(estimates.score(b, 3)).startswith("1.732303")


def test_a_half_life_halves_what_is_that_much_older() -> None:
    arms = estimates.accumulated((seen("a", "1", 0), seen("a", "0", 10)), half_life_ticks=10)

    assert arms["cell", "a"] == Arm(weight_sum=Decimal("1.5"), reward_sum=Decimal("0.5"), count=2)


def test_one_answer_in_a_cell_is_no_reason_for_a_bonus() -> None:
    arm = Arm(weight_sum=Decimal(1), reward_sum=Decimal("0.5"), count=1)

    assert estimates.score(arm, 1) == Decimal("0.5")
    assert estimates.score(Arm(), 0) is None


def test_what_was_never_tried_is_worth_trying_first() -> None:
    assert estimates.score(Arm(), 2) == Decimal("Infinity")


def test_answers_that_count_nothing_say_nothing() -> None:
    arm = Arm(count=3)

    assert estimates.mean(arm) is None
    assert estimates.score(arm, 5) is None


def test_the_quota_goes_to_the_least_tried() -> None:
    assert estimates.exploration_quota({"a": 2, "b": 1, "new": 0}) == {
        "a": 0,
        "b": 0,
        "new": Decimal("0.05"),
    }
    assert estimates.exploration_quota({"a": 1, "b": 1, "c": 2}) == {
        "a": Decimal("0.025"),
        "b": Decimal("0.025"),
        "c": 0,
    }
    assert estimates.exploration_quota({}) == {}


def test_a_prior_holds_a_mean_back_by_its_strength() -> None:
    arm = Arm(weight_sum=Decimal(5), reward_sum=Decimal(5), count=5)
    prior = Decimal("0.5")

    assert estimates.shrunk_mean(arm, prior) == Decimal("0.6")
    assert estimates.shrunk_mean(arm, prior, strength=Decimal(0)) == estimates.mean(arm)
    assert estimates.shrunk_mean(Arm(), prior) == prior
    assert estimates.shrunk_mean(Arm(), prior, strength=Decimal(0)) is None
    assert estimates.shrunk_mean(Arm(), Decimal(3)) == 1


@pytest.mark.parametrize("reward", ["-0.1", "1.1", "NaN", "Infinity"])
def test_a_reward_outside_its_range_is_an_error(reward: str) -> None:
    with pytest.raises(ValueError, match="a reward is a number from 0 to 1"):
        seen("a", reward)


@pytest.mark.parametrize("weight", ["-0.1", "NaN", "Infinity"])
def test_a_weight_below_nothing_is_an_error(weight: str) -> None:
    with pytest.raises(ValueError, match="a weight is a number of 0 or more"):
        seen("a", "1", weight=weight)


observations = st.builds(
    Observation,
    tick=st.integers(0, 50),
    cell=st.sampled_from(["x", "y"]),
    model=st.sampled_from(["a", "b"]),
    reward=st.decimals(0, 1, places=2),
    weight=st.decimals(0, 2, places=2),
)


@given(st.lists(observations), st.data(), st.none() | st.integers(1, 20))
def test_the_order_of_the_stream_changes_nothing(
    stream: list[Observation], data: st.DataObject, half_life_ticks: int | None
) -> None:
    shuffled = data.draw(st.permutations(stream))

    one = estimates.accumulated(stream, half_life_ticks=half_life_ticks)
    other = estimates.accumulated(shuffled, half_life_ticks=half_life_ticks)

    assert list(one.items()) == list(other.items())


@given(st.lists(observations), st.none() | st.integers(1, 20))
def test_a_mean_stays_a_reward(stream: list[Observation], half_life_ticks: int | None) -> None:
    for arm in estimates.accumulated(stream, half_life_ticks=half_life_ticks).values():
        mean = estimates.mean(arm)
        assert mean is None or 0 <= mean <= 1
