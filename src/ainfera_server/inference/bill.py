"""What an attempt comes to: the settlement, the receipt and the events, ready for the journal."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from ainfera_server import identifiers, money
from ainfera_server.audit.events import Event, EventType
from ainfera_server.audit.receipts import Attempt, Receipt
from ainfera_server.catalog import pricing
from ainfera_server.catalog.offers import Prices
from ainfera_server.conversation import FinishReason, Json, Usage
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import EventId
from ainfera_server.inference import contents, endings, idempotency
from ainfera_server.inference.call import Call, StoredAnswer
from ainfera_server.inference.endings import Written
from ainfera_server.inference.entries import Settlement
from ainfera_server.inference.job import HeldOffer, Job
from ainfera_server.inference.metering import Metered
from ainfera_server.inference.rows import InferenceEnd, KeptAnswer, OutcomeEnd
from ainfera_server.money import UsdMicros, UsdMicrosPerMtok

ANSWERS_ARE_KEPT = timedelta(hours=24)
NATIVE_LENGTH_MAX = 200

Ending = Literal["succeeded", "failed_provider_error", "failed_other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What the caller got. `failure` says how it broke off, None for a whole answer.

    `content` is the bytes that were hashed, None where nobody wants them kept.
    """

    metered: Metered
    response_hash: str
    content: bytes | None
    finish_reason: FinishReason | None
    finish_reason_native: str | None
    failure: str | None
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the caller pays: the provider's price, and the margin on top of it."""

    provider: UsdMicros
    margin: UsdMicros

    @property
    def total(self) -> UsdMicros:
        """What is posted."""
        return UsdMicros(self.provider + self.margin)


def priced(gateway: Gateway, held: HeldOffer, metered: Metered) -> Cost:
    """The price of the usage with its margin, whatever was held."""
    assert held.offer.prices is not None, "an offer without a price is never asked"
    provider = pricing.cost(metered.usage, held.offer.prices)
    return Cost(provider=provider, margin=pricing.margin(provider, gateway.settings.margin))


def cost(gateway: Gateway, held: HeldOffer, metered: Metered) -> Cost:
    """What is posted: the price of the usage, and never more than was held.

    Where the hold is too small, the margin gives way before the provider's price does.
    """
    whole = priced(gateway, held, metered)
    provider = UsdMicros(min(whole.provider, held.amount))
    total = min(whole.total, held.amount)
    return Cost(provider=provider, margin=UsdMicros(total - provider))


def posted(
    gateway: Gateway, job: Job, held: HeldOffer, delivered: Delivered, answer: StoredAnswer | None
) -> Settlement:
    """Bill what was delivered, with its receipt; `answer` is kept for the call's own key."""
    now = gateway.now()
    paid = cost(gateway, held, delivered.metered)
    receipt = written(gateway, _receipt(gateway, job, held, delivered, paid, now))
    payer = job.gathered.call.payer
    cell = identifiers.cell_of(payer.agent_id)
    accounts = 3 if paid.margin else 2
    usage = delivered.metered.usage
    return Settlement(
        payer=payer,
        transfer_id=held.transfer_id,
        cost=paid.total,
        margin=paid.margin,
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
            cost=paid.total,
            usage_source=delivered.metered.source,
            finish_reason=delivered.finish_reason,
            finish_reason_native=_storable(delivered.finish_reason_native),
            failure=delivered.failure,
            receipt_id=job.receipt_id,
            latency_ms=_latency_ms(gateway, job),
            completed_at=now,
        ),
        outcome=_outcome(gateway, job, _ending(delivered.failure), now, paid.total),
        receipt=receipt.row,
        entry_ids=tuple(gateway.new_id(cell) for _ in range(accounts)),
        events=(
            *_events_of_delivery(gateway, job, held, delivered, paid.total, now),
            receipt.created,
        ),
        answer=_kept(gateway, job, answer),
        content=None
        if delivered.content is None
        else contents.kept(gateway, job, answer=delivered.content),
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
    receipt = written(
        gateway, endings.failed(job, held, failure=failure, attempts=attempts, now=now)
    )
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
            receipt_id=job.receipt_id,
            latency_ms=_latency_ms(gateway, job),
            completed_at=now,
        ),
        outcome=_outcome(gateway, job, _ending(failure), now, None),
        receipt=receipt.row,
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
            receipt.created,
        ),
        answer=None,
    )


