"""Recording how an answer turned out, with its event in the same commit."""

from decimal import Decimal

from ainfera_server import identifiers
from ainfera_server.accounts import absent
from ainfera_server.audit import store as audit_store
from ainfera_server.audit.events import EventType
from ainfera_server.audit.recorder import Recorder
from ainfera_server.errors import Invalid
from ainfera_server.identifiers import InferenceId, TenantId
from ainfera_server.outcomes import store
from ainfera_server.outcomes.store import Outcome, Source
from ainfera_server.postgres.pool import Connection

NOTE_CHARACTERS_MAX = 1000


async def record(
    connection: Connection,
    recorder: Recorder,
    *,
    tenant_id: TenantId,
    inference_id: InferenceId,
    reward: Decimal,
    source: Source,
    note: str | None,
) -> Outcome:
    """Say how an answer turned out; saying the same again changes nothing.

    Raises NotFound, and Invalid for a call without an answer or when this source said otherwise.
    """
    _require_note(note)
    inference = await store.answered_inference(connection, inference_id)
    if inference is None:
        raise absent.inference()
    if inference.status != "succeeded":
        raise Invalid("This inference has no answer to judge.", param="inference_id")
    agent_id = inference.agent_id
    await audit_store.lock_heads(connection, [agent_id])
    said = await store.outcome(connection, inference_id, source)
    if said is not None:
        return _the_same(said, reward)
    outcome = Outcome(
        outcome_id=recorder.new_id(identifiers.cell_of(inference_id)),
        agent_id=agent_id,
        inference_id=inference_id,
        reward=reward,
        source=source,
        note=note,
        created_at=recorder.now,
    )
    await store.write_outcome(connection, tenant_id, outcome)
    recorded = recorder.event(
        EventType.OUTCOME_RECORDED,
        {
            "outcome_id": str(outcome.outcome_id),
            "inference_id": str(inference_id),
            "reward": str(reward),
            "source": source,
        },
        tenant_id=tenant_id,
        agent_id=agent_id,
    )
    await audit_store.append(connection, [recorded], recorder.signer)
    return outcome


def _the_same(said: Outcome, reward: Decimal) -> Outcome:
    if said.reward != reward:
        raise Invalid(
            f"{said.source!r} has already said {said.reward.normalize():f} about this answer, "
            "and an outcome is not changed.",
            param="reward",
        )
    return said


def _require_note(note: str | None) -> None:
    if note is not None and (len(note) > NOTE_CHARACTERS_MAX or "\0" in note):
        raise Invalid(
            f"note must be text of at most {NOTE_CHARACTERS_MAX} characters.", param="note"
        )
