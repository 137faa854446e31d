"""Tools about evidence: the audit chain, the decision behind a call, and its signed receipt."""

from typing import Annotated
from uuid import UUID

import orjson
from pydantic import Field, JsonValue

from ainfera_server import money
from ainfera_server.accounts import absent
from ainfera_server.audit import events, receipts
from ainfera_server.audit import store as audit_store
from ainfera_server.audit.chain import Link
from ainfera_server.audit.receipts import SignedReceipt
from ainfera_server.mcp_server.agents import AGENT_ID, OfAgent
from ainfera_server.mcp_server.asking import Asking
from ainfera_server.mcp_server.tool import Arguments, Result
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Connection
from ainfera_server.usage import calls

PAGE_EVENTS = 50


class PageOfChain(Arguments):
    """Which part of a chain to read."""

    agent_id: Annotated[UUID | None, AGENT_ID] = None
    since_seq: int = Field(
        default=0,
        ge=0,
        le=audit_store.SEQ_MAX,
        description="The last event you have; reading begins behind it.",
    )
    limit: int = Field(default=PAGE_EVENTS, ge=1, le=audit_store.PAGE_LINKS_MAX)


class EventRead(Result):
    """One event of a chain, sealed by its hash together with every event before it."""

    seq: int
    event_id: str
    event_type: str
    payload: dict[str, JsonValue]
    previous_hash: str | None
    event_hash: str
    key_id: str
    signature: str
    created_at: str


class ChainRead(Result):
    """A page of a chain, oldest first; `next_since_seq` is null at the end."""

    agent_id: str
    height: int
    events: list[EventRead]
    next_since_seq: int | None


class ChainVerdict(Result):
    """What checking a whole chain found; the failure's fields are null for one that is whole."""

    agent_id: str
    valid: bool
    event_count: int
    failure_seq: int | None
    failure_reason: str | None


class OfInference(Arguments):
    """Which decision is meant."""

    inference_id: UUID = Field(description="An inference's id, or a decision's own id.")


class DecisionFound(Result):
    """Why a call went where it went: every candidate, its price, and why it was dropped."""

    decision_id: str
    inference_id: str | None
    agent_id: str
    task_type: str
    task_type_source: str
    decision_rule: str
    decision_type: str
    chosen_model_slug: str | None
    policy_version: str
    ruleset_hash: str
    q_prior_used: str | None
    m_allowed_set: list[str]
    candidates: list[dict[str, JsonValue]]
    seed: str | None
    cost_projected_usd: str | None
    cost_actual_usd: str | None
    observed_latency_ms: int | None
    outcome_status: str | None
    created_at: str


class OfReceipt(Arguments):
    """Which receipt is meant."""

    receipt_id: UUID


class ReceiptVerdict(Result):
    """What checking a receipt's signature found.

    `signed_text` is exactly what was signed and `public_key_pem` the key, null when it is not
    known here: with these two nobody needs to believe this answer.
    """

    receipt_id: str
    valid: bool
    reason: str | None
    signed_text: str
    sha256: str
    key_id: str
    signature: str
    public_key_pem: str | None


async def read_audit_chain(ask: Asking, asked: PageOfChain) -> ChainRead:
    """Read a page of a chain. Raises NotFound."""
    agent_id = ask.agent(asked.agent_id)
    async with tenancy.tenant_transaction(
        ask.gateway.pools.app, ask.caller.tenant_id
    ) as connection:
        head = await audit_store.head(connection, agent_id)
        if head is None:
            raise absent.agent()
        links = await audit_store.links(
            connection, agent_id, since_seq=asked.since_seq, limit=asked.limit
        )
    has_more = bool(links) and links[-1].seq < head.seq
    return ChainRead(
        agent_id=str(agent_id),
        height=head.seq,
        events=[_event(link) for link in links],
        next_since_seq=links[-1].seq if has_more else None,
    )


