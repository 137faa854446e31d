"""Set money aside for an offer before it is asked, and give it back when nothing came of it."""

import asyncio
import functools
from dataclasses import dataclass, replace
from datetime import timedelta

from ainfera_server import identifiers, money
from ainfera_server.audit import receipts
from ainfera_server.audit.events import EventType
from ainfera_server.audit.receipts import Attempt
from ainfera_server.catalog import pricing
from ainfera_server.catalog.offers import Offer
from ainfera_server.conversation import Json
from ainfera_server.errors import ProviderFailed
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import EventId, TransferId
from ainfera_server.inference import alternatives, bill, record
from ainfera_server.inference import job as jobs
from ainfera_server.inference import outcome as outcomes
from ainfera_server.inference.ask import Question
from ainfera_server.inference.entries import Extension, Hold
from ainfera_server.inference.job import Decided, HeldOffer, Job
from ainfera_server.inference.rows import InferenceRow
from ainfera_server.money import UsdMicros
from ainfera_server.routing import snapshot as snapshots
from ainfera_server.routing import targets

DIRECT = "direct"
"""Who chose, when the caller did."""

EXPIRY_GRACE = timedelta(seconds=60)
"""How much longer than its inference a hold may stay open before the clock releases it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An offer that did not answer, its money still set aside."""

    held: HeldOffer
    failure: ProviderFailed


async def held(
    gateway: Gateway,
    job: Job,
    asked: Question,
    offer: Offer,
    failed: Failed | None,
    attempts: tuple[Attempt, ...],
) -> HeldOffer:
    """Set aside the most that the offer's answer may cost."""
    amount = _most(gateway, job, offer)
    entry = _entry(gateway, job, offer, amount, failed, attempts)
    held_offer = HeldOffer(
        offer=offer,
        transfer_id=entry.inference.transfer_id,
        amount=amount,
        is_relayed=asked.is_relayed,
    )
    try:
        cheapest = functools.partial(alternatives.cheapest_within, gateway, job)
        held = await record.hold(gateway, entry, alternative=cheapest)
    except asyncio.CancelledError:
        # The journal writes it all the same, and then gives it back.
        await released(gateway, job, held_offer, "client_left", attempts)
        raise
    return replace(held_offer, paid_from=held.paid_from)


async def extended(gateway: Gateway, job: Job, held: HeldOffer, amount: UsdMicros) -> HeldOffer:
    """Set aside `amount` in all for an answer that costs more than was held, if nothing says no.

    Only an owner who allows it lets a hold grow; otherwise it stays what it was.
    """
    payer = job.gathered.call.payer
    extension = Extension(payer=payer, transfer_id=held.transfer_id, amount=amount)
    grown = await record.extend(gateway, extension)
    return replace(held, amount=grown.held)


def _most(gateway: Gateway, job: Job, offer: Offer) -> UsdMicros:
    """The most that an answer may cost the caller: what the provider may charge, and our margin."""
    assert offer.prices is not None, "an offer without a price is never asked"
    # Not the offer's own limit, which may be lower: a relayed body keeps the caller's.
    most = pricing.most_it_may_cost(
        job.gathered.input_tokens_most,
        job.gathered.max_tokens,
        offer.prices,
        web_searches_max=job.gathered.call.request.web_searches_max,
        context_window=offer.context_window or offer.model.context_window,
    )
    return UsdMicros(most + pricing.margin(most, gateway.settings.margin))


def _entry(
    gateway: Gateway,
    job: Job,
    offer: Offer,
    amount: UsdMicros,
    failed: Failed | None,
    attempts: tuple[Attempt, ...],
) -> Hold:
    call, decided = job.gathered.call, job.decided
    payer, branch = call.payer, call.branch
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
        session_id=None if branch is None else branch.session,
        node=None if branch is None else branch.node,
        parent_node=None if branch is None else branch.parent,
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
        refused_receipt_id=job.receipt_id,
        branch=branch,
    )


def _routed_facts(job: Job, row: InferenceRow, failed: Failed | None) -> dict[str, Json]:
    decided = job.decided
    return {
        "router": DIRECT if decided is None else targets.CANONICAL,
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
        "ruleset_hash": None if decided is None else decided.decision.ruleset_hash,
        "seed": None if decided is None else decided.decision.seed,
        "propensity": _propensity(decided),
        "prompt_hash": receipts.content_hash(job.salt, job.gathered.call.request.body),
        "reserved_usd": money.usd(UsdMicros(row.amount_held)),
        "transfer_id": str(row.transfer_id),
        "fallback_from": None if failed is None else failed.held.offer.slug,
        "fallback_reason": None if failed is None else failed.failure.reason,
    }


def _propensity(decided: Decided | None) -> str | None:
    if decided is None:
        return None
    return snapshots.optional_decimal_text(decided.decision.propensity)


async def released(
    gateway: Gateway, job: Job, held: HeldOffer, failure: str, attempts: tuple[Attempt, ...]
) -> None:
    """Give all of a hold back: nothing was delivered."""
    settlement = bill.released(gateway, job, held, failure=failure, attempts=attempts)
    await record.settle(gateway, settlement)
