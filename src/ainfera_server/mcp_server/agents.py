"""Tools about agents: who one is, and what it may spend."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from ainfera_server.accounts import absent
from ainfera_server.accounts import store as accounts_store
from ainfera_server.audit import events
from ainfera_server.mcp_server.asking import Asking
from ainfera_server.mcp_server.tool import Arguments, Result
from ainfera_server.postgres import tenancy
from ainfera_server.wallet import policy

AGENT_ID = Field(default=None, description="An agent of yours; the key's own when left out.")


class OfAgent(Arguments):
    """Which agent is meant."""

    agent_id: Annotated[UUID | None, AGENT_ID] = None


class SpendPolicy(Result):
    """What the owner allows; null where nothing was decided."""

    per_call_cap_usd: str | None
    daily_cap_usd: str | None
    monthly_cap_usd: str | None
    session_cap_usd: str | None
    subagent_cap_usd: str | None
    min_quality: str | None
    allowed_models: list[str] | None
    allowed_providers: list[str] | None
    may_exceed_hold: bool


class AgentFound(Result):
    """An agent as its owner sees it."""

    agent_id: str
    tenant_id: str
    name: str
    handle: str
    status: str
    canonical_uri: str
    did_web: str
    spend_policy: SpendPolicy
    drain_proof_status: str
    public_key_pem: str
    public_key_alg: str
    created_at: str


async def get_agent(ask: Asking, asked: OfAgent) -> AgentFound:
    """Look at an agent. Raises NotFound."""
    async with tenancy.tenant_transaction(
        ask.gateway.pools.app, ask.caller.tenant_id
    ) as connection:
        agent = await accounts_store.agent(connection, ask.agent(asked.agent_id))
    if agent is None:
        raise absent.agent()
    return AgentFound(
        agent_id=str(agent.agent_id),
        tenant_id=str(agent.tenant_id),
        name=agent.name,
        handle=agent.handle,
        status=agent.status,
        canonical_uri=agent.canonical_uri,
        did_web=agent.did_web,
        spend_policy=SpendPolicy.model_validate(policy.facts(agent.spend_policy)),
        drain_proof_status=policy.drain_proof_status(agent.spend_policy),
        public_key_pem=agent.public_key_pem,
        public_key_alg=agent.card_alg,
        created_at=events.timestamp(agent.created_at),
    )
