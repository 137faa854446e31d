"""Rooms three and four: try the offers in order until one answers, and hand the answer on.

Around every call stand two durable writes, and no transaction is open between them: the hold
before anything is sent, and the settlement or the release after it.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from ainfera_server import identifiers, money
from ainfera_server.audit import receipts
from ainfera_server.audit.events import EventType
from ainfera_server.audit.receipts import Attempt
from ainfera_server.catalog import pricing
from ainfera_server.catalog.offers import Offer
from ainfera_server.conversation import Json
from ainfera_server.errors import (
    AinferaError,
    AllRoutedModelsFailed,
    ProviderFailed,
    RequestError,
)
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import EventId, TransferId
from ainfera_server.inference import alternatives, ask, bill, metering, record, relay
from ainfera_server.inference import job as jobs
from ainfera_server.inference import outcome as outcomes
from ainfera_server.inference.ask import Question
from ainfera_server.inference.bill import Delivered
from ainfera_server.inference.call import Answer, StoredAnswer, WholeAnswer
from ainfera_server.inference.entries import Hold, Refusal
from ainfera_server.inference.job import HeldOffer, Job
from ainfera_server.inference.rows import InferenceRow
from ainfera_server.money import UsdMicros

AskedT = TypeVar("AskedT")

OFFERS_MAX = 5
"""How many offers one call may try: after so many failures the fault lies elsewhere."""

EXPIRY_GRACE = timedelta(seconds=60)
RETRY_AFTER_S_MAX = 8
"""A provider that asks for a longer wait is left for the next offer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An offer that did not answer, its money still set aside."""

    held: HeldOffer
    failure: ProviderFailed


async def answered(gateway: Gateway, job: Job) -> Answer:
    """Try the offers in order. Raises what the caller is to be told when none answers."""
    attempts: list[Attempt] = []
    failed: Failed | None = None
    unsaid: RequestError | None = None
    for offer in job.offers[:OFFERS_MAX]:
        try:
            asked = _question(gateway, job, offer)
        except RequestError as problem:
            attempts.append(_attempt(offer, problem.code, None, None))
            unsaid = problem
            continue
        held = await _held(gateway, job, asked, offer, failed, tuple(attempts))
        try:
            answer = await _answer(gateway, job, held, asked, attempts)
        except ProviderFailed as failure:
            failed = Failed(held=held, failure=failure)
            if not failure.is_worth_another_offer or gateway.monotonic() >= job.ends_at_s:
                break
        except asyncio.CancelledError:
            await _release(gateway, job, held, "client_left", attempts)
            raise
        except AinferaError as problem:
            await _release(gateway, job, held, problem.code, attempts)
            raise
        except BaseException:
            await _release(gateway, job, held, "internal_error", attempts)
            raise
        else:
            if failed is not None:
                gateway.metrics.fallbacks.inc()
            return answer
    if failed is None:
        assert unsaid is not None, "a job has at least one offer"
        await _record_unsaid(gateway, job, unsaid)
        raise unsaid
    await _release(gateway, job, failed.held, failed.failure.reason, attempts)
    raise _final_error(job, failed.failure, attempts) from failed.failure


async def _answer(
    gateway: Gateway, job: Job, held: HeldOffer, asked: Question, attempts: list[Attempt]
) -> Answer:
    if job.gathered.call.request.stream:
        stream = await _with_patience(
            gateway, job, held.offer, attempts, lambda: ask.stream(gateway, asked)
        )
        return relay.streamed(gateway, job, held, asked, stream, tuple(attempts))
    whole = await _with_patience(
        gateway, job, held.offer, attempts, lambda: ask.whole(gateway, asked)
    )
    return await _settled(gateway, job, held, whole, tuple(attempts))


async def _settled(
    gateway: Gateway,
    job: Job,
    held: HeldOffer,
    whole: ask.WholeReply,
    attempts: tuple[Attempt, ...],
) -> WholeAnswer:
    """Bill a whole answer, then give it out."""
    call = job.gathered.call
    metered = metering.of_reply(whole.reply, call.request)
    amount = bill.cost(held, metered)
    envelope = jobs.envelope(job, held.offer, amount)
    body = (
        call.speaks.adapt_reply(whole.body, envelope)
        if held.is_relayed
        else call.speaks.encode_reply(replace(whole.reply, usage=metered.usage), envelope)
    )
    headers = jobs.headers(job, held.offer, amount)
    delivered = Delivered(
        metered=metered,
        response_hash=receipts.content_hash(job.salt, body),
        finish_reason=whole.reply.finish_reason,
        finish_reason_native=whole.reply.finish_reason_native,
        failure=None,
        attempts=attempts,
    )
    answer = StoredAnswer(status=200, headers=dict(headers), body=body)
    await record.settle(gateway, bill.posted(gateway, job, held, delivered, answer))
    gateway.metrics.spend_usd_micros.inc(amount)
    return WholeAnswer(headers=headers, body=body)


async def _with_patience(
    gateway: Gateway,
    job: Job,
    offer: Offer,
    attempts: list[Attempt],
    asking: Callable[[], Awaitable[AskedT]],
) -> AskedT:
    """Ask; a provider that is only too busy is asked again after a while, and nobody else is."""
    for wait_s in (*gateway.retry_waits_s, None):
        began_s = gateway.monotonic()
        try:
            asked = await asking()
        except ProviderFailed as failure:
            latency_ms = _milliseconds(gateway.monotonic() - began_s)
            attempts.append(_attempt(offer, failure.reason, failure.upstream_status, latency_ms))
            gateway.metrics.attempts.labels(offer.provider, failure.reason).inc()
            now_s = gateway.monotonic()
            pause_s = None if wait_s is None else max(wait_s, failure.retry_after_s or 0)
            if pause_s is None or not _is_over_within(failure, pause_s, job.ends_at_s - now_s):
                gateway.health.observe_failure(offer.slug, failure, now_s=now_s)
                raise
            await asyncio.sleep(pause_s)
        else:
            latency_ms = _milliseconds(gateway.monotonic() - began_s)
            attempts.append(_attempt(offer, "answered", 200, latency_ms))
            gateway.metrics.attempts.labels(offer.provider, "answered").inc()
            gateway.health.observe_success(offer.slug, latency_ms=latency_ms)
            return asked
    raise AssertionError("the last attempt returns or raises")


def _is_over_within(failure: ProviderFailed, pause_s: float, left_s: float) -> bool:
    return failure.reason == "rate_limited" and pause_s <= min(left_s, RETRY_AFTER_S_MAX)


def _question(gateway: Gateway, job: Job, offer: Offer) -> Question:
    """Put the request into the words of the offer's provider. Raises a RequestError."""
    call = job.gathered.call
    return ask.question(
        gateway,
        call.request,
        offer,
        max_tokens=_max_tokens(job, offer),
        ends_at_s=job.ends_at_s,
        vendor_headers=call.vendor_headers,
    )


