"""Rooms three and four: try the offers in order until one answers, and hand the answer on.

Around every call stand two durable writes, and no transaction is open between them: the hold
before anything is sent, and the settlement or the release after it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from ainfera_server.audit import receipts
from ainfera_server.audit.events import EventType
from ainfera_server.audit.receipts import Attempt
from ainfera_server.catalog.offers import Offer
from ainfera_server.conversation import Json
from ainfera_server.errors import (
    AgentNotActive,
    AinferaError,
    AllRoutedModelsFailed,
    FailureReason,
    MoneyRefused,
    ProviderFailed,
    RequestError,
)
from ainfera_server.gateway import Gateway
from ainfera_server.inference import (
    ask,
    bill,
    contents,
    covering,
    endings,
    holds,
    metering,
    record,
    relay,
)
from ainfera_server.inference import job as jobs
from ainfera_server.inference import outcome as outcomes
from ainfera_server.inference.ask import Question
from ainfera_server.inference.bill import Delivered
from ainfera_server.inference.call import Answer, StoredAnswer, WholeAnswer
from ainfera_server.inference.entries import Refusal
from ainfera_server.inference.holds import Failed
from ainfera_server.inference.job import HeldOffer, Job
from ainfera_server.providers.provider import Endpoint

AskedT = TypeVar("AskedT")

log = logging.getLogger(__name__)

OFFERS_MAX = 5
"""How many offers one call may try: after so many failures the fault lies elsewhere."""

ATTEMPTS_MAX = 7
"""How often one call may ask in all, the same offer again included."""

RETRY_AFTER_S_MAX = 8
"""A provider that asks for a longer wait is left for the next offer."""

SKIPPED = "skipped_cooling"
"""The result of an offer that was its turn, and is asked last because it lately failed."""

ABOUT_A_KEY: frozenset[FailureReason] = frozenset({"rate_limited", "credential_refused"})
"""How an attempt failed when another of our keys may well be answered."""


async def answered(gateway: Gateway, job: Job) -> Answer:
    """Try the offers in order. Raises what the caller is to be told when none answers."""
    attempts: list[Attempt] = []
    failed: Failed | None = None
    unsaid: RequestError | None = None
    for offer in islice(_in_turn(gateway, job.offers, attempts), OFFERS_MAX):
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
            if not failure.is_worth_another_offer or _is_over(gateway, job, attempts):
                break
        except asyncio.CancelledError:
            await holds.released(gateway, job, held, "client_left", tuple(attempts))
            raise
        except AinferaError as problem:
            await holds.released(gateway, job, held, problem.code, tuple(attempts))
            problem.facts = {**problem.facts, **jobs.read_up(job)}
            raise
        except BaseException:
            await holds.released(gateway, job, held, "internal_error", tuple(attempts))
            raise
        else:
            if failed is not None:
                gateway.metrics.fallbacks.inc()
            return answer
    if failed is None:
        assert unsaid is not None, "a job has at least one offer"
        await _record_unsaid(gateway, job, unsaid, attempts)
        raise unsaid
    await holds.released(gateway, job, failed.held, failed.failure.reason, tuple(attempts))
    raise _final_error(job, failed.failure, attempts) from failed.failure


def _in_turn(
    gateway: Gateway, offers: tuple[Offer, ...], attempts: list[Attempt]
) -> Iterator[Offer]:
    """The offers in their order, but for those that lately failed: they come last, never not.

    Whether one did is looked up when it is its turn. That another goes before it is noted.
    """
    put_off: list[Offer] = []
    noted = 0
    for offer in offers:
        if not _does_well(gateway, offer):
            put_off.append(offer)
            continue
        attempts += [_attempt(one, SKIPPED, None, None) for one in put_off[noted:]]
        noted = len(put_off)
        yield offer
    yield from put_off


def _does_well(gateway: Gateway, offer: Offer) -> bool:
    endpoint, now_s = gateway.endpoints[offer.provider], gateway.monotonic()
    has_key = gateway.credentials.has_free_key(endpoint, offer.slug, now_s=now_s)
    return has_key and gateway.health.lets_through(offer.slug, now_s=now_s)


def _is_over(gateway: Gateway, job: Job, attempts: list[Attempt]) -> bool:
    """Whether time or patience is at its end."""
    return gateway.monotonic() >= job.ends_at_s or _times_asked(attempts) >= ATTEMPTS_MAX


def _times_asked(attempts: list[Attempt]) -> int:
    return sum(one.latency_ms is not None for one in attempts)


async def _held(
    gateway: Gateway,
    job: Job,
    asked: Question,
    offer: Offer,
    failed: Failed | None,
    attempts: tuple[Attempt, ...],
) -> HeldOffer:
    """Set money aside; whoever is refused hears which receipt says so."""
    try:
        return await holds.held(gateway, job, asked, offer, failed, attempts)
    except (MoneyRefused, AgentNotActive) as problem:
        problem.facts = {**problem.facts, **jobs.read_up(job)}
        raise


async def _answer(
    gateway: Gateway, job: Job, held: HeldOffer, asked: Question, attempts: list[Attempt]
) -> Answer:
    if job.gathered.call.request.stream:
        stream = await _with_patience(
            gateway, job, held.offer, asked, attempts, lambda keyed: ask.stream(gateway, keyed)
        )
        return relay.streamed(gateway, job, held, asked, stream, tuple(attempts))
    whole = await _with_patience(
        gateway, job, held.offer, asked, attempts, lambda keyed: ask.whole(gateway, keyed)
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
    held = await covering.covered(gateway, job, held, bill.priced(gateway, held, metered).total)
    amount = bill.cost(gateway, held, metered).total
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
        content=body if contents.is_wanted(job) else None,
        finish_reason=whole.reply.finish_reason,
        finish_reason_native=whole.reply.finish_reason_native,
        failure=None,
        attempts=attempts,
    )
    answer = StoredAnswer(status=200, headers=dict(headers), body=body)
    await record.settle(gateway, bill.posted(gateway, job, held, delivered, answer))
    return WholeAnswer(headers=headers, body=body)


async def _with_patience(
    gateway: Gateway,
    job: Job,
    offer: Offer,
    asked: Question,
    attempts: list[Attempt],
    asking: Callable[[Question], Awaitable[AskedT]],
) -> AskedT:
    """Ask; one that is only too busy, or does not take one of our keys, may be asked again."""
    gateway.retries.note_call(offer.provider)
    for wait_s in (*gateway.retry_waits_s, None):
        began_s = gateway.monotonic()
        endpoint = gateway.credentials.keyed(asked.endpoint, offer.slug, now_s=began_s)
        try:
            answer = await asking(replace(asked, endpoint=endpoint))
        except ProviderFailed as failure:
            now_s = gateway.monotonic()
            latency_ms = _milliseconds(now_s - began_s)
            attempts.append(_attempt(offer, failure.reason, failure.upstream_status, latency_ms))
            gateway.metrics.attempts.labels(offer.provider, failure.reason).inc()
            _note(job, offer, failure)
            gateway.credentials.observe_failure(endpoint, offer.slug, failure, now_s=now_s)
            pause_s = None
            if wait_s is not None and not _is_over(gateway, job, attempts):
                pause_s = _pause_s(gateway, job, offer, endpoint, failure, wait_s)
            if pause_s is None:
                _hold_against(gateway, offer, endpoint, failure)
                raise
            await asyncio.sleep(pause_s)
        else:
            now_s = gateway.monotonic()
            latency_ms = _milliseconds(now_s - began_s)
            attempts.append(_attempt(offer, "answered", 200, latency_ms))
            gateway.metrics.attempts.labels(offer.provider, "answered").inc()
            gateway.credentials.observe_success(endpoint)
            gateway.health.observe_success(offer.slug, latency_ms=latency_ms, now_s=now_s)
            return answer
    raise AssertionError("the last attempt returns or raises")


def _pause_s(
    gateway: Gateway,
    job: Job,
    offer: Offer,
    endpoint: Endpoint,
    failure: ProviderFailed,
    wait_s: float,
) -> float | None:
    """How long to wait before the same offer is asked again; None when it is not."""
    if failure.reason not in ABOUT_A_KEY:
        return None
    now_s = gateway.monotonic()
    has_another_key = gateway.credentials.has_other_free_key(endpoint, offer.slug, now_s=now_s)
    if failure.reason == "credential_refused" and not has_another_key:
        return None
    pause_s = 0.0 if has_another_key else max(wait_s, failure.retry_after_s or 0)
    if pause_s > min(job.ends_at_s - now_s, RETRY_AFTER_S_MAX):
        return None
    return pause_s if gateway.retries.takes(offer.provider) else None


def _hold_against(
    gateway: Gateway, offer: Offer, endpoint: Endpoint, failure: ProviderFailed
) -> None:
    """Note that an offer failed; that our key was refused is no matter of the caller's key."""
    now_s = gateway.monotonic()
    is_about_a_key = failure.reason in ABOUT_A_KEY
    wait_s = gateway.credentials.wait_s(endpoint, offer.slug, now_s=now_s)
    gateway.health.observe_failure(
        offer.slug, failure, now_s=now_s, wait_s=wait_s if is_about_a_key else None
    )
    if failure.reason == "credential_refused":
        failure.sentence = (
            f"{endpoint.provider.display_name} does not take this server's own credential."
            " The key of your request is not the problem: whoever runs the server has to look."
        )


