"""Calls as pages show them: how they went lately, a page of them, and all that is known of one."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, TypeVar
from uuid import UUID

from ainfera_server import identifiers
from ainfera_server.audit.receipts import SignedReceipt
from ainfera_server.identifiers import (
    AgentId,
    DecisionId,
    InferenceId,
    ReceiptId,
    TenantId,
    TransferId,
)
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Connection, Row
from ainfera_server.usage.reports import ModelUse

QUERIES = queries.load(__name__, "calls.sql")
LATELY = QUERIES["lately"]
REFUSED_LATELY = QUERIES["refused_lately"]
TOP_MODELS = QUERIES["top_models"]
SPENT_ON_DAY = QUERIES["spent_on_day"]
PAGE = QUERIES["page"]
INFERENCE = QUERIES["inference"]
DECISION = QUERIES["decision"]
HOLDS = QUERIES["holds"]
RECEIPT = QUERIES["receipt"]
LAST_EVENT_BEFORE = QUERIES["last_event_before"]
EVENTS = QUERIES["events"]

PAGE_CALLS_MAX = 200
EVENTS_MAX = 50
CLOCKS_DIFFER = timedelta(minutes=1)
"""How far the times of neighbours in a chain may be out of order: batches wait, clocks differ."""

ValueT = TypeVar("ValueT")

CallStatus = Literal["running", "succeeded", "failed", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lately:
    """How calls went. `calls` counts them all, `refused` those that never reached a provider too.

    The latencies are None when no call has ended.
    """

    calls: int
    succeeded: int
    failed: int
    refused: int
    running: int
    cost: UsdMicros
    latency_ms_p50: int | None
    latency_ms_p95: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentToday:
    """What an agent spent on a day, and what its running calls may still spend."""

    posted: UsdMicros
    pending: UsdMicros


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the list of calls a page ends."""

    created_at: datetime
    call_id: UUID


