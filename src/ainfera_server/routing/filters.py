"""Rules that drop a candidate, each with its reason, in the order they are asked."""

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from ainfera_server.routing import projection
from ainfera_server.routing.snapshot import Candidate, Policy, Snapshot


class DropReason(StrEnum):
    NOT_ENROLLED_NO_PRICE = "not_enrolled_no_price"
    NOT_ENROLLED_NO_Q_PRIOR = "not_enrolled_no_q_prior"
    M_ALLOWED_VETO = "m_allowed_veto"
    BELOW_QUALITY_FLOOR = "below_quality_floor"
    EXCEEDS_BUDGET_CAP = "exceeds_budget_cap"
    EXCEEDS_LATENCY_CAP = "exceeds_latency_cap"
    BELOW_AGENTIC_FLOOR = "below_agentic_floor"


Filter = tuple[str, Callable[[Candidate, Snapshot], DropReason | None]]


def drop_reason(candidate: Candidate, snapshot: Snapshot) -> DropReason | None:
    """The first rule that drops a candidate; None when it survives them all."""
    for _, rule in FILTERS:
        reason = rule(candidate, snapshot)
        if reason is not None:
            return reason
    return None


def price_is_present(candidate: Candidate, _: Snapshot) -> DropReason | None:
    """An offer without a known price is never served as if it were free."""
    is_present = projection.has_price(candidate)
    return None if is_present else DropReason.NOT_ENROLLED_NO_PRICE


def q_prior_is_present(candidate: Candidate, _: Snapshot) -> DropReason | None:
    """A quality that nobody measured is not invented."""
    return DropReason.NOT_ENROLLED_NO_Q_PRIOR if candidate.q_prior is None else None


def compliance_allows_it(candidate: Candidate, _: Snapshot) -> DropReason | None:
    """No verdict is not a permission: null fails as false does."""
    return None if candidate.m_allowed is True else DropReason.M_ALLOWED_VETO


def quality_is_high_enough(candidate: Candidate, snapshot: Snapshot) -> DropReason | None:
    """Exactly on the floor is high enough."""
    quality = floor_value(candidate, snapshot.policy)
    if quality is None or quality < snapshot.policy.min_quality:
        return DropReason.BELOW_QUALITY_FLOOR
    return None


def cost_is_affordable(candidate: Candidate, snapshot: Snapshot) -> DropReason | None:
    """A candidate may not be expected to cost more than the caller allows."""
    cap = snapshot.policy.budget_cap
    if cap is None:
        return None
    cost = projection.projected_cost(candidate, snapshot)
    return DropReason.EXCEEDS_BUDGET_CAP if cost is not None and cost > cap else None


def latency_is_low_enough(candidate: Candidate, snapshot: Snapshot) -> DropReason | None:
    """Only a latency that is known can be too high."""
    cap = snapshot.policy.latency_cap_ms
    latency = candidate.expected_latency_ms
    if cap is not None and latency is not None and latency > cap:
        return DropReason.EXCEEDS_LATENCY_CAP
    return None


def agentic_index_is_high_enough(candidate: Candidate, snapshot: Snapshot) -> DropReason | None:
    """Only an index that is known can be too low."""
    floor = snapshot.policy.agentic_floor
    index = candidate.agentic_index
    if floor is not None and index is not None and index < floor:
        return DropReason.BELOW_AGENTIC_FLOOR
    return None


def floor_value(candidate: Candidate, policy: Policy) -> Decimal | None:
    """The quality that the floor is compared with.

    Serving never gates on the learned mean: that mean already weighs cost, and gating on it once
    rejected whole kinds of work. A learned quality of 0.0 is a finding, not a missing value.
    """
    match policy.floor_mode:
        case "serving":
            learned = candidate.learned_quality
        case "legacy":
            learned = candidate.learned_mean
        case _:
            assert_never(policy.floor_mode)
    return candidate.q_prior if learned is None else learned


GATES: tuple[Filter, ...] = (
    ("price_present", price_is_present),
    ("q_prior_present", q_prior_is_present),
    ("m_allowed_pass", compliance_allows_it),
)
"""Whether an offer takes part at all. Their names are part of the ruleset's fingerprint."""

LIMITS: tuple[Filter, ...] = (
    ("drop_below_quality_floor", quality_is_high_enough),
    ("drop_above_budget_cap", cost_is_affordable),
    ("drop_above_latency_cap", latency_is_low_enough),
    ("drop_below_agentic_floor", agentic_index_is_high_enough),
)
"""Whether an offer that takes part is what this request asks for."""

FILTERS: tuple[Filter, ...] = GATES + LIMITS

GATE_REASONS = frozenset(
    {
        DropReason.NOT_ENROLLED_NO_PRICE,
        DropReason.NOT_ENROLLED_NO_Q_PRIOR,
        DropReason.M_ALLOWED_VETO,
    }
)
"""What the gates say; a request that met nothing else found no candidate enrolled."""
