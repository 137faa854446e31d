"""The queries about outcomes: one function runs one query."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from ainfera_server import identifiers
from ainfera_server.identifiers import AgentId, InferenceId, TenantId
from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Connection, Row

QUERIES = queries.load(__name__)
ANSWERED_INFERENCE = QUERIES["answered_inference"]
WRITE_OUTCOME = QUERIES["write_outcome"]
OUTCOME = QUERIES["outcome"]
OUTCOMES = QUERIES["outcomes"]

Source = Literal["caller", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an answer turned out, from 0 to 1; `note` is None when nothing was said."""

    outcome_id: UUID
    agent_id: AgentId
    inference_id: InferenceId
    reward: Decimal
    source: Source
    note: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Whose inference it is, and what became of it."""

    agent_id: AgentId
    status: Literal["running", "succeeded", "failed", "refused"]


async def answered_inference(connection: Connection, inference_id: InferenceId) -> Answered | None:
    """Whose inference it is; None when there is no such inference."""
    cell = identifiers.cell_of(inference_id)
    row = await connection.fetchrow(ANSWERED_INFERENCE, cell, inference_id)
    if row is None:
        return None
    return Answered(agent_id=AgentId(row["agent_id"]), status=row["status"])


async def write_outcome(connection: Connection, tenant_id: TenantId, outcome: Outcome) -> None:
    """Write an outcome, unless its source has spoken before."""
    await connection.execute(
        WRITE_OUTCOME,
        identifiers.cell_of(outcome.inference_id),
        outcome.outcome_id,
        tenant_id,
        outcome.agent_id,
        outcome.inference_id,
        outcome.reward,
        outcome.source,
        outcome.note,
        outcome.created_at,
    )


async def outcome(
    connection: Connection, inference_id: InferenceId, source: Source
) -> Outcome | None:
    """What a source said about an answer; None when it has said nothing."""
    cell = identifiers.cell_of(inference_id)
    row = await connection.fetchrow(OUTCOME, cell, inference_id, source)
    return None if row is None else _outcome(row)


async def outcomes(connection: Connection, inference_id: InferenceId) -> tuple[Outcome, ...]:
    """All that was said about an answer."""
    cell = identifiers.cell_of(inference_id)
    return tuple(_outcome(row) for row in await connection.fetch(OUTCOMES, cell, inference_id))


def _outcome(row: Row) -> Outcome:
    return Outcome(
        outcome_id=row["outcome_id"],
        agent_id=AgentId(row["agent_id"]),
        inference_id=InferenceId(row["inference_id"]),
        reward=row["reward"],
        source=row["source"],
        note=row["note"],
        created_at=row["created_at"],
    )