def event(
    gateway: Gateway, job: Job, event_type: EventType, now: datetime, facts: dict[str, Json]
) -> Event:
    """Something that happened to this inference."""
    named: dict[str, Json] = {"inference_id": str(job.inference_id), **facts}
    return event_before_dispatch(gateway, job.gathered.call, event_type, now, named)


def event_before_dispatch(
    gateway: Gateway, call: Call, event_type: EventType, now: datetime, facts: dict[str, Json]
) -> Event:
    """Something that happened to a call of which no inference came."""
    return Event(
        event_id=EventId(gateway.new_id(identifiers.cell_of(call.payer.agent_id))),
        tenant_id=call.payer.tenant_id,
        agent_id=call.payer.agent_id,
        event_type=event_type,
        facts=facts,
        created_at=now,
    )


def attempts_text(attempts: tuple[Attempt, ...]) -> str:
    """The offers tried, as they are kept beside the inference."""
    return msgspec.json.encode(attempts).decode()


def written(gateway: Gateway, receipt: Receipt) -> Written:
    """Sign a receipt with the server's key."""
    event_id = EventId(gateway.new_id(identifiers.cell_of(receipt.agent_id)))
    return endings.written(receipt, by=gateway.signer, event_id=event_id)


def _events_of_delivery(
    gateway: Gateway,
    job: Job,
    held: HeldOffer,
    delivered: Delivered,
    amount: UsdMicros,
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
    return (
        event(gateway, job, EventType.PROVIDER_RESPONDED, now, responded),
        event(gateway, job, EventType.LEDGER_DEBITED, now, debited),
    )


def _receipt(
    gateway: Gateway,
    job: Job,
    held: HeldOffer,
    delivered: Delivered,
    paid: Cost,
    now: datetime,
) -> Receipt:
    """What was delivered, whole or in part, is paid."""
    is_whole = delivered.failure is None
    assert held.offer.prices is not None, "an offer without a price is never asked"
    receipt = endings.of_job(
        job,
        outcome="succeeded" if is_whole else "failed",
        billing_rule="answer_delivered" if is_whole else "part_delivered",
        attempts=delivered.attempts,
        now=now,
    )
    return replace(
        receipt,
        inference_id=job.inference_id,
        failure=delivered.failure,
        model_served=held.offer.slug,
        offer=held.offer.slug,
        provider=held.offer.provider,
        usage=delivered.metered.usage,
        usage_source=delivered.metered.source,
        prices=_prices_used(held.offer.prices, delivered.metered.usage),
        web_search_price=held.offer.prices.web_search,
        cost=paid.total,
        provider_cost=paid.provider,
        margin=paid.margin,
        margin_rate=gateway.settings.margin,
        held=held.amount,
        paid_from=held.paid_from,
        transfer_id=held.transfer_id,
        response_hash=delivered.response_hash,
        fields_not_carried=delivered_fields(job, held),
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
        "reasoning": prices.reasoning,
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


def _kept(gateway: Gateway, job: Job, answer: StoredAnswer | None) -> KeptAnswer | None:
    call = job.gathered.call
    if answer is None or call.idempotency_scope is None:
        return None
    return KeptAnswer(
        cell=identifiers.cell_of(call.payer.tenant_id),
        scope=call.idempotency_scope,
        sealed=idempotency.sealed(gateway, call.idempotency_scope, answer),
        lifetime=ANSWERS_ARE_KEPT,
    )


def _latency_ms(gateway: Gateway, job: Job) -> int:
    return round((gateway.monotonic() - job.gathered.call.received_at_s) * 1000)
