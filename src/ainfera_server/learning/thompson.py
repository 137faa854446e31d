"""How often each model of a cell would be best, if what was seen of it is all that is known."""

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from ainfera_server.learning.estimates import FLOOR_DEFAULT, Arm

DRAWS = 500
SAMPLES_ENOUGH = 30
"""With fewer answers than this a model keeps at least the floor's share."""


class BetaSource(Protocol):
    """Whoever draws from a beta distribution: a generator made from `seed_of`, by the caller."""

    def betavariate(self, alpha: float, beta: float, /) -> float: ...


def seed_of(cell: str) -> int:
    """The seed of a cell's generator, the same in every process."""
    return int.from_bytes(hashlib.sha256(cell.encode()).digest()[:8], "big")


def weights(
    arms: Mapping[str, Arm], source: BetaSource, *, floor: Decimal = FLOOR_DEFAULT
) -> Mapping[str, Decimal]:
    """The share of draws that each model wins, with the little tried lifted to the floor."""
    if not arms:
        return {}
    even_share = Decimal(1) / len(arms)
    wins = _wins(arms, source)
    drawn = sum(wins.values())
    shares = {model: Decimal(won) / drawn if drawn else even_share for model, won in wins.items()}
    little_tried = {model for model, arm in arms.items() if arm.count < SAMPLES_ENOUGH}
    return _lifted(shares, little_tried, min(floor, even_share))


def _lifted(
    shares: Mapping[str, Decimal], little_tried: set[str], floor: Decimal
) -> Mapping[str, Decimal]:
    """Lift the little tried to the floor at the others' cost, who may then need it themselves."""
    lifted: set[str] = set()
    result = shares
    while below := {model for model in little_tried - lifted if result[model] < floor}:
        lifted |= below
        left = 1 - floor * len(lifted)
        rest = sum(share for model, share in shares.items() if model not in lifted)
        result = {
            model: floor if model in lifted else share * left / rest
            for model, share in shares.items()
        }
    return result


def _wins(arms: Mapping[str, Arm], source: BetaSource) -> dict[str, int]:
    """Count who is best in each draw; a model of which nothing was seen takes no part."""
    wins = dict.fromkeys(sorted(arms), 0)
    known = {model: arms[model] for model in wins if arms[model].weight_sum > 0}
    for _ in range(DRAWS if known else 0):
        sampled = {model: _sampled(arm, source) for model, arm in known.items()}
        wins[max(sampled, key=lambda model: sampled[model])] += 1
    return wins


def _sampled(arm: Arm, source: BetaSource) -> float:
    """One guess at the mean; rewards that were all the same leave nothing to guess."""
    successes, failures = arm.reward_sum, arm.weight_sum - arm.reward_sum
    if successes <= 0 or failures <= 0:
        return 1.0 if successes > 0 else 0.0
    return source.betavariate(float(successes), float(failures))
