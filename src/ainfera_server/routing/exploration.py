"""When to try another survivor than the best, from a seed in the snapshot; off unless asked."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from ainfera_server.routing.snapshot import Candidate, Snapshot

SHARE_MIN = Decimal("0.05")
"""The least that exploring may mean: a smaller share would learn slower than prices change."""

DecisionType = Literal["deterministic", "exploratory"]

DRAW_RANGE = 2**64


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """The order to try, how it came about, and how likely its first was to come first."""

    order: tuple[Candidate, ...]
    decision_type: DecisionType
    propensity: Decimal


def explored(order: tuple[Candidate, ...], snapshot: Snapshot) -> Exploration:
    """Put one of the least tried survivors first, as often as the snapshot's epsilon says."""
    assert order, "only survivors are explored"
    others = order[1:]
    if snapshot.seed is None or snapshot.exploration_epsilon <= 0 or not others:
        return Exploration(order=order, decision_type="deterministic", propensity=Decimal(1))
    share = min(max(snapshot.exploration_epsilon, SHARE_MIN), Decimal(1))
    first_draw, second_draw = _draws(snapshot.seed)
    if not _is_below(first_draw, share):
        return Exploration(order=order, decision_type="deterministic", propensity=1 - share)
    least_tried = _least_tried(others)
    tried = least_tried[second_draw % len(least_tried)]
    rest = tuple(candidate for candidate in order if candidate is not tried)
    return Exploration(
        order=(tried, *rest),
        decision_type="exploratory",
        propensity=share / len(least_tried),
    )


def _least_tried(candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    fewest = min(candidate.observations for candidate in candidates)
    return tuple(candidate for candidate in candidates if candidate.observations == fewest)


def _draws(seed: str) -> tuple[int, int]:
    """Two independent draws from 0 to DRAW_RANGE, the same wherever the seed is the same."""
    digest = hashlib.sha256(seed.encode()).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")


def _is_below(draw: int, share: Decimal) -> bool:
    """Compare in whole numbers, so that no rounding decides."""
    numerator, denominator = share.as_integer_ratio()
    return draw * denominator < numerator * DRAW_RANGE
