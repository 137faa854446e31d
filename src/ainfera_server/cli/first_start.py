"""What a migrated database needs before the server answers: catalog, public key, a demo agent."""

from dataclasses import dataclass, field
from decimal import Decimal

from ainfera_server.accounts import actions
from ainfera_server.accounts.signup import Signup
from ainfera_server.audit import store as audit_store
from ainfera_server.catalog import actions as catalog_actions
from ainfera_server.cli import database, found_agents
from ainfera_server.cli.options import DEMO_AGENT
from ainfera_server.errors import HandleTaken
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId, Cell, TenantId
from ainfera_server.postgres import pool as pools
from ainfera_server.postgres import tenancy
from ainfera_server.wallet.policy import SpendPolicy

KEY_PURPOSE = "events and receipts"
DEMO_FLOOR = Decimal(0)
"""Lets the local model answer, which no default floor would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The demo agent; its key is known only to the start that made it, and None later."""

    agent_id: AgentId
    api_key: str | None = field(repr=False)


async def prepare(gateway: Gateway) -> None:
    """Keep the catalog and the public key; a start that finds them changes nothing."""
    async with pools.transaction(gateway.pools.app) as connection:
        await catalog_actions.import_catalog(connection, gateway.catalog)
        await audit_store.keep_public_key(connection, gateway.signer, purpose=KEY_PURPOSE)


async def demo(gateway: Gateway) -> Demo:
    """Sign the demo agent up, or find the one of an earlier start."""
    found = await found_agents.find(gateway, DEMO_AGENT)
    if found is not None:
        return Demo(agent_id=found.agent_id, api_key=None)
    try:
        return await _signed_up(gateway)
    except HandleTaken:  # By another process that starts just now.
        return await demo(gateway)


async def _signed_up(gateway: Gateway) -> Demo:
    owner, _, handle = DEMO_AGENT.partition("/")
    asked = Signup(
        agent_handle=handle, owner_handle=owner, spend_policy=SpendPolicy(min_quality=DEMO_FLOOR)
    )
    tenant_id = TenantId(gateway.new_id(Cell(gateway.random(1)[0])))
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        made = await actions.signup(
            connection, database.minting(gateway), asked, tenant_id=tenant_id
        )
    return Demo(agent_id=made.agent.agent_id, api_key=made.api_key)