NEWEST = Place(created_at=datetime.max.replace(tzinfo=UTC), call_id=UUID(int=2**128 - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLine:
    """A call in a list.

    `call_id` is the inference's, or the decision's when a routed call was refused before anybody
    was asked; then nothing is known of model, tokens and latency. `decision_rule` is None for a
    pinned call.
    """

    call_id: UUID
    agent_id: AgentId
    agent_name: str
    status: CallStatus
    decision_rule: str | None
    model_asked: str | None
    model_slug: str | None
    provider: str | None
    is_streamed: bool | None
    input_tokens: int | None
    output_tokens: int | None
    cost: UsdMicros | None
    latency_ms: int | None
    failure: str | None
    created_at: datetime

    @property
    def place(self) -> Place:
        """Where the page ends that ends with this line."""
        return Place(created_at=self.created_at, call_id=self.call_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """One inference. What is not known before its end is None; `attempts` is JSON as stored."""

    inference_id: InferenceId
    agent_id: AgentId
    agent_name: str
    decision_id: DecisionId | None
    status: CallStatus
    dialect: str
    is_streamed: bool
    model_asked: str
    model_slug: str
    provider: str
    task_type: str
    task_type_source: str
    price_book_version: str
    attempts: str
    input_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    usage_source: str | None
    finish_reason: str | None
    failure: str | None
    cost: UsdMicros | None
    latency_ms: int | None
    created_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision as it was recorded; `candidates` and `m_allowed_set` are JSON as stored.

    `inference_id` is None when nobody was asked, and `outcome_status` while the call runs.
    """

    decision_id: DecisionId
    inference_id: InferenceId | None
    agent_id: AgentId
    agent_name: str
    task_type: str
    task_type_source: str
    cell_key: str | None
    decision_rule: str
    decision_type: str
    chosen_model_slug: str | None
    policy_version: str
    ruleset_hash: str
    q_prior_used: str | None
    m_allowed_set: str
    candidates: str
    seed: str | None
    cost_projected: UsdMicros | None
    cost_actual: UsdMicros | None
    observed_latency_ms: int | None
    outcome_status: str | None
    created_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Money that was set aside, and what became of it: `posted` is None unless some was taken."""

    transfer_id: TransferId
    state: Literal["pending", "posted", "voided", "expired"]
    held: UsdMicros
    posted: UsdMicros | None
    created_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent:
    """What the chain says about a call; `payload` is the exact text that was hashed."""

    seq: int
    event_type: str
    payload: str
    event_hash: str
    created_at: datetime


async def lately(connection: Connection, tenant_id: TenantId, *, since: datetime) -> Lately:
    """How a tenant's calls went since a moment."""
    cell = identifiers.cell_of(tenant_id)
    row = await connection.fetchrow(LATELY, cell, tenant_id, since)
    refused: int = await connection.fetchval(REFUSED_LATELY, cell, tenant_id, since)
    assert row is not None, "a count always has a row"
    return Lately(
        calls=row["calls"] + refused,
        succeeded=row["succeeded"],
        failed=row["failed"],
        refused=row["refused"] + refused,
        running=row["running"],
        cost=row["cost"],
        latency_ms_p50=row["latency_ms_p50"],
        latency_ms_p95=row["latency_ms_p95"],
    )


async def top_models(
    connection: Connection, tenant_id: TenantId, *, since: datetime, limit: int
) -> tuple[ModelUse, ...]:
    """The models that a tenant spent most on since a moment."""
    cell = identifiers.cell_of(tenant_id)
    rows = await connection.fetch(TOP_MODELS, cell, tenant_id, since, limit)
    return tuple(_made(ModelUse, row) for row in rows)


async def spent_on_day(
    connection: Connection, tenant_id: TenantId, *, day: date
) -> dict[AgentId, SpentToday]:
    """What each agent of a tenant spent on a UTC day; agents that spent nothing are left out."""
    cell = identifiers.cell_of(tenant_id)
    rows = await connection.fetch(SPENT_ON_DAY, cell, tenant_id, day)
    return {
        AgentId(row["agent_id"]): SpentToday(posted=row["posted"], pending=row["pending"])
        for row in rows
    }


async def page(
    connection: Connection,
    tenant_id: TenantId,
    *,
    behind: Place = NEWEST,
    status: CallStatus | None = None,
    limit: int,
) -> tuple[CallLine, ...]:
    """A page of a tenant's calls, newest first; `status` None takes them all."""
    assert 1 <= limit <= PAGE_CALLS_MAX, "a page has a limit"
    cell = identifiers.cell_of(tenant_id)
    place = (behind.created_at, behind.call_id)
    rows = await connection.fetch(PAGE, cell, tenant_id, *place, status, limit)
    return tuple(_made(CallLine, row) for row in rows)


async def inference(connection: Connection, inference_id: UUID) -> Inference | None:
    """One inference; None when the tenant has no such inference."""
    cell = identifiers.cell_of(inference_id)
    row = await connection.fetchrow(INFERENCE, cell, inference_id)
    return None if row is None else _made(Inference, row)


async def decision(connection: Connection, either_id: UUID) -> Decision | None:
    """A decision, by its own id or by its inference's; None when the tenant has no such."""
    row = await connection.fetchrow(DECISION, identifiers.cell_of(either_id), either_id)
    return None if row is None else _made(Decision, row)


async def holds(connection: Connection, inference_id: InferenceId) -> tuple[Hold, ...]:
    """The money that was set aside for an inference, in the order of the offers tried."""
    rows = await connection.fetch(HOLDS, identifiers.cell_of(inference_id), inference_id)
    return tuple(_made(Hold, row) for row in rows)


async def receipt(connection: Connection, either_id: UUID) -> SignedReceipt | None:
    """A receipt, by its own id or by its inference's; None when the tenant has no such."""
    row = await connection.fetchrow(RECEIPT, identifiers.cell_of(either_id), either_id)
    if row is None:
        return None
    body: str = row["body"]
    return SignedReceipt(
        receipt_id=ReceiptId(row["receipt_id"]),
        body=body,
        sha256=hashlib.sha256(body.encode()).hexdigest(),
        key_id=row["key_id"],
        signature=row["signature"],
    )


async def events(
    connection: Connection,
    agent_id: AgentId,
    *,
    inference_id: InferenceId | None,
    decision_id: DecisionId | None,
    began_at: datetime,
    ended_at: datetime,
) -> tuple[CallEvent, ...]:
    """What the agent's chain says about a call that ran between two moments."""
    cell = identifiers.cell_of(agent_id)
    earliest, latest = began_at - CLOCKS_DIFFER, ended_at + CLOCKS_DIFFER
    since_seq = await connection.fetchval(LAST_EVENT_BEFORE, cell, agent_id, earliest)
    until_seq = await connection.fetchval(LAST_EVENT_BEFORE, cell, agent_id, latest)
    names = (_text(inference_id), _text(decision_id))
    rows = await connection.fetch(EVENTS, cell, agent_id, since_seq, until_seq, *names, EVENTS_MAX)
    return tuple(_made(CallEvent, row) for row in rows)


def _made(kind: Callable[..., ValueT], row: Row) -> ValueT:
    """A value whose fields are named as the columns of its query."""
    return kind(**dict(row))


def _text(identifier: UUID | None) -> str | None:
    return None if identifier is None else str(identifier)
