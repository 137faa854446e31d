"""Outcomes: saying how an answer turned out, which is what routing learns from."""

from fastapi.responses import Response
from pydantic import BaseModel, Field

from ainfera_server.accounts import absent
from ainfera_server.api import answers, given, ids
from ainfera_server.api.amounts import Amount
from ainfera_server.api.given import Caller, Opened
from ainfera_server.identifiers import InferenceId
from ainfera_server.outcomes import actions as outcomes_actions
from ainfera_server.outcomes import rewards
from ainfera_server.outcomes.store import Source
from ainfera_server.postgres import tenancy


class OutcomeReport(BaseModel):
    """How an answer turned out."""

    inference_id: str
    reward: Amount = Field(description="0 for useless, 1 for right, or anything between.")
    source: Source = Field(
        "caller", description="caller for a judgement, verify for a check that was run."
    )
    note: str | None = Field(None, description="At most 1000 characters.")


async def record_outcome(gateway: Opened, caller: Caller, body: OutcomeReport) -> Response:
    """Say how an answer turned out; the first word of each source stands."""
    wanted = InferenceId(ids.parsed(body.inference_id, absent.inference))
    reward = rewards.parse(body.reward)
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        outcome = await outcomes_actions.record(
            connection,
            given.recorder(gateway),
            tenant_id=caller.tenant_id,
            inference_id=wanted,
            reward=reward,
            source=body.source,
            note=body.note,
        )
        # Whose call it was is known only now; what is raised here leaves nothing behind.
        caller.require_may_act_for(outcome.agent_id)
    return answers.json(
        {
            "outcome_id": str(outcome.outcome_id),
            "inference_id": str(outcome.inference_id),
            "agent_id": str(outcome.agent_id),
            "reward": f"{outcome.reward.normalize():f}",
            "source": outcome.source,
            "note": outcome.note,
            "created_at": answers.moment(outcome.created_at),
        },
        status=201,
    )
