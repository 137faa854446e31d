"""Tenants: opening one, and looking at one's own."""

from fastapi.responses import Response
from pydantic import BaseModel, Field

from ainfera_server.accounts import absent
from ainfera_server.accounts import actions as accounts_actions
from ainfera_server.accounts import store as accounts_store
from ainfera_server.api import agent_views, answers, given, ids
from ainfera_server.api.given import Caller, Opened
from ainfera_server.postgres import tenancy


class TenantCreate(BaseModel):
    """A new tenant."""

    name: str = Field(description="What the tenant is called.")


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
    if ids.parsed(tenant_id, absent.tenant) != caller.tenant_id:
        raise absent.tenant()
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        tenant = await accounts_store.tenant(connection, caller.tenant_id)
    if tenant is None:
        raise absent.tenant()
    return answers.json(agent_views.tenant(tenant))
