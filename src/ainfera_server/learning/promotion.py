"""Whether a learned policy may replace the one that serves: only when nobody is worse off."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal

SAMPLES_MIN = 10
WORSE_BY_MAX = Decimal("0.02")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a policy believes of one model in one cell, and from how many answers."""

    cell: str
    model: str
    mean: Decimal
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedPolicy:
    """A set of beliefs and the rules they were made under; None means that nobody wrote it down."""

    entries: tuple[Entry, ...]
    ruleset_hash: str | None


class Refusal(StrEnum):
    SYNTHETIC_SOURCE = "synthetic_source"
    RULESET_UNKNOWN_OR_CHANGED = "ruleset_unknown_or_changed"
    NOTHING_TO_COMPARE = "nothing_to_compare"
    AN_ENTRY_IS_WORSE = "an_entry_is_worse"
    WORSE_ON_THE_WHOLE = "worse_on_the_whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionVerdict:
    """Every reason against, in one order; none at all means that it may be promoted."""

    refusals: tuple[Refusal, ...]

    @property
    def passed(self) -> bool:
        return not self.refusals


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    delta: Decimal
    volume: int


def promotion(
    serving: LearnedPolicy,
    challenger: LearnedPolicy,
    *,
    source: Literal["prod", "synthetic", "shadow"],
) -> PromotionVerdict:
    """Compare what both policies know well, and collect every reason against the challenger."""
    changes = _changes(serving.entries, challenger.entries)
    volume_weighted_delta = sum((one.delta * one.volume for one in changes), Decimal(0))
    objections = (
        (Refusal.SYNTHETIC_SOURCE, source == "synthetic"),
        (Refusal.RULESET_UNKNOWN_OR_CHANGED, not _rules_are_the_same(serving, challenger)),
        (Refusal.NOTHING_TO_COMPARE, not changes),
        (Refusal.AN_ENTRY_IS_WORSE, any(one.delta < -WORSE_BY_MAX for one in changes)),
        (Refusal.WORSE_ON_THE_WHOLE, volume_weighted_delta < 0),
    )
    return PromotionVerdict(refusals=tuple(reason for reason, holds in objections if holds))


def _rules_are_the_same(serving: LearnedPolicy, challenger: LearnedPolicy) -> bool:
    return serving.ruleset_hash is not None and serving.ruleset_hash == challenger.ruleset_hash


def _changes(before: Sequence[Entry], after: Sequence[Entry]) -> tuple[_Change, ...]:
    """How belief changed wherever both policies have enough answers to believe anything."""
    known = {(one.cell, one.model): one for one in before if one.samples >= SAMPLES_MIN}
    return tuple(
        _Change(delta=one.mean - known[one.cell, one.model].mean, volume=one.samples)
        for one in after
        if one.samples >= SAMPLES_MIN and (one.cell, one.model) in known
    )