async def verify_audit_chain(ask: Asking, asked: OfAgent) -> ChainVerdict:
    """Check a whole chain; anybody's, because that needs no trust. Raises NotFound."""
    agent_id = ask.agent(asked.agent_id)
    async with tenancy.public_agent_transaction(ask.gateway.pools.app, agent_id) as connection:
        pems = await _public_key_pems(ask, connection)
        verdict = await audit_store.verify(connection, agent_id, pems)
    if verdict is None:
        raise absent.agent()
    return ChainVerdict(
        agent_id=str(agent_id),
        valid=verdict.valid,
        event_count=verdict.event_count,
        failure_seq=verdict.failure_seq,
        failure_reason=verdict.failure_reason,
    )


async def get_decision(ask: Asking, asked: OfInference) -> DecisionFound:
    """Read a decision. Raises NotFound, also for a pinned call, which has none."""
    async with tenancy.tenant_transaction(
        ask.gateway.pools.app, ask.caller.tenant_id
    ) as connection:
        decision = await calls.decision(connection, asked.inference_id)
    if decision is None:
        raise absent.decision()
    return DecisionFound(
        decision_id=str(decision.decision_id),
        inference_id=None if decision.inference_id is None else str(decision.inference_id),
        agent_id=str(decision.agent_id),
        task_type=decision.task_type,
        task_type_source=decision.task_type_source,
        decision_rule=decision.decision_rule,
        decision_type=decision.decision_type,
        chosen_model_slug=decision.chosen_model_slug,
        policy_version=decision.policy_version,
        ruleset_hash=decision.ruleset_hash,
        q_prior_used=decision.q_prior_used,
        m_allowed_set=orjson.loads(decision.m_allowed_set),
        candidates=orjson.loads(decision.candidates),
        seed=decision.seed,
        cost_projected_usd=_usd(decision.cost_projected),
        cost_actual_usd=_usd(decision.cost_actual),
        observed_latency_ms=decision.observed_latency_ms,
        outcome_status=decision.outcome_status,
        created_at=events.timestamp(decision.created_at),
    )


async def verify_receipt(ask: Asking, asked: OfReceipt) -> ReceiptVerdict:
    """Check the signature of a receipt of yours. Raises NotFound."""
    async with tenancy.tenant_transaction(
        ask.gateway.pools.app, ask.caller.tenant_id
    ) as connection:
        receipt = await calls.receipt(connection, asked.receipt_id)
        pems = await _public_key_pems(ask, connection)
    if receipt is None:
        raise absent.receipt()
    public_key_pem = pems.get(receipt.key_id)
    reason = _fault(receipt, public_key_pem)
    return ReceiptVerdict(
        receipt_id=str(receipt.receipt_id),
        valid=reason is None,
        reason=reason,
        signed_text=receipt.body,
        sha256=receipt.sha256,
        key_id=receipt.key_id,
        signature=receipt.signature,
        public_key_pem=public_key_pem,
    )


async def _public_key_pems(ask: Asking, connection: Connection) -> dict[str, str]:
    """Every key that ever signed, this server's own included."""
    signer = ask.gateway.signer
    return {
        **await audit_store.public_key_pems(connection),
        signer.key_id: signer.public_key_pem,
    }


def _fault(receipt: SignedReceipt, public_key_pem: str | None) -> str | None:
    """What is wrong with a receipt; None when it is genuine."""
    if public_key_pem is None:
        return "unknown_key"
    is_genuine = receipts.is_genuine(receipt, public_key_pem=public_key_pem)
    return None if is_genuine else "signature_mismatch"


def _event(link: Link) -> EventRead:
    return EventRead(
        seq=link.seq,
        event_id=str(link.event_id),
        event_type=link.event_type,
        payload=orjson.loads(link.payload),
        previous_hash=link.previous_hash,
        event_hash=link.event_hash,
        key_id=link.key_id,
        signature=link.signature,
        created_at=events.timestamp(link.created_at),
    )


def _usd(amount: UsdMicros | None) -> str | None:
    return None if amount is None else money.usd(amount)
