"""A decision as the row that every routed call leaves, whatever becomes of it."""

from dataclasses import replace

import msgspec

from ainfera_server import identifiers
from ainfera_server.inference import refusals
from ainfera_server.inference.job import Decided, Job
from ainfera_server.inference.rows import OutcomeRow
from ainfera_server.routing import decision as decisions
from ainfera_server.routing import snapshot as snapshots


def outcome_row(job: Job, decided: Decided) -> OutcomeRow:
    """Write down a decision whose first choice is about to be asked."""
    call, decision = job.gathered.call, decided.decision
    payer = call.payer
    chosen = decision.chosen
    return OutcomeRow(
        cell=identifiers.cell_of(payer.agent_id),
        id=decided.decision_id,
        tenant_id=payer.tenant_id,
        agent_id=payer.agent_id,
        request_id=call.request_id,
        inference_id=None if chosen is None else job.inference_id,
        task_type=call.task_type.task_type,
        task_type_source=call.task_type.source,
        cell_key=decision.cell,
        decision_rule=decision.rule_fired,
        chosen_model_id=None if chosen is None else chosen.model_id,
        chosen_model_slug=decision.chosen_model_slug,
        policy_version=decision.policy_version,
        ruleset_hash=decision.ruleset_hash,
        q_prior_used=snapshots.optional_decimal_text(decision.q_prior_used),
        m_allowed_set=_json_list(decision.m_allowed_set),
        candidates=decisions.encode_candidates(decision).decode(),
        snapshot=decided.snapshot.decode(),
        seed=decision.seed,
        cost_projected=decision.cost_projected,
        exploration=decision.decision_type != "deterministic",
        decision_type=decision.decision_type,
        outcome_status=None if chosen is not None else "rejected_floor",
        created_at=call.created_at,
        completed_at=None if chosen is not None else call.created_at,
    )


def unsent_row(job: Job, decided: Decided) -> OutcomeRow:
    """Write down a decision of which nobody could be asked."""
    row = outcome_row(job, decided)
    return replace(
        row,
        inference_id=None,
        decision_rule=refusals.FAILED_PRE_DISPATCH,
        outcome_status="failed_other",
        completed_at=row.created_at,
    )


def _json_list(slugs: tuple[str, ...]) -> str:
    return msgspec.json.encode(slugs).decode()
