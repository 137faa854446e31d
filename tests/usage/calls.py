"""Finished calls for tests, as rows: what reports count and outcomes judge."""

from datetime import datetime

import orjson

from ainfera_server.accounts.actions import SignedUp
from ainfera_server.identifiers import InferenceId, cell_of
from ainfera_server.postgres import pool as pools_module
from ainfera_server.postgres.pool import Pools
from tests.accounts import newcomer

INFERENCE = "insert into inferences select * from json_populate_record(null::inferences, $1::json)"
OUTCOME = (
    "insert into routing_outcomes"
    " select * from json_populate_record(null::routing_outcomes, $1::json)"
)


async def made(
    pools: Pools,
    by: SignedUp,
    *,
    status: str = "succeeded",
    cost: int = 47,
    offer: str = "claude-haiku-4-5",
    latency_ms: int | None = 310,
    coverage_cell: str = "chat:claude-haiku-4-5:balanced",
    at: datetime = newcomer.NOW,
) -> InferenceId:
    """A call to an offer that was named."""
    inference_id = InferenceId(newcomer.new_id(cell_of(by.agent.agent_id)))
    row = {
        "cell": cell_of(inference_id),
        "inference_id": inference_id,
        "tenant_id": by.tenant.tenant_id,
        "agent_id": by.agent.agent_id,
        "transfer_id": newcomer.new_id(cell_of(inference_id)),
        "status": status,
        "dialect": "native",
        "is_streamed": False,
        "model_asked": offer,
        "model_slug": offer,
        "offer_slug": offer,
        "provider": "anthropic",
        "task_type": "chat",
        "task_type_source": "default",
        "coverage_cell": coverage_cell,
        "price_book_version": "book",
        "amount_held": 1_000,
        "attempts": "[]",
        "cost": cost,
        "latency_ms": latency_ms,
        "created_at": at,
    }
    async with pools_module.transaction(pools.writer) as connection:
        await connection.execute(INFERENCE, orjson.dumps(row).decode())
    return inference_id


async def routed(
    pools: Pools,
    by: SignedUp,
    *,
    inference_id: InferenceId | None,
    chosen: str | None = "claude-haiku-4-5",
    outcome_status: str = "succeeded",
    latency_ms: int | None = 310,
    at: datetime = newcomer.NOW,
) -> None:
    """The decision behind a call, or one that led to none."""
    row = {
        "cell": cell_of(by.agent.agent_id),
        "id": newcomer.new_id(cell_of(by.agent.agent_id)),
        "tenant_id": by.tenant.tenant_id,
        "agent_id": by.agent.agent_id,
        "request_id": "request",
        "inference_id": inference_id,
        "task_type": "chat",
        "task_type_source": "default",
        "decision_rule": "no_candidate_clears_floor"
        if chosen is None
        else "m_allowed_veto_applied",
        "chosen_model_slug": chosen,
        "policy_version": "balanced@1.0.0",
        "ruleset_hash": "hash",
        "m_allowed_set": "[]",
        "candidates": "[]",
        "snapshot": "{}",
        "outcome_status": outcome_status,
        "observed_latency_ms": latency_ms,
        "exploration": False,
        "decision_type": "deterministic",
        "source": "prod",
        "traffic_class": "customer",
        "created_at": at,
    }
    async with pools_module.transaction(pools.writer) as connection:
        await connection.execute(OUTCOME, orjson.dumps(row).decode())
