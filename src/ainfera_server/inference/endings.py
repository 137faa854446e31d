"""The receipt of each way in which a call can end, as a row and as an event of the chain."""

from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from ainfera_server import identifiers
from ainfera_server.audit import receipts
from ainfera_server.audit.events import Event, EventType
from ainfera_server.audit.receipts import Attempt, Ending, PaidFrom, Receipt, SignedReceipt
from ainfera_server.audit.signing import Signer
from ainfera_server.conversation import Json
from ainfera_server.identifiers import (
    AgentId,
    DecisionId,
    EventId,
    InferenceId,
    ReceiptId,
    TenantId,
    TransferId,
)
from ainfera_server.inference import job as jobs
from ainfera_server.inference.call import Call
from ainfera_server.inference.entries import Hold
from ainfera_server.inference.job import HeldOffer, Job
from ainfera_server.inference.rows import ReceiptRow
from ainfera_server.money import UsdMicros


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A receipt that is signed: the row that keeps it, and the event that commits to it."""

    row: ReceiptRow
    created: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandoned:
    """What the database knows of an inference whose process died.

    The hashes that it does not know stand in the chain, in `inference.routed`.
    """

    tenant_id: TenantId
    agent_id: AgentId
    inference_id: InferenceId
    decision_id: DecisionId | None
    policy_version: str | None
    model_asked: str
    offer: str
    provider: str
    price_book_version: str
    attempts: str
    held: UsdMicros
    paid_from: PaidFrom
    transfer_id: TransferId


def written(receipt: Receipt, *, by: Signer, event_id: EventId) -> Written:
    """Sign a receipt, and say in the chain that it is there."""
    signed = receipts.sign(receipt, by)
    return Written(row=_row(receipt, signed), created=_created(receipt, signed, event_id))


def of_job(
    job: Job,
    *,
    outcome: Ending,
    billing_rule: receipts.BillingRule,
    attempts: tuple[Attempt, ...],
    now: datetime,
    refusal_reason: str | None = None,
) -> Receipt:
    """What every receipt of a call says that was decided or pinned."""
    call = job.gathered.call
    receipt = Receipt(
        receipt_id=job.receipt_id,
        tenant_id=call.payer.tenant_id,
        agent_id=call.payer.agent_id,
        outcome=outcome,
        billing_rule=billing_rule,
        refusal_reason=refusal_reason,
        model_asked=call.request.model,
        price_book_version=job.price_book_version,
        attempts=attempts,
        prompt_hash=receipts.content_hash(job.salt, call.request.body),
        created_at=now,
    )
    return receipt if job.decided is None else jobs.with_decision(receipt, job.decided)


def failed(
    job: Job, held: HeldOffer, *, failure: str, attempts: tuple[Attempt, ...], now: datetime
) -> Receipt:
    """Nothing was delivered, and all of the hold comes back."""
    receipt = of_job(
        job, outcome="failed", billing_rule="nothing_delivered", attempts=attempts, now=now
    )
    return replace(
        receipt,
        inference_id=job.inference_id,
        failure=failure,
        offer=held.offer.slug,
        provider=held.offer.provider,
        held=held.amount,
        paid_from=held.paid_from,
        transfer_id=held.transfer_id,
    )


def unsent(job: Job, *, reason: str, attempts: tuple[Attempt, ...], now: datetime) -> Receipt:
    """Nobody was asked: no offer is good enough, allowed, or has words for the request."""
    return of_job(
        job,
        outcome="refused",
        billing_rule="refused",
        refusal_reason=reason,
        attempts=attempts,
        now=now,
    )


def not_allowed(
    call: Call,
    *,
    receipt_id: ReceiptId,
    reason: str,
    price_book_version: str,
    salt: bytes,
    now: datetime,
) -> Receipt:
    """The agent's owner does not allow the model, or its provider; nothing was decided."""
    return Receipt(
        receipt_id=receipt_id,
        tenant_id=call.payer.tenant_id,
        agent_id=call.payer.agent_id,
        outcome="refused",
        billing_rule="refused",
        refusal_reason=reason,
        model_asked=call.request.model,
        price_book_version=price_book_version,
        prompt_hash=receipts.content_hash(salt, call.request.body),
        created_at=now,
    )


def expired(known: Abandoned, *, receipt_id: ReceiptId, now: datetime) -> Receipt:
    """A call that nobody finished: its process died, and its hold comes back."""
    return Receipt(
        receipt_id=receipt_id,
        tenant_id=known.tenant_id,
        agent_id=known.agent_id,
        inference_id=known.inference_id,
        outcome="expired",
        billing_rule="nothing_delivered",
        failure="expired",
        decision_id=known.decision_id,
        policy_version=known.policy_version,
        model_asked=known.model_asked,
        offer=known.offer,
        provider=known.provider,
        attempts=attempts_read(known.attempts),
        price_book_version=known.price_book_version,
        held=known.held,
        paid_from=known.paid_from,
        transfer_id=known.transfer_id,
        created_at=now,
    )


def refused(entry: Hold, *, reason: str) -> Receipt:
    """The wallet, a cap or the agent's state said no before an offer was asked.

    The inference is named only where an earlier offer had begun it.
    """
    row, facts = entry.inference, entry.routed.facts
    return Receipt(
        receipt_id=entry.refused_receipt_id,
        tenant_id=entry.payer.tenant_id,
        agent_id=entry.payer.agent_id,
        inference_id=None if entry.replaces is None else InferenceId(row.inference_id),
        outcome="refused",
        billing_rule="refused",
        refusal_reason=reason,
        decision_id=None if row.decision_id is None else DecisionId(row.decision_id),
        decision_hash=_text(facts.get("decision_hash")),
        policy_version=row.policy_version,
        ruleset_hash=_text(facts.get("ruleset_hash")),
        rule_fired=_text(facts.get("rule_fired")),
        seed=_text(facts.get("seed")),
        propensity=_text(facts.get("propensity")),
        model_asked=row.model_asked,
        offer=row.offer_slug,
        provider=row.provider,
        attempts=attempts_read(row.attempts),
        price_book_version=row.price_book_version,
        prompt_hash=_text(facts.get("prompt_hash")),
        created_at=entry.routed.created_at,
    )


def attempts_read(text: str) -> tuple[Attempt, ...]:
    """The offers tried, as they were kept."""
    return msgspec.json.decode(text, type=tuple[Attempt, ...])


def _row(receipt: Receipt, signed: SignedReceipt) -> ReceiptRow:
    return ReceiptRow(
        cell=identifiers.cell_of(receipt.agent_id),
        receipt_id=receipt.receipt_id,
        tenant_id=receipt.tenant_id,
        agent_id=receipt.agent_id,
        inference_id=receipt.inference_id,
        body=signed.body,
        key_id=signed.key_id,
        signature=signed.signature,
        created_at=receipt.created_at,
    )


def _created(receipt: Receipt, signed: SignedReceipt, event_id: EventId) -> Event:
    facts: dict[str, Json] = {
        "receipt_id": str(signed.receipt_id),
        "receipt_sha256": signed.sha256,
    }
    if receipt.inference_id is not None:
        facts["inference_id"] = str(receipt.inference_id)
    return Event(
        event_id=event_id,
        tenant_id=receipt.tenant_id,
        agent_id=receipt.agent_id,
        event_type=EventType.RECEIPT_CREATED,
        facts=facts,
        created_at=receipt.created_at,
    )


def _text(fact: Json) -> str | None:
    return fact if isinstance(fact, str) else None
