"""A decision: whom to try in which order, everything dropped and why, and its stored bytes."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import msgspec

from ainfera_server import money
from ainfera_server.money import UsdMicros
from ainfera_server.routing import snapshot as snapshots
from ainfera_server.routing.exploration import DecisionType
from ainfera_server.routing.filters import DropReason
from ainfera_server.routing.snapshot import Candidate


class RuleFired(StrEnum):
    """Which rule made the decision, as the wire names it."""

    CHEAPEST_CLEARING_FLOOR = "cheapest_clearing_floor"
    M_ALLOWED_VETO_APPLIED = "m_allowed_veto_applied"
    NO_CANDIDATE_CLEARS_FLOOR = "no_candidate_clears_floor"
    NO_CANDIDATE_ENROLLED = "no_candidate_enrolled"


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRecord:
    """What is kept of one candidate: a rank or a drop reason, never both, never neither."""

    candidate: Candidate
    cost_projected: UsdMicros | None
    drop_reason: DropReason | None
    rank: int | None

    def __post_init__(self) -> None:
        assert (self.drop_reason is None) == (self.rank is not None), "ranked or dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer to a snapshot. `order` is empty when nobody may be asked."""

    rule_fired: RuleFired
    order: tuple[Candidate, ...]
    candidates: tuple[CandidateRecord, ...]
    m_allowed_set: tuple[str, ...]
    cost_projected: UsdMicros | None
    policy_version: str
    ruleset_hash: str
    constraint_band: str
    cell: str | None
    seed: str | None
    decision_type: DecisionType
    propensity: Decimal | None

    @property
    def chosen(self) -> Candidate | None:
        """The first to try; None when nobody may be asked."""
        return self.order[0] if self.order else None

    @property
    def chosen_model_slug(self) -> str | None:
        return None if self.chosen is None else self.chosen.model_slug

    @property
    def q_prior_used(self) -> Decimal | None:
        """The prior of the first to try."""
        return None if self.chosen is None else self.chosen.q_prior


def encode(decision: Decision) -> bytes:
    """Write a decision as JSON: keys sorted, no spaces, decimals and money as decimal strings."""
    stored = _StoredDecision(
        rule_fired=decision.rule_fired,
        fallback_order=tuple(candidate.model_slug for candidate in decision.order),
        candidates=_stored_records(decision),
        chosen_model_slug=decision.chosen_model_slug,
        q_prior_used=snapshots.optional_decimal_text(decision.q_prior_used),
        m_allowed_set=decision.m_allowed_set,
        cost_projected=_optional_usd(decision.cost_projected),
        policy_version=decision.policy_version,
        ruleset_hash=decision.ruleset_hash,
        constraint_band=decision.constraint_band,
        cell=decision.cell,
        seed=decision.seed,
        decision_type=decision.decision_type,
        propensity=snapshots.optional_decimal_text(decision.propensity),
    )
    return msgspec.json.encode(stored, order="sorted")


def encode_candidates(decision: Decision) -> bytes:
    """Write only the candidates, exactly as `encode` writes them within the decision."""
    return msgspec.json.encode(_stored_records(decision), order="sorted")


class _StoredRecord(msgspec.Struct, frozen=True, kw_only=True):
    """These names are the wire's: a reader of a receipt finds exactly these."""

    model_id: str
    model_slug: str
    brand_slug: str
    q_prior: str | None
    price_in_per_mtok_usd: str | None
    price_out_per_mtok_usd: str | None
    m_allowed: bool | None
    projected_cost_usd: str | None
    drop_reason: DropReason | None
    rank: int | None


class _StoredDecision(msgspec.Struct, frozen=True, kw_only=True):
    rule_fired: RuleFired
    fallback_order: tuple[str, ...]
    candidates: tuple[_StoredRecord, ...]
    chosen_model_slug: str | None
    q_prior_used: str | None
    m_allowed_set: tuple[str, ...]
    cost_projected: str | None
    policy_version: str
    ruleset_hash: str
    constraint_band: str
    cell: str | None
    seed: str | None
    decision_type: DecisionType
    propensity: str | None


def _stored_records(decision: Decision) -> tuple[_StoredRecord, ...]:
    return tuple(_stored_record(record) for record in decision.candidates)


def _stored_record(record: CandidateRecord) -> _StoredRecord:
    candidate = record.candidate
    return _StoredRecord(
        model_id=candidate.model_id,
        model_slug=candidate.model_slug,
        brand_slug=candidate.brand_slug,
        q_prior=snapshots.optional_decimal_text(candidate.q_prior),
        price_in_per_mtok_usd=snapshots.optional_price_text(candidate.price_in),
        price_out_per_mtok_usd=snapshots.optional_price_text(candidate.price_out),
        m_allowed=candidate.m_allowed,
        projected_cost_usd=_optional_usd(record.cost_projected),
        drop_reason=record.drop_reason,
        rank=record.rank,
    )


def _optional_usd(amount: UsdMicros | None) -> str | None:
    return None if amount is None else money.usd(amount)
