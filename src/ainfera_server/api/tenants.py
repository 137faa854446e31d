"""Tenants: opening one, looking at one's own, and what all of its agents may spend together."""

from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from ainfera_server.accounts import absent
from ainfera_server.accounts import actions as accounts_actions
from ainfera_server.accounts import store as accounts_store
from ainfera_server.api import agent_views, answers, given, ids
from ainfera_server.api.amounts import Amount
from ainfera_server.api.answers import Shown
from ainfera_server.api.given import Caller, Opened
from ainfera_server.identifiers import TenantId
from ainfera_server.postgres import tenancy
from ainfera_server.wallet import policy, policy_actions, policy_changes, policy_store
from ainfera_server.wallet.policy import TenantPolicy


class TenantCreate(BaseModel):
    """A new tenant."""

    name: str = Field(description="What the tenant is called.")


class TenantPolicyChange(BaseModel):
    """What to change of a tenant's spend policy; null takes a limit away."""

    # Unknown names are ignored, and read so that a change of nothing else can be refused.
    model_config = ConfigDict(extra="allow")

    daily_cap_usd: Amount | None = Field(None, description="0.01 to 1000000 US dollars.")
    monthly_cap_usd: Amount | None = Field(None, description="0.01 to 30000000 US dollars.")
    wallet_strict_per_agent: StrictBool | None = Field(
        None, description="Whether each agent spends from its own wallet alone."
    )


async def register_tenant(gateway: Opened, body: TenantCreate) -> Response:
    """Open a tenant with its first agent; the key is shown once."""
    tenant_id = given.new_tenant_id(gateway)
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        opened = await accounts_actions.register_tenant(
            connection, given.minting(gateway), tenant_id=tenant_id, name=body.name
        )
    return answers.json(
        {
            "tenant_id": str(tenant_id),
            "name": opened.tenant.name,
            "agent_id": str(opened.agent.agent_id),
            "api_key": opened.api_key,
        },
        status=201,
    )


async def get_tenant(gateway: Opened, caller: Caller, tenant_id: str) -> Response:
    """Look at your own tenant."""
    _require_own(caller.tenant_id, tenant_id)
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        tenant = await accounts_store.tenant(connection, caller.tenant_id)
    if tenant is None:
        raise absent.tenant()
    return answers.json(agent_views.tenant(tenant))


async def get_spend_policy(gateway: Opened, caller: Caller, tenant_id: str) -> Response:
    """See what all your agents together may spend."""
    _require_own(caller.tenant_id, tenant_id)
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        allowed = await policy_store.tenant_policy(connection, caller.tenant_id)
    if allowed is None:
        raise absent.tenant()
    return answers.json(_spend_policy(caller.tenant_id, allowed))


async def change_spend_policy(
    gateway: Opened, caller: Caller, tenant_id: str, body: TenantPolicyChange
) -> Response:
    """Change what all your agents together may spend, from now on."""
    _require_own(caller.tenant_id, tenant_id)
    asked = body.model_dump(exclude_unset=True)
    policy_changes.require_known_name(asked, TenantPolicyChange.model_fields)
    change = policy_changes.parse_tenant(asked)
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        allowed = await policy_actions.update_tenant_policy(
            connection, given.recorder(gateway), tenant_id=caller.tenant_id, change=change
        )
    return answers.json(_spend_policy(caller.tenant_id, allowed))


def _spend_policy(tenant_id: TenantId, allowed: TenantPolicy) -> dict[str, Shown]:
    return {"tenant_id": str(tenant_id), "spend_policy": policy.tenant_facts(allowed)}


def _require_own(own: TenantId, named: str) -> None:
    if ids.parsed(named, absent.tenant) != own:
        raise absent.tenant()
