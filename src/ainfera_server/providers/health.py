"""Which offers answered lately, and how fast: what a decision may prefer, and never a certainty."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from ainfera_server.errors import FailureReason, ProviderFailed

LATENCY_WEIGHT = 0.2
"""How much the newest answer counts: after ten answers nine tenths of the figure are theirs."""

LATENCIES_KEPT = 64
"""Enough for a 95th percentile of what happened lately, and half a kilobyte an offer."""

FAILURES_BEFORE_COOLING = 3
COOLDOWN_S_FIRST = 2.0
COOLDOWN_S_MAX = 60.0

WINDOW_S = 30
WINDOW_CALLS_MIN = 20
FAILURE_SHARE_MAX = 0.5
COOLDOWN_S_OF_SHARE = 10.0
"""For an offer that fails half of the time without failing several times in a row."""

PROBE_S_MAX = 60.0
"""A probe that nobody heard of again, because its caller left, no longer counts as under way."""

BLAMELESS: frozenset[FailureReason] = frozenset({"rejected"})
"""The question was at fault, so the offer's record stays as it is."""

SPOKEN: frozenset[FailureReason] = frozenset({"rate_limited", "credential_refused"})
"""The provider itself said that the next call would fail too, so one failure is enough."""

Breaker = Literal["closed", "open", "half_open"]
"""Open: tried last. Half open: its time is over, and one call finds out whether it is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one offer is doing, for people and programs.

    `cooling_until_s` is on the clock of whoever asked, None while it does not cool. The latencies
    are None until it has answered, `failure_share` until it was asked in the last half minute,
    `last_error` until it has failed.
    """

    breaker: Breaker
    cooling_until_s: float | None
    latency_ms_p50: int | None
    latency_ms_p95: int | None
    failure_share: float | None
    last_error: FailureReason | None


class Health:
    """The condition of every offer that this process has tried; forgotten when it ends.

    Times are seconds of one monotonic clock. An offer that cools is only tried last: were it
    left out, one failure would take a model away that nobody else serves.
    """

    def __init__(self) -> None:
        self._conditions: dict[str, _Condition] = {}

    def observe_success(self, offer: str, *, latency_ms: float, now_s: float) -> None:
        """The offer answered. A cooldown that its provider named goes on all the same."""
        condition = self._condition(offer)
        condition.latencies_ms.append(latency_ms)
        known = latency_ms if condition.latency_ms is None else condition.latency_ms
        condition.latency_ms = known + LATENCY_WEIGHT * (latency_ms - known)
        condition.failures_in_a_row = 0
        if condition.is_on_trial:
            condition.is_on_trial = False
            condition.window.clear()
        condition.count(now_s, failures=0)

    def observe_failure(
        self, offer: str, failure: ProviderFailed, *, now_s: float, wait_s: float | None = None
    ) -> None:
        """The offer failed. Of all the moments until which it should cool, the latest holds.

        `wait_s` is how long it will be of no use where that is known better than from this one
        failure, as with several keys; None where it is not.
        """
        condition = self._condition(offer)
        if failure.reason in BLAMELESS:
            condition.probe_ends_s = 0.0
            return
        condition.last_error = failure.reason
        condition.failures_in_a_row += 1
        condition.count(now_s, failures=1)
        named_s = failure.retry_after_s if wait_s is None else wait_s
        cooldown_s = _cooldown_s(failure.reason, named_s, condition.failures_in_a_row)
        if condition.fails_too_often(now_s):
            cooldown_s = max(cooldown_s, COOLDOWN_S_OF_SHARE)
        if condition.is_on_trial:
            cooldown_s = max(cooldown_s, COOLDOWN_S_FIRST)
        condition.cooling_until_s = max(condition.cooling_until_s, now_s + cooldown_s)
        condition.is_on_trial = condition.is_on_trial or condition.cooling_until_s > now_s
        condition.probe_ends_s = 0.0

    def expected_latency_ms(self, offer: str) -> int | None:
        """How long its next answer may take; None while it has not answered."""
        condition = self._conditions.get(offer)
        if condition is None or condition.latency_ms is None:
            return None
        return round(condition.latency_ms)

    def is_cooling(self, offer: str, *, now_s: float) -> bool:
        """Whether it is better to try another first."""
        condition = self._conditions.get(offer)
        return condition is not None and now_s < condition.cooling_until_s

    def lets_through(self, offer: str, *, now_s: float) -> bool:
        """Whether a call may ask it in its turn; one that asks an offer on trial is its probe.

        Whoever is told no asks it last.
        """
        condition = self._conditions.get(offer)
        if condition is None:
            return True
        if now_s < condition.cooling_until_s:
            return False
        if not condition.is_on_trial:
            return True
        if now_s < condition.probe_ends_s:
            return False
        condition.probe_ends_s = now_s + PROBE_S_MAX
        return True

    def standing(self, offer: str, *, now_s: float) -> Standing | None:
        """How an offer is doing; None when this process never asked it."""
        condition = self._conditions.get(offer)
        return None if condition is None else condition.standing(now_s)

    def standings(self, *, now_s: float) -> Iterator[tuple[str, Standing]]:
        """How every offer is doing that this process ever asked."""
        for offer, condition in tuple(self._conditions.items()):
            yield offer, condition.standing(now_s)

    def _condition(self, offer: str) -> "_Condition":
        return self._conditions.setdefault(offer, _Condition())