def _max_tokens(job: Job, offer: Offer) -> int:
    limit, wanted = offer.model.output_tokens_max, job.gathered.max_tokens
    return wanted if limit is None else min(wanted, limit)


async def _record_unsaid(gateway: Gateway, job: Job, problem: RequestError) -> None:
    """A decision is recorded also when no chosen provider has words for the request."""
    if job.decided is None:
        return
    facts: dict[str, Json] = {
        "failure": problem.code,
        "decision_id": str(job.decided.decision_id),
        "attempts": len(job.offers[:OFFERS_MAX]),
    }
    event = bill.event_before_dispatch(
        gateway, job, EventType.INFERENCE_FAILED, gateway.now(), facts
    )
    row = outcomes.unsent_row(job, job.decided)
    refusal = Refusal(payer=job.gathered.call.payer, outcome=row, event=event)
    await record.refuse(gateway, refusal, problem)


async def _held(
    gateway: Gateway,
    job: Job,
    asked: Question,
    offer: Offer,
    failed: Failed | None,
    attempts: tuple[Attempt, ...],
) -> HeldOffer:
    """Set aside the most that the offer's answer may cost."""
    assert offer.prices is not None, "an offer without a price is never asked"
    # Not the offer's own limit, which may be lower: a relayed body keeps the caller's.
    amount = pricing.most_it_may_cost(
        job.gathered.input_tokens_most, job.gathered.max_tokens, offer.prices
    )
    entry = _hold(gateway, job, offer, amount, failed, attempts)
    held = HeldOffer(
        offer=offer,
        transfer_id=entry.inference.transfer_id,
        amount=amount,
        is_relayed=asked.is_relayed,
    )
    try:
        cheapest = functools.partial(alternatives.cheapest_within, gateway, job)
        await record.hold(gateway, entry, alternative=cheapest)
    except asyncio.CancelledError:
        # The journal writes it all the same, and then gives it back.
        await _release(gateway, job, held, "client_left", list(attempts))
        raise
    return held


