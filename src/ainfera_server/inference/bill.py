"""What an attempt comes to: the settlement, the receipt and the events, ready for the journal."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from ainfera_server import identifiers, money
from ainfera_server.audit import receipts
from ainfera_server.audit.events import Event, EventType
from ainfera_server.audit.receipts import Attempt, Receipt, SignedReceipt
from ainfera_server.catalog import pricing
from ainfera_server.catalog.offers import Prices
from ainfera_server.conversation import FinishReason, Json, Usage
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import EventId
from ainfera_server.inference import idempotency
from ainfera_server.inference.call import StoredAnswer
from ainfera_server.inference.entries import Settlement
from ainfera_server.inference.job import HeldOffer, Job
from ainfera_server.inference.metering import Metered
from ainfera_server.inference.rows import InferenceEnd, KeptAnswer, OutcomeEnd, ReceiptRow
from ainfera_server.money import UsdMicros, UsdMicrosPerMtok

ANSWERS_ARE_KEPT = timedelta(hours=24)
NATIVE_LENGTH_MAX = 200

Ending = Literal["succeeded", "failed_provider_error", "failed_other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What the caller got. `failure` says how it broke off, None for a whole answer."""

    metered: Metered
    response_hash: str
    finish_reason: FinishReason | None
    finish_reason_native: str | None
    failure: str | None
    attempts: tuple[Attempt, ...]


def cost(held: HeldOffer, metered: Metered) -> UsdMicros:
    """What is posted: the price of the usage, and never more than was held."""
    assert held.offer.prices is not None, "an offer without a price is never asked"
    return UsdMicros(min(pricing.cost(metered.usage, held.offer.prices), held.amount))


def posted(
    gateway: Gateway, job: Job, held: HeldOffer, delivered: Delivered, answer: StoredAnswer | None
) -> Settlement:
    """Bill what was delivered, with its receipt; `answer` is kept for the call's own key."""
    now = gateway.now()
    amount = cost(held, delivered.metered)
    receipt = receipts.sign(_receipt(job, held, delivered, amount, now), gateway.signer)
    payer = job.gathered.call.payer
    cell = identifiers.cell_of(payer.agent_id)
    entry_ids = (gateway.new_id(cell), gateway.new_id(cell))
    usage = delivered.metered.usage
    return Settlement(
        payer=payer,
        transfer_id=held.transfer_id,
        cost=amount,
        end=InferenceEnd(
            cell=cell,
            inference_id=job.inference_id,
            status="succeeded" if delivered.failure is None else "failed",
            attempts=attempts_text(delivered.attempts),
            input_tokens=usage.input_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens + usage.cache_write_1h_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cost=amount,
            usage_source=delivered.metered.source,
            finish_reason=delivered.finish_reason,
            finish_reason_native=_storable(delivered.finish_reason_native),
            failure=delivered.failure,
            receipt_id=job.receipt_id,
            latency_ms=_latency_ms(gateway, job),
            completed_at=now,
        ),
        outcome=_outcome(gateway, job, _ending(delivered.failure), now, amount),
        receipt=ReceiptRow(
            cell=cell,
            receipt_id=job.receipt_id,
            tenant_id=payer.tenant_id,
            agent_id=payer.agent_id,
            inference_id=job.inference_id,
            body=receipt.body,
            key_id=receipt.key_id,
            signature=receipt.signature,
            created_at=now,
        ),
        entry_ids=entry_ids,
        events=_events_of_delivery(gateway, job, held, delivered, amount, receipt, now),
        answer=_kept(gateway, job, answer, now),
    )


def released(
    gateway: Gateway,
    job: Job,
    held: HeldOffer,
    *,
    failure: str,
    attempts: tuple[Attempt, ...],
) -> Settlement:
    """Give all of the hold back: nothing was delivered."""
    now = gateway.now()
    payer = job.gathered.call.payer
    cell = identifiers.cell_of(payer.agent_id)
    return Settlement(
        payer=payer,
        transfer_id=held.transfer_id,
        cost=None,
        end=InferenceEnd(
            cell=cell,
            inference_id=job.inference_id,
            status="failed",
            attempts=attempts_text(attempts),
            failure=failure,
            latency_ms=_latency_ms(gateway, job),
            completed_at=now,
        ),
        outcome=_outcome(gateway, job, _ending(failure), now, None),
        receipt=None,
        entry_ids=(gateway.new_id(cell), gateway.new_id(cell)),
        events=(
            event(
                gateway,
                job,
                EventType.INFERENCE_FAILED,
                now,
                {
                    "failure": failure,
                    "attempts": len(attempts),
                    "released_usd": money.usd(held.amount),
                },
            ),
        ),
        answer=None,
    )


def event(
    gateway: Gateway, job: Job, event_type: EventType, now: datetime, facts: dict[str, Json]
) -> Event:
    """Something that happened to this inference."""
    named: dict[str, Json] = {"inference_id": str(job.inference_id), **facts}
    return event_before_dispatch(gateway, job, event_type, now, named)


def event_before_dispatch(
    gateway: Gateway, job: Job, event_type: EventType, now: datetime, facts: dict[str, Json]
) -> Event:
    """Something that happened to a call of which no inference came."""
    payer = job.gathered.call.payer
    return Event(
        event_id=EventId(gateway.new_id(identifiers.cell_of(payer.agent_id))),
        tenant_id=payer.tenant_id,
        agent_id=payer.agent_id,
        event_type=event_type,
        facts=facts,
        created_at=now,
    )


