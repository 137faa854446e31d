"""One inference while it runs: what was gathered, what was decided, and the ids it will have."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ainfera_server import money
from ainfera_server.audit.receipts import PaidFrom, Receipt
from ainfera_server.catalog.offers import Offer
from ainfera_server.conversation import Json
from ainfera_server.dialects.sides import Envelope
from ainfera_server.identifiers import DecisionId, InferenceId, ReceiptId, TransferId
from ainfera_server.inference.gather import Gathered
from ainfera_server.money import UsdMicros
from ainfera_server.routing import decision as decisions
from ainfera_server.routing import snapshot as snapshots
from ainfera_server.routing.decision import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision with the bytes of all that it knew."""

    decision_id: DecisionId
    decision: Decision
    snapshot: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`offers` are tried in order; `decided` is None for a pinned call.

    `salt` goes to the caller alone: with it the hashes on the receipt can be checked against the
    words, and without it nobody can guess the words from the hashes. `ends_at_s` is the monotonic
    time at which nobody waits any longer: the holds live longer than that.
    """

    gathered: Gathered
    offers: tuple[Offer, ...]
    decided: Decided | None
    inference_id: InferenceId
    receipt_id: ReceiptId
    salt: bytes
    ends_at_s: float
    price_book_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOffer:
    """The offer being tried and the money set aside for it."""

    offer: Offer
    transfer_id: TransferId
    amount: UsdMicros
    is_relayed: bool
    paid_from: PaidFrom = "wallet"


def coverage_cell(job: Job, offer: Offer) -> str:
    """What kind of work went to which model, under which kind of policy."""
    call = job.gathered.call
    band = "balanced" if job.decided is None else job.decided.decision.constraint_band
    return f"{call.task_type.task_type}:{offer.slug}:{band}"


def decision_hash(decided: Decided) -> str:
    """Commit to a decision and to all that it knew."""
    return hashlib.sha256(decided.snapshot + decisions.encode(decided.decision)).hexdigest()


def read_up(job: Job) -> dict[str, Json]:
    """What a caller who got no answer is told beside the reason: which receipt says so.

    With the salt the receipt can be compared with what was asked.
    """
    return {"receipt_id": str(job.receipt_id), "content_salt": job.salt.hex()}


def with_decision(receipt: Receipt, decided: Decided) -> Receipt:
    """Say on a receipt what was decided, and commit to all of it."""
    decision = decided.decision
    return replace(
        receipt,
        decision_id=decided.decision_id,
        decision_hash=decision_hash(decided),
        policy_version=decision.policy_version,
        ruleset_hash=decision.ruleset_hash,
        rule_fired=decision.rule_fired,
        seed=decision.seed,
        propensity=snapshots.optional_decimal_text(decision.propensity),
    )


def envelope(job: Job, offer: Offer, cost: UsdMicros | None) -> Envelope:
    """What we say about the answer beside it; `cost` is None while it still runs."""
    call = job.gathered.call
    return Envelope(
        agent_id=str(call.payer.agent_id),
        inference_id=str(job.inference_id),
        receipt_id=None if cost is None else str(job.receipt_id),
        model_slug=offer.slug,
        provider=offer.provider,
        cost_usd=None if cost is None else money.usd(cost),
        audit_url=call.audit_url,
        created_unix_s=int(call.created_at.timestamp()),
    )


def headers(job: Job, offer: Offer, cost: UsdMicros | None) -> Mapping[str, str]:
    """What we say about the answer in headers; all of it is known before the body begins."""
    call = job.gathered.call
    named = {
        "x-ainfera-agent-id": str(call.payer.agent_id),
        "x-ainfera-audit-url": call.audit_url,
        "x-ainfera-inference-id": str(job.inference_id),
        "x-ainfera-receipt-id": str(job.receipt_id),
        "x-ainfera-model": offer.slug,
        "x-ainfera-provider": offer.provider,
        "x-ainfera-tools-dropped": "false",
        "x-ainfera-content-salt": job.salt.hex(),
    }
    if job.decided is not None:
        named["x-ainfera-decision-id"] = str(job.decided.decision_id)
        named["x-ainfera-rule-fired"] = job.decided.decision.rule_fired
    if cost is not None:
        named["x-ainfera-cost-usd"] = money.usd(cost)
    return named
