"""One inference from start to finish: gather, decide, attempt, reply.

Read this file first. A door parses what arrived and calls `run`. Everything that may be known is
gathered, one pure function decides whom to ask, the offers are tried in that order with money set
aside before each, and the first answer goes to the caller in the caller's dialect. Whatever
happens, a routed call leaves one routing outcome and a pinned call leaves none.
"""

import orjson

from ainfera_server import identifiers, money
from ainfera_server.audit.events import EventType
from ainfera_server.conversation import Json
from ainfera_server.errors import CapExceeded, NoCandidate
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import DecisionId, InferenceId, ReceiptId
from ainfera_server.inference import attempt, bill, endings, idempotency, record
from ainfera_server.inference import gather as gathering
from ainfera_server.inference import job as jobs
from ainfera_server.inference import outcome as outcomes
from ainfera_server.inference.call import Answer, Call, WholeAnswer
from ainfera_server.inference.entries import Refusal
from ainfera_server.inference.gather import Gathered, Pinned, Routed
from ainfera_server.inference.job import Decided, Job
from ainfera_server.routing import decide, targets
from ainfera_server.routing import decision as decisions
from ainfera_server.routing import snapshot as snapshots
from ainfera_server.routing.snapshot import Policy

SALT_BYTES = 16


async def run(gateway: Gateway, call: Call) -> Answer:
    """Answer a call. Raises an AinferaError, for which nothing was spent."""
    async with idempotency.taken(gateway, call) as stored:
        if stored is not None:
            headers = {**stored.headers, "idempotent-replayed": "true"}
            return WholeAnswer(status=stored.status, headers=headers, body=stored.body)
        gathered = await _gathered(gateway, call)
        job = _job(gateway, gathered)
        if not job.offers:
            raise await _refused(gateway, job)
        return await attempt.answered(gateway, job)


async def _gathered(gateway: Gateway, call: Call) -> Gathered:
    """Gather; a model that the agent's owner does not allow is refused, and that is recorded."""
    try:
        return gathering.gather(gateway, call)
    except CapExceeded as problem:
        await _record_not_allowed(gateway, call, problem)
        raise


def _job(gateway: Gateway, gathered: Gathered) -> Job:
    """Decide, where there is something to decide."""
    cell = identifiers.cell_of(gathered.call.payer.agent_id)
    match gathered.wanted:
        case Pinned(offers=offers):
            decided = None
        case Routed(snapshot=snapshot, offers=by_slug):
            decision = decide.decide(snapshot)
            offers = tuple(by_slug[candidate.model_id] for candidate in decision.order)
            decided = Decided(
                decision_id=DecisionId(gateway.new_id(cell)),
                decision=decision,
                snapshot=snapshots.encode(snapshot),
            )
    return Job(
        gathered=gathered,
        offers=offers,
        decided=decided,
        inference_id=InferenceId(gateway.new_id(cell)),
        receipt_id=ReceiptId(gateway.new_id(cell)),
        salt=gateway.random(SALT_BYTES),
        ends_at_s=gathered.call.received_at_s + gateway.settings.inference_timeout_s,
        price_book_version=gateway.catalog.version,
    )


async def _record_not_allowed(gateway: Gateway, call: Call, problem: CapExceeded) -> None:
    """Record that the agent's owner does not allow what a call names."""
    now, salt = gateway.now(), gateway.random(SALT_BYTES)
    receipt = endings.not_allowed(
        call,
        receipt_id=ReceiptId(gateway.new_id(identifiers.cell_of(call.payer.agent_id))),
        reason=problem.reason,
        price_book_version=gateway.catalog.version,
        salt=salt,
        now=now,
    )
    told: dict[str, Json] = {"receipt_id": str(receipt.receipt_id)}
    facts: dict[str, Json] = {
        **told,
        "model": call.request.model,
        "decision_id": None,
        "reason": problem.reason,
    }
    written = bill.written(gateway, receipt)
    refusal = Refusal(
        payer=call.payer,
        outcome=None,
        event=bill.event_before_dispatch(
            gateway, call, EventType.INFERENCE_REJECTED_CAP_VIOLATION, now, facts
        ),
        receipt=written.row,
        events=(written.created,),
    )
    problem.facts = {**problem.facts, **told, "content_salt": salt.hex()}
    await record.refuse(gateway, refusal, problem)


async def _refused(gateway: Gateway, job: Job) -> NoCandidate:
    """Record that nobody may answer, and say why, candidate by candidate."""
    decided, call = job.decided, job.gathered.call
    assert decided is not None, "only a decision can leave nobody"
    decision = decided.decision
    rule = (
        "no_candidate_enrolled"
        if decision.rule_fired is decisions.RuleFired.NO_CANDIDATE_ENROLLED
        else "no_candidate_clears_floor"
    )
    wanted = job.gathered.wanted
    assert isinstance(wanted, Routed), "only a routed call is decided"
    policy = wanted.snapshot.policy
    candidates: Json = orjson.loads(decisions.encode_candidates(decision))
    problem = NoCandidate(
        _sentence(job, decided, policy),
        rule=rule,
        decision_id=str(decided.decision_id),
        **jobs.read_up(job),
        min_quality=snapshots.decimal_text(policy.min_quality),
        budget_cap_usd=None if policy.budget_cap is None else money.usd(policy.budget_cap),
        candidates=candidates,
    )
    facts: dict[str, Json] = {
        "router": targets.CANONICAL,
        "rule_fired": decision.rule_fired,
        "decision_id": str(decided.decision_id),
        "decision_hash": jobs.decision_hash(decided),
        "policy_version": decision.policy_version,
        "receipt_id": str(job.receipt_id),
        "candidates": len(decision.candidates),
    }
    now = gateway.now()
    receipt = bill.written(gateway, endings.unsent(job, reason=rule, attempts=(), now=now))
    refusal = Refusal(
        payer=call.payer,
        outcome=outcomes.outcome_row(job, decided),
        event=bill.event_before_dispatch(
            gateway, call, EventType.INFERENCE_REJECTED_FLOOR, now, facts
        ),
        receipt=receipt.row,
        events=(receipt.created,),
    )
    await record.refuse(gateway, refusal, problem)
    return problem


def _sentence(job: Job, decided: Decided, policy: Policy) -> str:
    count = len(decided.decision.candidates)
    if count == 0:
        return (
            "No model can be asked: no provider with a key here serves such a request."
            " Set a provider's key, or start the server with its local model."
        )
    floor = snapshots.decimal_text(policy.min_quality)
    weighed = "1 candidate was" if count == 1 else f"{count} candidates were"
    return (
        f"No model clears the quality floor of {floor}{_within(job, policy)}: {weighed} weighed."
        f" GET /v1/inferences/{decided.decision_id}/decision says why each was dropped."
    )


def _within(job: Job, policy: Policy) -> str:
    """Which budget a decision had to keep, and whose it was."""
    if policy.budget_cap is None:
        return ""
    is_the_agents = policy.budget_cap == job.gathered.call.payer.per_call_cap
    whose = ", the agent's cap for one call" if is_the_agents else ""
    return f" for at most {money.usd(policy.budget_cap)} USD{whose}"
