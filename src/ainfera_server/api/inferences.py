"""Inferences: what became of one, and the decision behind it."""

from collections.abc import Mapping, Sequence
from typing import cast

import orjson
from fastapi.responses import Response

from ainfera_server.accounts import absent
from ainfera_server.api import answers, ids
from ainfera_server.api.answers import Shown
from ainfera_server.api.given import Caller, Opened
from ainfera_server.inference import store as inference_store
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Row

TOKENS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)
REASON_NAMES = ("rejection_reason", "drop_reason")
SLUG_NAMES = ("model_slug", "slug")


async def get_inference(gateway: Opened, caller: Caller, inference_id: str) -> Response:
    """Look at an inference: who answered, what it cost, what became of it."""
    wanted = ids.parsed(inference_id, absent.inference)
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        row = await inference_store.inference(connection, wanted)
    if row is None:
        raise absent.inference()
    return answers.json(_inference(row))


async def get_decision(gateway: Opened, caller: Caller, inference_id: str) -> Response:
    """Read a decision, by its own id or by its inference's: every candidate, and why not."""
    wanted = ids.parsed(inference_id, absent.decision)
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        row = await inference_store.decision(connection, wanted)
    if row is None:
        raise absent.decision()
    return answers.json(_decision(row))


def dashboard_candidates(
    candidates: Sequence[Mapping[str, Shown]], chosen_slug: str | None
) -> list[Shown]:
    """The candidates as a page shows them: one line each, and one word for what excluded it."""
    return [
        {
            "model_id": one.get("model_id"),
            "model_slug": _first(one, SLUG_NAMES),
            "chosen": chosen_slug is not None and _first(one, SLUG_NAMES) == chosen_slug,
            "excluded": _excluded(one),
        }
        for one in candidates
    ]


def _excluded(candidate: Mapping[str, Shown]) -> Shown:
    reason = _first(candidate, REASON_NAMES)
    if reason:
        return reason
    if candidate.get("eligible") is False:
        return "ineligible"
    return "below_floor" if candidate.get("cleared_floor") is False else None


def _first(candidate: Mapping[str, Shown], names: Sequence[str]) -> Shown:
    """The first of these that says something; candidates of other ages use other names."""
    return next((candidate[name] for name in names if candidate.get(name)), None)


def _inference(row: Row) -> dict[str, Shown]:
    return {
        "id": str(row["inference_id"]),
        "inference_id": str(row["inference_id"]),
        "decision_id": answers.identifier(row["decision_id"]),
        "receipt_id": answers.identifier(row["receipt_id"]),
        "agent_id": str(row["agent_id"]),
        "tenant_id": str(row["tenant_id"]),
        "status": row["status"],
        "dialect": row["dialect"],
        "streamed": row["is_streamed"],
        "model_asked": row["model_asked"],
        "model": row["model_slug"],
        "model_used": row["offer_slug"],
        "provider": row["provider"],
        "task_type": row["task_type"],
        "task_type_source": row["task_type_source"],
        "policy_version": row["policy_version"],
        "cell": row["coverage_cell"],
        **{name: row[name] for name in TOKENS},
        "usage_source": row["usage_source"],
        "finish_reason": row["finish_reason"],
        "finish_reason_native": row["finish_reason_native"],
        "reserved_usd": answers.usd(row["amount_held"]),
        "cost_usd": answers.usd(row["cost"]),
        "failure": row["failure"],
        "latency_ms": row["latency_ms"],
        "attempts": answers.stored(row["attempts"]),
        "price_book_version": row["price_book_version"],
        "created_at": answers.moment(row["created_at"]),
        "completed_at": answers.moment(row["completed_at"]),
    }


def _decision(row: Row) -> dict[str, Shown]:
    """A decision; the candidates are the stored bytes, so that anybody can check them."""
    candidates: str = row["candidates"]
    parsed = cast("list[dict[str, Shown]]", orjson.loads(candidates))
    return {
        "decision_id": str(row["id"]),
        "inference_id": answers.identifier(row["inference_id"]),
        "agent_id": str(row["agent_id"]),
        "request_id": row["request_id"],
        "task_type": row["task_type"],
        "task_type_source": row["task_type_source"],
        "cell": row["cell_key"],
        "policy_version": row["policy_version"],
        "ruleset_hash": row["ruleset_hash"],
        "decision_rule": row["decision_rule"],
        "decision_type": row["decision_type"],
        "chosen_model_slug": row["chosen_model_slug"],
        "q_prior_used": row["q_prior_used"],
        "m_allowed_set": answers.stored(row["m_allowed_set"]),
        "candidates": answers.stored(candidates),
        "dashboard_candidates": dashboard_candidates(parsed, row["chosen_model_slug"]),
        "snapshot": answers.stored(row["snapshot"]),
        "cost_projected": answers.usd(row["cost_projected"]),
        "cost_actual": answers.usd(row["cost_actual"]),
        "observed_latency_ms": row["observed_latency_ms"],
        "outcome_status": row["outcome_status"],
        "seed": row["seed"],
        "created_at": answers.moment(row["created_at"]),
        "completed_at": answers.moment(row["completed_at"]),
    }
