"""The list of calls, and everything that is known of one."""

from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

import orjson

from ainfera_server import money
from ainfera_server.accounts import absent
from ainfera_server.accounts.callers import Principal
from ainfera_server.audit import events, receipts
from ainfera_server.audit import store as audit_store
from ainfera_server.audit.receipts import SignedReceipt
from ainfera_server.conversation import Json
from ainfera_server.errors import Invalid
from ainfera_server.gateway import Gateway
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Connection
from ainfera_server.usage import calls
from ainfera_server.usage.calls import (
    CallEvent,
    CallLine,
    CallStatus,
    Decision,
    Hold,
    Inference,
    Place,
)

PAGE_CALLS = 50
STATUSES: tuple[CallStatus, ...] = get_args(CallStatus)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


async def listed(
    gateway: Gateway, caller: Principal, *, status_asked: str | None, behind_asked: str | None
) -> dict[str, Json]:
    """A page of calls, newest first. Raises Invalid for a status or a place that is none."""
    status = _status(status_asked)
    behind = calls.NEWEST if behind_asked is None else _place(behind_asked)
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        lines = await calls.page(
            connection, caller.tenant_id, behind=behind, status=status, limit=PAGE_CALLS + 1
        )
    shown = lines[:PAGE_CALLS]
    return {
        "status": status,
        "statuses": list(STATUSES),
        "is_first": behind_asked is None,
        "calls": [_line(line) for line in shown],
        "next_behind": _place_text(shown[-1].place) if len(lines) > PAGE_CALLS else None,
    }


async def one(gateway: Gateway, caller: Principal, call_id: UUID) -> dict[str, Json]:
    """All that is known of a call, by its inference's id or its decision's. Raises NotFound."""
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        decision = await calls.decision(connection, call_id)
        inference_id = call_id if decision is None else decision.inference_id
        inference = (
            None if inference_id is None else await calls.inference(connection, inference_id)
        )
        said = inference or decision
        if said is None:
            raise absent.inference()
        return {
            "call_id": str(call_id),
            "agent_id": str(said.agent_id),
            "agent_name": said.agent_name,
            "status": "refused" if inference is None else inference.status,
            "failure": decision.outcome_status if inference is None and decision else None,
            "created_at": events.timestamp(said.created_at),
            "inference": None if inference is None else _inference(inference),
            "decision": None if decision is None else _decision(decision),
            **await _evidence(gateway, connection, inference, said),
        }


async def _evidence(
    gateway: Gateway,
    connection: Connection,
    inference: Inference | None,
    said: Inference | Decision,
) -> dict[str, Json]:
    """What became of the money, the receipt, and what the chain says."""
    found = await calls.events(
        connection,
        said.agent_id,
        inference_id=said.inference_id,
        decision_id=said.decision_id,
        began_at=said.created_at,
        ended_at=said.completed_at or gateway.now(),
    )
    holds: tuple[Hold, ...] = ()
    receipt: SignedReceipt | None = None
    if inference is not None:
        holds = await calls.holds(connection, inference.inference_id)
        receipt = await calls.receipt(connection, inference.inference_id)
    return {
        "holds": [_hold(hold) for hold in holds],
        "receipt": None if receipt is None else await _receipt(gateway, connection, receipt),
        "events": [_event(event) for event in found],
    }


async def _receipt(gateway: Gateway, connection: Connection, receipt: SignedReceipt) -> Json:
    signer = gateway.signer
    pems = {
        **await audit_store.public_key_pems(connection),
        signer.key_id: signer.public_key_pem,
    }
    pem = pems.get(receipt.key_id)
    return {
        "receipt_id": str(receipt.receipt_id),
        "is_genuine": pem is not None and receipts.is_genuine(receipt, public_key_pem=pem),
        "said": orjson.loads(receipt.body),
        "sha256": receipt.sha256,
        "key_id": receipt.key_id,
        "signature": receipt.signature,
    }


def _line(line: CallLine) -> Json:
    return {
        "call_id": str(line.call_id),
        "created_at": events.timestamp(line.created_at),
        "agent_id": str(line.agent_id),
        "agent_name": line.agent_name,
        "status": line.status,
        "decision_rule": line.decision_rule,
        "model_asked": line.model_asked,
        "model_served": line.model_slug,
        "provider": line.provider,
        "streamed": line.is_streamed,
        "input_tokens": line.input_tokens,
        "output_tokens": line.output_tokens,
        "cost_usd": _usd(line.cost),
        "latency_ms": line.latency_ms,
        "failure": line.failure,
    }


def _inference(one: Inference) -> Json:
    return {
        "inference_id": str(one.inference_id),
        "dialect": one.dialect,
        "streamed": one.is_streamed,
        "model_asked": one.model_asked,
        "model_served": one.model_slug,
        "provider": one.provider,
        "task_type": one.task_type,
        "task_type_source": one.task_type_source,
        "price_book_version": one.price_book_version,
        "attempts": orjson.loads(one.attempts),
        "input_tokens": one.input_tokens,
        "cache_read_tokens": one.cache_read_tokens,
        "cache_write_tokens": one.cache_write_tokens,
        "output_tokens": one.output_tokens,
        "reasoning_tokens": one.reasoning_tokens,
        "usage_source": one.usage_source,
        "finish_reason": one.finish_reason,
        "failure": one.failure,
        "cost_usd": _usd(one.cost),
        "latency_ms": one.latency_ms,
        "completed_at": _moment(one.completed_at),
    }


def _decision(one: Decision) -> Json:
    return {
        "decision_id": str(one.decision_id),
        "task_type": one.task_type,
        "decision_rule": one.decision_rule,
        "decision_type": one.decision_type,
        "chosen_model": one.chosen_model_slug,
        "policy_version": one.policy_version,
        "ruleset_hash": one.ruleset_hash,
        "q_prior_used": one.q_prior_used,
        "candidates": orjson.loads(one.candidates),
        "cost_projected_usd": _usd(one.cost_projected),
        "cost_actual_usd": _usd(one.cost_actual),
        "outcome_status": one.outcome_status,
    }


def _hold(hold: Hold) -> Json:
    return {
        "transfer_id": str(hold.transfer_id),
        "state": hold.state,
        "held_usd": money.usd(hold.held),
        "posted_usd": _usd(hold.posted),
        "created_at": events.timestamp(hold.created_at),
        "resolved_at": _moment(hold.resolved_at),
    }


def _event(event: CallEvent) -> Json:
    return {
        "seq": event.seq,
        "event_type": event.event_type,
        "payload": orjson.loads(event.payload),
        "event_hash": event.event_hash,
        "created_at": events.timestamp(event.created_at),
    }


def _status(asked: str | None) -> CallStatus | None:
    if not asked:
        return None
    for status in STATUSES:
        if status == asked:
            return status
    raise Invalid(f"status must be one of {', '.join(STATUSES)}.", param="status")


def _place_text(place: Place) -> str:
    """A place in an address: the moment in microseconds, and the id that tells twins apart."""
    return f"{(place.created_at - EPOCH) // MICROSECOND}-{place.call_id.hex}"


def _place(text: str) -> Place:
    """Read a place. Raises Invalid."""
    microseconds, _, call_id = text.partition("-")
    try:
        return Place(created_at=EPOCH + int(microseconds) * MICROSECOND, call_id=UUID(hex=call_id))
    except (ValueError, OverflowError):
        raise Invalid("This is no place in the list of calls.", param="behind") from None


def _usd(amount: UsdMicros | None) -> str | None:
    return None if amount is None else money.usd(amount)


def _moment(when: datetime | None) -> str | None:
    return None if when is None else events.timestamp(when)