def _note(job: Job, offer: Offer, failure: ProviderFailed) -> None:
    """A line for whoever looks after the server: a refused key of ours needs a person."""
    log.warning(
        "attempt_failed",
        extra={
            "provider": offer.provider,
            "model": offer.slug,
            "reason": failure.reason,
            "upstream_status": failure.upstream_status,
            "request_id": job.gathered.call.request_id,
        },
    )


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


async def _record_unsaid(
    gateway: Gateway, job: Job, problem: RequestError, attempts: list[Attempt]
) -> None:
    """Nobody has words for the request: that is recorded, with the decision if there was one."""
    decided, call, now = job.decided, job.gathered.call, gateway.now()
    facts: dict[str, Json] = {
        "failure": problem.code,
        "decision_id": None if decided is None else str(decided.decision_id),
        "receipt_id": str(job.receipt_id),
        "attempts": len(attempts),
    }
    receipt = bill.written(
        gateway, endings.unsent(job, reason=problem.code, attempts=tuple(attempts), now=now)
    )
    refusal = Refusal(
        payer=call.payer,
        outcome=None if decided is None else outcomes.unsent_row(job, decided),
        event=bill.event_before_dispatch(gateway, call, EventType.INFERENCE_FAILED, now, facts),
        receipt=receipt.row,
        events=(receipt.created,),
    )
    problem.facts = {**problem.facts, **jobs.read_up(job)}
    await record.refuse(gateway, refusal, problem)


def _final_error(job: Job, failure: ProviderFailed, attempts: list[Attempt]) -> AinferaError:
    """A pinned call hears its provider; a routed one hears that all were tried."""
    named: dict[str, Json] = {
        "inference_id": str(job.inference_id),
        **jobs.read_up(job),
        "attempts": [
            {"model": one.offer, "provider": one.provider, "failure": one.result}
            for one in attempts
            if one.result != SKIPPED
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
