"""Finish what a dead process began: holds past their time are released, once, by any process."""

import asyncio

from ainfera_server import identifiers
from ainfera_server.accounts.store import Payer
from ainfera_server.audit.events import Event, EventType
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import EventId
from ainfera_server.inference import record, store
from ainfera_server.inference.entries import Settlement
from ainfera_server.inference.rows import InferenceEnd, OutcomeEnd
from ainfera_server.inference.store import ExpiredHold
from ainfera_server.postgres import pool as pools


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
    """Delete stored answers whose time is over."""
    async with pools.transaction(gateway.pools.writer) as connection:
        await store.forget_expired_idempotency(connection)


async def _expired(gateway: Gateway, one: ExpiredHold) -> None:
    settled = await record.settle(gateway, _expiry(gateway, one))
    if settled.was_open:
        gateway.metrics.expired_holds.inc()


def _expiry(gateway: Gateway, one: ExpiredHold) -> Settlement:
    cell = identifiers.cell_of(one.agent_id)
    now = gateway.now()
    outcome = None
    if one.decision_id is not None:
        outcome = OutcomeEnd(
            cell=cell, id=one.decision_id, outcome_status="failed_other", completed_at=now
        )
    return Settlement(
        payer=Payer(
            tenant_id=one.tenant_id,
            agent_id=one.agent_id,
            wallet_id=one.wallet_id,
            revenue_id=one.revenue_id,
        ),
        transfer_id=one.transfer_id,
        cost=None,
        end=InferenceEnd(
            cell=cell,
            inference_id=one.inference_id,
            status="failed",
            attempts=one.attempts,
            failure="expired",
            completed_at=now,
        ),
        outcome=outcome,
        receipt=None,
        entry_ids=(gateway.new_id(cell), gateway.new_id(cell)),
        events=(
            Event(
                event_id=EventId(gateway.new_id(cell)),
                tenant_id=one.tenant_id,
                agent_id=one.agent_id,
                event_type=EventType.INFERENCE_EXPIRED,
                facts={
                    "inference_id": str(one.inference_id),
                    "transfer_id": str(one.transfer_id),
                },
                created_at=now,
            ),
        ),
        answer=None,
        is_expiry=True,
    )
