"""What is believed about each model in each cell, from the rewards of its answers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

PRECISION = 28
ALPHA_DEFAULT = Decimal(1)
FLOOR_DEFAULT = Decimal("0.05")
SHRINKAGE_DEFAULT = Decimal(20)

ArmKey = tuple[str, str]
"""A cell and a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One answer's reward, 0 to 1, and how much it counts."""

    tick: int
    cell: str
    model: str
    reward: Decimal
    weight: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        if not (self.reward.is_finite() and 0 <= self.reward <= 1):
            raise ValueError(f"a reward is a number from 0 to 1; not {self.reward!r}")
        if not (self.weight.is_finite() and self.weight >= 0):
            raise ValueError(f"a weight is a number of 0 or more; not {self.weight!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What was seen of one model in one cell: weights, weighted rewards, and how many answers."""

    weight_sum: Decimal = Decimal(0)
    reward_sum: Decimal = Decimal(0)
    count: int = 0


def accumulated(
    observations: Iterable[Observation], *, half_life_ticks: int | None = None
) -> Mapping[ArmKey, Arm]:
    """Sum up what was observed, in an order of its own, so that the stream's order is no matter.

    With a half-life, an observation that much older than the newest counts half as much.
    """
    assert half_life_ticks is None or half_life_ticks > 0, "a half-life is a time"
    ordered = sorted(observations, key=_observation_order)
    newest_tick = ordered[-1].tick if ordered else 0
    arms: dict[ArmKey, Arm] = {}
    with localcontext(prec=PRECISION):
        for observation in ordered:
            key = (observation.cell, observation.model)
            age_ticks = newest_tick - observation.tick
            weight = observation.weight * _decay(age_ticks, half_life_ticks)
            arms[key] = _with_reward(arms.get(key, Arm()), observation.reward, weight)
    return dict(sorted(arms.items()))


def mean(arm: Arm) -> Decimal | None:
    """The weighted mean of the rewards; None when nothing was seen that counts."""
    if arm.weight_sum == 0:
        return None
    with localcontext(prec=PRECISION):
        return arm.reward_sum / arm.weight_sum


def score(arm: Arm, cell_count: int, *, alpha: Decimal = ALPHA_DEFAULT) -> Decimal | None:
    """The mean, and more the less often this model was tried among the cell's `cell_count` answers.

    A model that was never tried in a cell that has answers is worth trying before any other.
    """
    if cell_count <= 1:
        return mean(arm)
    if arm.count == 0:
        return Decimal("Infinity")
    known = mean(arm)
    if known is None:
        return None
    with localcontext(prec=PRECISION):
        return known + alpha * (2 * Decimal(cell_count).ln() / arm.count).sqrt()


def shrunk_mean(
    arm: Arm, prior: Decimal, *, strength: Decimal = SHRINKAGE_DEFAULT
) -> Decimal | None:
    """The mean, held back by a prior that counts as `strength` answers; None without either."""
    assert strength >= 0, "a prior counts as some answers or none"
    with localcontext(prec=PRECISION):
        weight_sum = strength + arm.weight_sum
        if weight_sum == 0:
            return None
        posterior = (strength * prior + arm.reward_sum) / weight_sum
    return min(max(posterior, Decimal(0)), Decimal(1))


def exploration_quota(
    counts: Mapping[str, int], *, floor: Decimal = FLOOR_DEFAULT
) -> Mapping[str, Decimal]:
    """Split the floor over the models tried least; the others need none of it."""
    if not counts:
        return {}
    fewest = min(counts.values())
    least_tried = [model for model, count in counts.items() if count == fewest]
    with localcontext(prec=PRECISION):
        share = floor / len(least_tried)
    return {model: share if counts[model] == fewest else Decimal(0) for model in sorted(counts)}


def _observation_order(one: Observation) -> tuple[int, str, str, Decimal, Decimal]:
    return (one.tick, one.cell, one.model, one.reward, one.weight)


def _decay(age_ticks: int, half_life_ticks: int | None) -> Decimal:
    if half_life_ticks is None:
        return Decimal(1)
    return Decimal("0.5") ** (Decimal(age_ticks) / half_life_ticks)


def _with_reward(arm: Arm, reward: Decimal, weight: Decimal) -> Arm:
    return Arm(
        weight_sum=arm.weight_sum + weight,
        reward_sum=arm.reward_sum + weight * reward,
        count=arm.count + 1,
    )