def _hold(
    gateway: Gateway,
    job: Job,
    offer: Offer,
    amount: UsdMicros,
    failed: Failed | None,
    attempts: tuple[Attempt, ...],
) -> Hold:
    call, decided = job.gathered.call, job.decided
    payer = call.payer
    cell = identifiers.cell_of(payer.agent_id)
    now = gateway.now()
    is_first = failed is None
    row = InferenceRow(
        cell=cell,
        inference_id=job.inference_id,
        tenant_id=payer.tenant_id,
        agent_id=payer.agent_id,
        decision_id=None if decided is None else decided.decision_id,
        transfer_id=TransferId(gateway.new_id(cell)),
        status="running",
        dialect=call.request.dialect,
        is_streamed=call.request.stream,
        model_asked=call.request.model,
        model_slug=offer.slug,
        offer_slug=offer.slug,
        provider=offer.provider,
        task_type=call.task_type.task_type,
        task_type_source=call.task_type.source,
        policy_version=None if decided is None else decided.decision.policy_version,
        coverage_cell=jobs.coverage_cell(job, offer),
        price_book_version=job.price_book_version,
        amount_held=amount,
        attempts=bill.attempts_text(attempts),
        created_at=call.created_at if is_first else now,
    )
    return Hold(
        payer=payer,
        inference=row,
        outcome=outcomes.outcome_row(job, decided) if is_first and decided is not None else None,
        replaces=None if failed is None else failed.held.transfer_id,
        expires_at=now + timedelta(seconds=gateway.settings.inference_timeout_s) + EXPIRY_GRACE,
        routed=bill.event(
            gateway, job, EventType.INFERENCE_ROUTED, now, _routed_facts(job, row, failed)
        ),
        refused_event_id=EventId(gateway.new_id(cell)),
    )


def _routed_facts(job: Job, row: InferenceRow, failed: Failed | None) -> dict[str, Json]:
    decided = job.decided
    return {
        "router": "direct" if decided is None else "ainfera-inference",
        "model": row.model_slug,
        "model_asked": row.model_asked,
        "provider": row.provider,
        "task_type": row.task_type,
        "task_type_source": row.task_type_source,
        "policy_version": row.policy_version,
        "cell": row.coverage_cell,
        "rule_fired": None if decided is None else decided.decision.rule_fired,
        "decision_id": None if decided is None else str(decided.decision_id),
        "decision_hash": None if decided is None else jobs.decision_hash(decided),
        "prompt_hash": receipts.content_hash(job.salt, job.gathered.call.request.body),
        "reserved_usd": money.usd(UsdMicros(row.amount_held)),
        "transfer_id": str(row.transfer_id),
        "fallback_from": None if failed is None else failed.held.offer.slug,
        "fallback_reason": None if failed is None else failed.failure.reason,
    }


async def _release(
    gateway: Gateway, job: Job, held: HeldOffer, failure: str, attempts: list[Attempt]
) -> None:
    is_ours = failure in {"client_left", "internal_error"}
    await record.settle(
        gateway,
        bill.released(
            gateway,
            job,
            held,
            ending="failed_other" if is_ours else "failed_provider_error",
            failure=failure,
            attempts=tuple(attempts),
        ),
    )


def _final_error(job: Job, failure: ProviderFailed, attempts: list[Attempt]) -> AinferaError:
    """A pinned call hears its provider; a routed one hears that all were tried."""
    named: dict[str, Json] = {
        "inference_id": str(job.inference_id),
        "attempts": [
            {"model": one.offer, "provider": one.provider, "failure": one.result}
            for one in attempts
        ],
    }
    if job.decided is None or not failure.is_worth_another_offer:
        failure.facts = {**failure.facts, **named}
        return failure
    problem = AllRoutedModelsFailed(
        f"Every model that clears the floor was tried, and none answered. The last one said:"
        f" {failure.sentence}",
        decision_id=str(job.decided.decision_id),
        **named,
    )
    problem.retry_after_s = failure.retry_after_s
    return problem


def _attempt(
    offer: Offer, result: str, upstream_status: int | None, latency_ms: int | None
) -> Attempt:
    return Attempt(
        offer=offer.slug,
        provider=offer.provider,
        result=result,
        upstream_status=upstream_status,
        latency_ms=latency_ms,
    )


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