def attempts_text(attempts: tuple[Attempt, ...]) -> str:
    """The offers tried, as they are kept beside the inference."""
    return msgspec.json.encode(attempts).decode()


def _events_of_delivery(
    gateway: Gateway,
    job: Job,
    held: HeldOffer,
    delivered: Delivered,
    amount: UsdMicros,
    receipt: SignedReceipt,
    now: datetime,
) -> tuple[Event, ...]:
    usage = delivered.metered.usage
    responded: dict[str, Json] = {
        "provider": held.offer.provider,
        "model": held.offer.slug,
        "input_tokens": usage.input_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens + usage.cache_write_1h_tokens,
        "output_tokens": usage.output_tokens,
        "usage_source": delivered.metered.source,
        "finish_reason": delivered.finish_reason,
        "failure": delivered.failure,
        "response_hash": delivered.response_hash,
    }
    debited: dict[str, Json] = {
        "transfer_id": str(held.transfer_id),
        "amount_usd": money.usd(amount),
        "held_usd": money.usd(held.amount),
    }
    created: dict[str, Json] = {
        "receipt_id": str(receipt.receipt_id),
        "receipt_sha256": receipt.sha256,
    }
    return (
        event(gateway, job, EventType.PROVIDER_RESPONDED, now, responded),
        event(gateway, job, EventType.LEDGER_DEBITED, now, debited),
        event(gateway, job, EventType.RECEIPT_CREATED, now, created),
    )


def _receipt(
    job: Job, held: HeldOffer, delivered: Delivered, amount: UsdMicros, now: datetime
) -> Receipt:
    call, decided = job.gathered.call, job.decided
    assert held.offer.prices is not None, "an offer without a price is never asked"
    return Receipt(
        receipt_id=job.receipt_id,
        inference_id=job.inference_id,
        decision_id=None if decided is None else decided.decision_id,
        tenant_id=call.payer.tenant_id,
        agent_id=call.payer.agent_id,
        model_asked=call.request.model,
        model_served=held.offer.slug,
        offer=held.offer.slug,
        provider=held.offer.provider,
        usage=delivered.metered.usage,
        usage_source=delivered.metered.source,
        prices=_prices_used(held.offer.prices, delivered.metered.usage),
        price_book_version=job.price_book_version,
        cost=amount,
        held=held.amount,
        transfer_id=held.transfer_id,
        attempts=delivered.attempts,
        policy_version=None if decided is None else decided.decision.policy_version,
        ruleset_hash=None if decided is None else decided.decision.ruleset_hash,
        prompt_hash=receipts.content_hash(job.salt, call.request.body),
        response_hash=delivered.response_hash,
        fields_not_carried=delivered_fields(job, held),
        created_at=now,
    )


def delivered_fields(job: Job, held: HeldOffer) -> tuple[str, ...]:
    """What the caller asked for and the provider's dialect had no words for."""
    return () if held.is_relayed else job.gathered.call.request.fields_not_understood


def _prices_used(listed: Prices, usage: Usage) -> dict[str, UsdMicrosPerMtok]:
    """The prices of a prompt of this length, so that the cost can be computed again."""
    prices = pricing.prices_at(listed, input_tokens=pricing.prompt_tokens(usage))
    named = {
        "input": prices.input,
        "output": prices.output,
        "cache_read": prices.cache_read,
        "cache_write": prices.cache_write,
        "cache_write_1h": prices.cache_write_1h,
    }
    return {name: price for name, price in named.items() if price is not None}


def _outcome(
    gateway: Gateway, job: Job, ending: Ending, now: datetime, amount: UsdMicros | None
) -> OutcomeEnd | None:
    if job.decided is None:
        return None
    return OutcomeEnd(
        cell=identifiers.cell_of(job.inference_id),
        id=job.decided.decision_id,
        outcome_status=ending,
        completed_at=now,
        cost_actual=amount,
        observed_latency_ms=_latency_ms(gateway, job),
    )


def _storable(words: str | None) -> str | None:
    """A vendor's own words as the database can keep them: a zero byte it cannot."""
    return None if words is None else words.replace("\x00", "")[:NATIVE_LENGTH_MAX]


def _ending(failure: str | None) -> Ending:
    """Whose fault it was that an answer did not come whole."""
    match failure:
        case None:
            return "succeeded"
        case "client_left" | "internal_error":
            return "failed_other"
        case _:
            return "failed_provider_error"


def _kept(
    gateway: Gateway, job: Job, answer: StoredAnswer | None, now: datetime
) -> KeptAnswer | None:
    call = job.gathered.call
    if answer is None or call.idempotency_scope is None:
        return None
    return KeptAnswer(
        cell=identifiers.cell_of(call.payer.tenant_id),
        scope=call.idempotency_scope,
        sealed=idempotency.sealed(gateway, call.idempotency_scope, answer),
        expires_at=now + ANSWERS_ARE_KEPT,
    )


def _latency_ms(gateway: Gateway, job: Job) -> int:
    return round((gateway.monotonic() - job.gathered.call.received_at_s) * 1000)
