"""Agents: signing up, adding more, looking at them, and what they may spend."""

from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictBool, StrictStr

from ainfera_server.accounts import absent, signup
from ainfera_server.accounts import actions as accounts_actions
from ainfera_server.accounts import store as accounts_store
from ainfera_server.accounts.actions import SignedUp
from ainfera_server.api import agent_views, answers, given, ids
from ainfera_server.api.amounts import Amount
from ainfera_server.api.answers import Shown
from ainfera_server.api.given import Caller, Opened
from ainfera_server.identifiers import AgentId
from ainfera_server.postgres import tenancy
from ainfera_server.usage import reports
from ainfera_server.wallet import policy, policy_actions, policy_changes

FREE_INFERENCES = 100
"""What the product's pages promise a newcomer. Nothing counts it down: money alone decides."""
METRICS_WINDOW_HOURS = 24


class SpendPolicyChange(BaseModel):
    """What to change of a spend policy; null takes a limit away."""

    # Unknown names are ignored, and read so that a change of nothing else can be refused.
    model_config = ConfigDict(extra="allow")

    per_call_cap_usd: Amount | None = Field(None, description="0.001 to 100 US dollars.")
    daily_cap_usd: Amount | None = Field(None, description="0.01 to 10000 US dollars.")
    monthly_cap_usd: Amount | None = Field(None, description="0.01 to 300000 US dollars.")
    session_cap_usd: Amount | None = Field(
        None, description="0.001 to 10000 US dollars, for each session that callers name."
    )
    subagent_cap_usd: Amount | None = Field(
        None, description="0.001 to 10000 US dollars, for each agent below in a session."
    )
    min_quality: Amount | None = Field(
        None, description="A quality floor, 0 to 1, that no request goes below."
    )
    allowed_models: list[StrictStr] | None = Field(
        None, description="1 to 200 slugs of GET /v1/models, of offers or of whole models."
    )
    allowed_providers: list[StrictStr] | None = Field(
        None, description="1 to 200 slugs of GET /v1/providers."
    )
    may_exceed_hold: StrictBool | None = Field(
        None,
        description="Whether an answer that costs more than was held is paid for in full, if wallet"
        " and caps allow the whole difference; if they do not, the hold is paid.",
    )


class Signup(SpendPolicyChange):
    """A newcomer."""

    model_config = ConfigDict(extra="ignore")

    agent_handle: str | None = Field(None, description="3 to 40 of a-z, 0-9 and '-'. Required.")
    name: str | None = Field(None, description="Read when agent_handle is missing.")
    owner_handle: str | None = Field(None, description="3 to 40 of a-z, 0-9 and '-'.")
    owner_source: str | None = Field(None, description="anonymous or github_user.")
    owner_contact: str | None = None
    wallet_address: str | None = Field(None, description="0x and 40 hex digits.")
    metadata: dict[str, JsonValue] | None = None


class AgentCreate(BaseModel):
    """Another agent of a tenant."""

    tenant_id: str
    name: str


async def sign_up(gateway: Opened, body: Signup) -> Response:
    """Open a tenant, an agent, its card, a wallet with a grant, and a key that is shown once."""
    known = policy_changes.known_names(gateway.catalog)
    asked = signup.parse(body.model_dump(exclude_unset=True), known)
    tenant_id = given.new_tenant_id(gateway)
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        signed_up = await accounts_actions.signup(
            connection, given.minting(gateway), asked, tenant_id=tenant_id
        )
    return answers.json(_signed_up(signed_up), status=201)


async def register_agent(gateway: Opened, caller: Caller, body: AgentCreate) -> Response:
    """Add an agent, with an empty wallet, to your tenant."""
    if ids.parsed(body.tenant_id, absent.tenant) != caller.tenant_id:
        raise absent.tenant()
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        agent = await accounts_actions.register(
            connection, given.minting(gateway), tenant_id=caller.tenant_id, name=body.name
        )
    return answers.json(agent_views.agent(agent), status=201)


async def list_agents(gateway: Opened, caller: Caller) -> Response:
    """List your agents, newest first."""
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        agents = await accounts_store.agents(connection, caller.tenant_id)
    return answers.json({"agents": [agent_views.agent(agent) for agent in agents]})


async def get_agent(gateway: Opened, caller: Caller, agent_id: str) -> Response:
    """Look at an agent."""
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        agent = await accounts_store.agent(connection, wanted)
    if agent is None:
        raise absent.agent()
    return answers.json(agent_views.agent(agent))


async def change_spend_policy(
    gateway: Opened, caller: Caller, agent_id: str, body: SpendPolicyChange
) -> Response:
    """Change what an agent may spend, from now on."""
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    known = policy_changes.known_names(gateway.catalog)
    asked = body.model_dump(exclude_unset=True)
    policy_changes.require_known_name(asked, SpendPolicyChange.model_fields)
    change = policy_changes.parse(asked, known)
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        allowed = await policy_actions.update_spend_policy(
            connection,
            given.recorder(gateway),
            tenant_id=caller.tenant_id,
            agent_id=wanted,
            change=change,
        )
    gateway.callers.forget_agent(wanted)
    return answers.json(
        {
            "agent_id": str(wanted),
            "spend_policy": policy.facts(allowed),
            "drain_proof_status": policy.drain_proof_status(allowed),
        }
    )


async def agent_metrics(gateway: Opened, caller: Caller, agent_id: str) -> Response:
    """Count an agent's last 24 hours."""
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        if await accounts_store.agent(connection, wanted) is None:
            raise absent.agent()
        metrics = await reports.agent_metrics(connection, wanted, now=gateway.now())
    top_models: list[Shown] = [
        {
            "slug": one.model_slug,
            "provider": one.provider,
            "calls": one.calls,
            "cost_usd": answers.usd(one.cost),
        }
        for one in metrics.top_models
    ]
    return answers.json(
        {
            "agent_id": str(wanted),
            "window_hours": METRICS_WINDOW_HOURS,
            "calls": metrics.calls,
            "cost_usd": answers.usd(metrics.cost),
            "latency_p50_ms": metrics.latency_ms_p50,
            "top_models": top_models,
        }
    )


def _signed_up(one: SignedUp) -> dict[str, Shown]:
    return {
        "agent_id": str(one.agent.agent_id),
        "tenant_id": str(one.tenant.tenant_id),
        "agent_handle": one.agent.handle,
        "owner_handle": one.tenant.owner_handle,
        "canonical_uri": one.agent.canonical_uri,
        "did_web": one.agent.did_web,
        "api_key": one.api_key,
        "agent_card_jws": one.card.jws,
        "free_tier_inferences_remaining": FREE_INFERENCES,
        "created_at": answers.moment(one.agent.created_at),
    }
