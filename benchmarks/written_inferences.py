"""Inferences that are only written: a hold and a settlement each, as a call's, and nobody asked.

All that a call computes before and between its two writes is done once for each agent and left out
of what is measured; the values for the journal, with their signatures, are made anew each time.
"""

from dataclasses import dataclass, replace

import orjson

from ainfera_server import identifiers
from ainfera_server.accounts import actions
from ainfera_server.accounts import store as accounts_store
from ainfera_server.accounts.signup import Signup
from ainfera_server.audit import receipts
from ainfera_server.audit.receipts import Attempt
from ainfera_server.cli import database
from ainfera_server.conversation import Usage
from ainfera_server.dialects.openai_chat import server as openai_chat
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId, Cell, DecisionId, InferenceId, ReceiptId, TenantId
from ainfera_server.inference import ask, bill, gather, holds, record
from ainfera_server.inference.ask import Question
from ainfera_server.inference.bill import Delivered
from ainfera_server.inference.call import Call
from ainfera_server.inference.gather import Routed
from ainfera_server.inference.job import Decided, Job
from ainfera_server.inference.metering import Metered
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import tenancy
from ainfera_server.routing import decide, snapshot, task_type
from ainfera_server.wallet import actions as wallet_actions

AGENTS_OF_A_TENANT = 10
WALLET = UsdMicros(100_000_000_000)
"""More than any run can spend."""

BODY = orjson.dumps(
    {
        "model": "ainfera-inference",
        "messages": [{"role": "user", "content": "Say hello."}],
        "max_tokens": 64,
    }
)
USAGE = Usage(input_tokens=11, output_tokens=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routine:
    """What every inference of an agent has in common."""

    job: Job
    asked: Question


async def routines(gateway: Gateway, *, agents: int) -> tuple[Routine, ...]:
    """Sign up so many agents, some to each tenant, each with a wallet that never runs dry."""
    made: list[Routine] = []
    while len(made) < agents:
        tenant_id = TenantId(gateway.new_id(Cell(gateway.random(1)[0])))
        for _ in range(min(AGENTS_OF_A_TENANT, agents - len(made))):
            made.append(await _routine(gateway, tenant_id, is_first=not made or _ends(made)))
    return tuple(made)


def _ends(made: list[Routine]) -> bool:
    """Whether the agents so far fill their tenants."""
    return len(made) % AGENTS_OF_A_TENANT == 0


async def _routine(gateway: Gateway, tenant_id: TenantId, *, is_first: bool) -> Routine:
    minting = replace(database.minting(gateway), signup_grant=UsdMicros(0))
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        if is_first:
            asked = Signup(agent_handle=f"agent-{gateway.random(6).hex()}")
            new = await actions.signup(connection, minting, asked, tenant_id=tenant_id)
            agent_id = new.agent.agent_id
        else:
            name = f"agent {gateway.random(6).hex()}"
            agent = await actions.register(connection, minting, tenant_id=tenant_id, name=name)
            agent_id = agent.agent_id
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        await wallet_actions.top_up(
            connection, minting.recorder, tenant_id=tenant_id, place=agent_id, amount=WALLET
        )
    return await _prepared(gateway, tenant_id, agent_id)


async def _prepared(gateway: Gateway, tenant_id: TenantId, agent_id: AgentId) -> Routine:
    """Gather and decide for an agent's call, once."""
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        payer = await accounts_store.payer(connection, agent_id)
    assert payer is not None, "who was signed up can pay"
    call = Call(
        payer=payer,
        request=openai_chat.decode_request(BODY),
        speaks=openai_chat,
        task_type=task_type.resolved_or_default(None),
        request_id="req_benchmark",
        audit_url="http://127.0.0.1/audit",
        created_at=gateway.now(),
        received_at_s=gateway.monotonic(),
    )
    gathered = gather.gather(gateway, call)
    assert isinstance(gathered.wanted, Routed), "the target leaves the choice to us"
    decision = decide.decide(gathered.wanted.snapshot)
    cell = identifiers.cell_of(agent_id)
    job = Job(
        gathered=gathered,
        offers=tuple(gathered.wanted.offers[one.model_id] for one in decision.order),
        decided=Decided(
            decision_id=DecisionId(gateway.new_id(cell)),
            decision=decision,
            snapshot=snapshot.encode(gathered.wanted.snapshot),
        ),
        inference_id=InferenceId(gateway.new_id(cell)),
        receipt_id=ReceiptId(gateway.new_id(cell)),
        salt=gateway.random(16),
        ends_at_s=call.received_at_s + gateway.settings.inference_timeout_s,
        price_book_version=gateway.catalog.version,
    )
    asked = ask.question(
        gateway, call.request, job.offers[0], max_tokens=64, ends_at_s=job.ends_at_s
    )
    return Routine(job=job, asked=asked)


async def write(gateway: Gateway, routine: Routine) -> None:
    """Hold and settle one inference, durably."""
    job = _fresh(gateway, routine.job)
    offer = job.offers[0]
    held = await holds.held(gateway, job, routine.asked, offer, None, ())
    attempt = Attempt(
        offer=offer.slug,
        provider=offer.provider,
        result="answered",
        upstream_status=200,
        latency_ms=1,
    )
    delivered = Delivered(
        metered=Metered(usage=USAGE, source="provider"),
        response_hash=receipts.content_hash(job.salt, BODY),
        content=None,
        finish_reason="stop",
        finish_reason_native="stop",
        failure=None,
        attempts=(attempt,),
    )
    await record.settle(gateway, bill.posted(gateway, job, held, delivered, None))


def _fresh(gateway: Gateway, job: Job) -> Job:
    cell = identifiers.cell_of(job.gathered.call.payer.agent_id)
    assert job.decided is not None, "the call was routed"
    return replace(
        job,
        decided=replace(job.decided, decision_id=DecisionId(gateway.new_id(cell))),
        inference_id=InferenceId(gateway.new_id(cell)),
        receipt_id=ReceiptId(gateway.new_id(cell)),
        salt=gateway.random(16),
    )