@dataclass(slots=True, kw_only=True)  # tidy: it changes with every call, and nobody else has it
class _Condition:
    """What is remembered of one offer, within bounds.

    `window` counts calls and failures of each of the last seconds. `is_on_trial` says that it has
    not answered since it began to cool.
    """

    latency_ms: float | None = None
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES_KEPT))
    window: deque[tuple[int, int, int]] = field(default_factory=lambda: deque(maxlen=WINDOW_S + 1))
    failures_in_a_row: int = 0
    last_error: FailureReason | None = None
    cooling_until_s: float = 0.0
    is_on_trial: bool = False
    probe_ends_s: float = 0.0

    def count(self, now_s: float, *, failures: int) -> None:
        """Count a call in the second in which it ended."""
        second = int(now_s)
        if self.window and self.window[-1][0] == second:
            _, calls, failed = self.window.pop()
            self.window.append((second, calls + 1, failed + failures))
        else:
            self.window.append((second, 1, failures))

    def lately(self, now_s: float) -> tuple[int, int]:
        """How many calls ended in the window, and how many of them failed."""
        recent = [one for one in self.window if one[0] > now_s - WINDOW_S]
        return sum(calls for _, calls, _ in recent), sum(failed for _, _, failed in recent)

    def fails_too_often(self, now_s: float) -> bool:
        """Whether half of its calls fail, and there were enough of them to say so."""
        calls, failed = self.lately(now_s)
        return calls >= WINDOW_CALLS_MIN and failed >= FAILURE_SHARE_MAX * calls

    def standing(self, now_s: float) -> Standing:
        calls, failed = self.lately(now_s)
        is_cooling = now_s < self.cooling_until_s
        resting: Breaker = "half_open" if self.is_on_trial else "closed"
        in_order = sorted(self.latencies_ms)
        return Standing(
            breaker="open" if is_cooling else resting,
            cooling_until_s=self.cooling_until_s if is_cooling else None,
            latency_ms_p50=_quantile(in_order, 0.50),
            latency_ms_p95=_quantile(in_order, 0.95),
            failure_share=failed / calls if calls else None,
            last_error=self.last_error,
        )


def _quantile(in_order: list[float], share: float) -> int | None:
    """The smallest latency that this share of the answers kept to; None without any."""
    if not in_order:
        return None
    place = min(int(share * len(in_order)), len(in_order) - 1)
    return round(in_order[place])


def _cooldown_s(reason: FailureReason, named_s: float | None, failures_in_a_row: int) -> float:
    """What the provider named; otherwise twice as long with every failure that follows another."""
    if named_s is not None:
        return float(named_s)
    forgiven = 1 if reason in SPOKEN else FAILURES_BEFORE_COOLING
    if failures_in_a_row < forgiven:
        return 0.0
    doublings = min(failures_in_a_row - forgiven, 10)
    return min(COOLDOWN_S_FIRST * 2**doublings, COOLDOWN_S_MAX)
