"""Snapshot in, decision out, and the fingerprint of the rules that made it."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from ainfera_server.routing import cells, exploration, filters, projection, ranking
from ainfera_server.routing.decision import CandidateRecord, Decision, RuleFired
from ainfera_server.routing.exploration import Exploration
from ainfera_server.routing.filters import GATE_REASONS, GATES, DropReason
from ainfera_server.routing.ranking import RANKINGS
from ainfera_server.routing.snapshot import Candidate, Snapshot

FINGERPRINT_LENGTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A candidate that may not answer, and why."""

    candidate: Candidate
    reason: DropReason


def decide(snapshot: Snapshot) -> Decision:
    """Choose who answers: the best ranked of those that no rule drops, the others behind it."""
    survivors, dropped = _sifted(snapshot)
    ranked = tuple(sorted(survivors, key=RANKINGS[snapshot.policy.ranking]))
    rule_fired = _rule_fired(ranked, dropped, snapshot)
    outcome = _explored(ranked, snapshot)
    chosen = outcome.order[0] if outcome.order else None
    ruleset_hash = fingerprint(snapshot)
    policy = snapshot.policy
    return Decision(
        rule_fired=rule_fired,
        order=outcome.order,
        candidates=_records(outcome.order, dropped, snapshot),
        m_allowed_set=_allowed_slugs(snapshot),
        cost_projected=None if chosen is None else projection.projected_cost(chosen, snapshot),
        policy_version=f"{policy.preset}@{policy.semver}+{ruleset_hash}",
        ruleset_hash=ruleset_hash,
        constraint_band=cells.constraint_band(policy.preset),
        cell=None if chosen is None else cells.coverage_cell(snapshot, chosen.model_slug),
        seed=snapshot.seed,
        decision_type=outcome.decision_type,
        propensity=None if chosen is None else outcome.propensity,
    )


def fingerprint(snapshot: Snapshot) -> str:
    """Name the rules in force: two decisions of the same fingerprint followed the same rules.

    A rule that only some snapshots switch on is written only for those, so that the fingerprint
    of everybody else stays what it was before the rule existed.
    """
    ruleset: dict[str, object] = {
        "gates": [name for name, _ in GATES],
        "score_order": ["drop_below_quality_floor", "drop_above_budget_cap", "cheapest_wins"],
        "tiebreak": ["q_prior_desc"],
        "version": snapshot.policy.semver,
    }
    if any(candidate.maker_penalty > 0 for candidate in snapshot.candidates):
        ruleset["diversity"] = {
            "mechanism": "maker_share_soft_penalty",
            "applies_to": "ordering_only",
        }
    if snapshot.policy.latency_cap_ms is not None:
        ruleset["latency"] = {
            "mechanism": "preset_p95_latency_slo",
            "applies_to": "drop_above_latency_cap",
        }
    if snapshot.policy.ranking == "expected_cost":
        ruleset["selection"] = {
            "mechanism": "expected_cost_per_success",
            "applies_to": "ordering_only",
        }
    canonical = msgspec.json.encode(ruleset, order="sorted")
    return hashlib.sha256(canonical).hexdigest()[:FINGERPRINT_LENGTH]


def _sifted(snapshot: Snapshot) -> tuple[tuple[Candidate, ...], tuple[Dropped, ...]]:
    """Part the survivors from the dropped; the dropped by reason, then by name."""
    survivors: list[Candidate] = []
    dropped: list[Dropped] = []
    for candidate in snapshot.candidates:
        reason = filters.drop_reason(candidate, snapshot)
        if reason is None:
            survivors.append(candidate)
        else:
            dropped.append(Dropped(candidate=candidate, reason=reason))
    dropped.sort(key=lambda one: (one.reason, one.candidate.model_slug, one.candidate.model_id))
    return tuple(survivors), tuple(dropped)


def _rule_fired(
    ranked: tuple[Candidate, ...], dropped: tuple[Dropped, ...], snapshot: Snapshot
) -> RuleFired:
    if ranked:
        if any(_veto_mattered(one, ranked[0], snapshot.policy.min_quality) for one in dropped):
            return RuleFired.M_ALLOWED_VETO_APPLIED
        return RuleFired.CHEAPEST_CLEARING_FLOOR
    if all(one.reason in GATE_REASONS for one in dropped):
        return RuleFired.NO_CANDIDATE_ENROLLED
    return RuleFired.NO_CANDIDATE_CLEARS_FLOOR


def _veto_mattered(dropped: Dropped, winner: Candidate, min_quality: Decimal) -> bool:
    """A veto mattered when, without it, a cheaper candidate would have cleared the floor."""
    candidate = dropped.candidate
    return (
        dropped.reason is DropReason.M_ALLOWED_VETO
        and ranking.price_sum(candidate) < ranking.price_sum(winner)
        and (candidate.q_prior is None or candidate.q_prior >= min_quality)
    )


def _explored(ranked: tuple[Candidate, ...], snapshot: Snapshot) -> Exploration:
    if not ranked:
        return Exploration(order=(), decision_type="deterministic", propensity=Decimal(1))
    return exploration.explored(ranked, snapshot)


def _records(
    order: tuple[Candidate, ...], dropped: tuple[Dropped, ...], snapshot: Snapshot
) -> tuple[CandidateRecord, ...]:
    """The survivors by rank, then the dropped: the order every receipt shows."""
    kept = tuple(
        CandidateRecord(
            candidate=candidate,
            cost_projected=projection.projected_cost(candidate, snapshot),
            drop_reason=None,
            rank=rank,
        )
        for rank, candidate in enumerate(order)
    )
    lost = tuple(
        CandidateRecord(
            candidate=one.candidate,
            cost_projected=projection.projected_cost(one.candidate, snapshot),
            drop_reason=one.reason,
            rank=None,
        )
        for one in dropped
    )
    return kept + lost


def _allowed_slugs(snapshot: Snapshot) -> tuple[str, ...]:
    """Everyone whom compliance lets through, whatever the other rules say."""
    return tuple(sorted({one.model_slug for one in snapshot.candidates if one.m_allowed is True}))
