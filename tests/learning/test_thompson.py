"""Shares follow what was seen, and the little tried keep at least the floor."""

from decimal import Decimal
from random import Random  # noqa: TID251 - made from the cell's seed, it repeats itself.

from hypothesis import given, settings
from hypothesis import strategies as st

from ainfera_server.learning import thompson
from ainfera_server.learning.estimates import Arm
from ainfera_server.learning.thompson import BetaSource

PUBLISHED = {
    "a": Arm(weight_sum=Decimal(2), reward_sum=Decimal("1.5"), count=2),
    "b": Arm(weight_sum=Decimal("0.25"), reward_sum=Decimal("0.0625"), count=1),
    "new": Arm(),
}


def generator(seed: int) -> BetaSource:
    """The source that the figures were made with."""
    return Random(seed)  # noqa: S311 - shares of traffic are no secret.


def test_the_published_arms_get_about_the_published_shares() -> None:
    """About, because the figures were published without the cell whose name is their seed."""
    weights = thompson.weights(PUBLISHED, generator(thompson.seed_of("general:tenant:balanced")))

    assert weights["new"] == Decimal("0.05")
    assert abs(weights["a"] - Decimal("0.7742")) < Decimal("0.05")
    assert abs(weights["b"] - Decimal("0.1758")) < Decimal("0.05")


def test_a_cell_gives_the_same_shares_again() -> None:
    one, other = (thompson.weights(PUBLISHED, generator(thompson.seed_of("x"))) for _ in range(2))

    assert one == other
    assert thompson.seed_of("x") != thompson.seed_of("y")


def test_a_cell_of_which_nothing_was_seen_is_shared_evenly() -> None:
    assert thompson.weights({"a": Arm(), "b": Arm()}, generator(1)) == {
        "a": Decimal("0.5"),
        "b": Decimal("0.5"),
    }
    assert thompson.weights({}, generator(1)) == {}


def test_a_loser_that_was_tried_enough_gets_no_floor() -> None:
    arms = {
        "good": Arm(weight_sum=Decimal(40), reward_sum=Decimal(40), count=40),
        "bad": Arm(weight_sum=Decimal(40), reward_sum=Decimal(0), count=40),
    }

    assert thompson.weights(arms, generator(1)) == {"good": Decimal(1), "bad": Decimal(0)}


arms_of_a_cell = st.dictionaries(
    st.text("abc", min_size=1, max_size=4),
    st.tuples(st.integers(0, 40), st.decimals(0, 1, places=2)).map(
        lambda seen: Arm(weight_sum=Decimal(seen[0]), reward_sum=seen[0] * seen[1], count=seen[0])
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=25, deadline=None)
@given(arms_of_a_cell, st.integers(0, 2**64 - 1))
def test_shares_are_a_whole_and_the_little_tried_keep_the_floor(
    arms: dict[str, Arm], seed: int
) -> None:
    weights = thompson.weights(arms, generator(seed))

    floor = min(Decimal("0.05"), Decimal(1) / len(arms))
    assert abs(sum(weights.values()) - 1) < Decimal("1e-20")
    for model, arm in arms.items():
        assert weights[model] >= (floor if arm.count < thompson.SAMPLES_ENOUGH else 0)
