"""Finish what a dead process began: holds past their time are released, once, by any process."""

import asyncio
from datetime import datetime

from ainfera_server import identifiers
from ainfera_server.audit.events import Event, EventType
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import EventId, ReceiptId
from ainfera_server.inference import endings, record, store
from ainfera_server.inference.entries import Settlement
from ainfera_server.inference.rows import InferenceEnd, OutcomeEnd
from ainfera_server.inference.store import ExpiredHold
from ainfera_server.postgres import pool as pools

STEPS_MAX = 1_000
"""How often the clock deletes some answers before it leaves the rest to the next round."""


async def expired_holds(gateway: Gateway) -> int:
    """Release every hold whose time is over; tells how many there were.

    All are handed in at once, so that one that cannot be released holds up no other.
    """
    async with pools.transaction(gateway.pools.writer) as connection:
        found = await store.expired_holds(connection)
    async with asyncio.TaskGroup() as group:
        for one in found:
            group.create_task(_expired(gateway, one))
    return len(found)


async def expired_answers(gateway: Gateway) -> None:
    """Delete stored answers whose time is over, some in each transaction."""
    for _ in range(STEPS_MAX):
        async with pools.transaction(gateway.pools.writer) as connection:
            if await store.forget_expired_idempotency(connection) == 0:
                return


async def _expired(gateway: Gateway, one: ExpiredHold) -> None:
    settled = await record.settle(gateway, _expiry(gateway, one))
    if settled.was_open:
        gateway.metrics.expired_holds.inc()


def _expiry(gateway: Gateway, one: ExpiredHold) -> Settlement:
    cell = identifiers.cell_of(one.payer.agent_id)
    now, known = gateway.now(), one.known
    receipt = endings.written(
        endings.expired(known, receipt_id=ReceiptId(gateway.new_id(cell)), now=now),
        by=gateway.signer,
        event_id=EventId(gateway.new_id(cell)),
    )
    outcome = None
    if known.decision_id is not None:
        outcome = OutcomeEnd(
            cell=cell, id=known.decision_id, outcome_status="failed_other", completed_at=now
        )
    return Settlement(
        payer=one.payer,
        transfer_id=known.transfer_id,
        cost=None,
        end=InferenceEnd(
            cell=cell,
            inference_id=known.inference_id,
            status="failed",
            attempts=known.attempts,
            failure="expired",
            receipt_id=receipt.row.receipt_id,
            completed_at=now,
        ),
        outcome=outcome,
        receipt=receipt.row,
        entry_ids=(),
        events=(_expired_event(gateway, one, now), receipt.created),
        answer=None,
        is_expiry=True,
    )


def _expired_event(gateway: Gateway, one: ExpiredHold, now: datetime) -> Event:
    return Event(
        event_id=EventId(gateway.new_id(identifiers.cell_of(one.payer.agent_id))),
        tenant_id=one.payer.tenant_id,
        agent_id=one.payer.agent_id,
        event_type=EventType.INFERENCE_EXPIRED,
        facts={
            "inference_id": str(one.known.inference_id),
            "transfer_id": str(one.known.transfer_id),
        },
        created_at=now,
    )
