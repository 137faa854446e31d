"""Which offers answered lately, and how fast: what a decision may prefer, and never a certainty."""

from dataclasses import dataclass, replace

from ainfera_server.errors import FailureReason, ProviderFailed

LATENCY_WEIGHT = 0.2
"""How much the newest answer counts: after ten answers nine tenths of the figure are theirs."""

FAILURES_BEFORE_COOLING = 3
COOLDOWN_S_FIRST = 2.0
COOLDOWN_S_MAX = 60.0

BLAMELESS: frozenset[FailureReason] = frozenset({"rejected"})
"""The question was at fault, so the offer's record stays as it is."""

SPOKEN: frozenset[FailureReason] = frozenset({"rate_limited", "credential_refused"})
"""The provider itself said that the next call would fail too, so one failure is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How one offer is doing. `latency_ms` is None until it has answered once."""

    latency_ms: float | None = None
    failures_in_a_row: int = 0
    cooling_until_s: float = 0.0


WELL = Condition()


class Health:
    """The condition of every offer that this process has tried; forgotten when it ends.

    Times are seconds of one monotonic clock. An offer that cools is only tried last: were it
    left out, one failure would take a model away that nobody else serves.
    """

    def __init__(self) -> None:
        self._conditions: dict[str, Condition] = {}

    def observe_success(self, offer: str, *, latency_ms: float) -> None:
        """The offer answered. A cooldown that its provider named goes on all the same."""
        before = self._conditions.get(offer, WELL)
        known = latency_ms if before.latency_ms is None else before.latency_ms
        blended = known + LATENCY_WEIGHT * (latency_ms - known)
        self._conditions[offer] = replace(before, latency_ms=blended, failures_in_a_row=0)

    def observe_failure(self, offer: str, failure: ProviderFailed, *, now_s: float) -> None:
        """The offer failed. Of all the moments until which it should cool, the latest holds."""
        if failure.reason in BLAMELESS:
            return
        before = self._conditions.get(offer, WELL)
        failures = before.failures_in_a_row + 1
        until_s = now_s + _cooldown_s(failure, failures_in_a_row=failures)
        self._conditions[offer] = replace(
            before,
            failures_in_a_row=failures,
            cooling_until_s=max(before.cooling_until_s, until_s),
        )

    def expected_latency_ms(self, offer: str) -> int | None:
        """How long its next answer may take; None while it has not answered."""
        latency_ms = self._conditions.get(offer, WELL).latency_ms
        return None if latency_ms is None else round(latency_ms)

    def is_cooling(self, offer: str, *, now_s: float) -> bool:
        """Whether it is better to try another first."""
        condition = self._conditions.get(offer)
        return condition is not None and now_s < condition.cooling_until_s


def _cooldown_s(failure: ProviderFailed, *, failures_in_a_row: int) -> float:
    """What the provider named; otherwise twice as long with every failure that follows another."""
    if failure.retry_after_s is not None:
        return float(failure.retry_after_s)
    forgiven = 1 if failure.reason in SPOKEN else FAILURES_BEFORE_COOLING
    if failures_in_a_row < forgiven:
        return 0.0
    doublings = min(failures_in_a_row - forgiven, 10)
    return min(COOLDOWN_S_FIRST * 2**doublings, COOLDOWN_S_MAX)
