"""Agents that spend: signed up with a key and money of their own, through the product's actions."""

from dataclasses import dataclass, replace

from ainfera_server.accounts import actions
from ainfera_server.accounts import store as accounts_store
from ainfera_server.accounts.signup import Signup
from ainfera_server.accounts.store import Payer
from ainfera_server.cli import database
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId, Cell, TenantId
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import tenancy
from ainfera_server.wallet import actions as wallet_actions
from ainfera_server.wallet import policy_actions
from ainfera_server.wallet.policy import SpendPolicy
from ainfera_server.wallet.policy_changes import PolicyChange, TenantPolicyChange

CELL = Cell(7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spender:
    """An agent of a tenant of its own."""

    payer: Payer
    api_key: str


async def signed_up(
    gateway: Gateway, *, money: int, spend_policy: SpendPolicy | None = None
) -> Spender:
    """A newcomer with so many micro-dollars in the wallet."""
    minting = replace(database.minting(gateway), signup_grant=UsdMicros(money))
    tenant_id = TenantId(gateway.new_id(CELL))
    asked = Signup(agent_handle=f"spender-{tenant_id.hex[-12:]}")
    if spend_policy is not None:
        asked = replace(asked, spend_policy=spend_policy)
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        new = await actions.signup(connection, minting, asked, tenant_id=tenant_id)
        payer = await accounts_store.payer(connection, new.agent.agent_id)
    assert payer is not None, "who signed up can pay"
    return Spender(payer=payer, api_key=new.api_key)


async def beside(gateway: Gateway, first: Spender, *, money: int) -> Spender:
    """Another agent of the same tenant, with so many micro-dollars in a wallet of its own."""
    minting = database.minting(gateway)
    tenant_id = first.payer.tenant_id
    name = f"spender {gateway.random(6).hex()}"
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        agent = await actions.register(connection, minting, tenant_id=tenant_id, name=name)
        created = await actions.create_key(
            connection, minting, agent_id=agent.agent_id, name="spends"
        )
        payer = await accounts_store.payer(connection, agent.agent_id)
    assert payer is not None, "who was registered can pay"
    await top_up(gateway, tenant_id, place=agent.agent_id, money=money)
    return Spender(payer=payer, api_key=created.presented)


async def top_up(
    gateway: Gateway, tenant_id: TenantId, *, place: AgentId | None, money: int
) -> None:
    """Put money into a wallet, or into the tenant's pool."""
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        await wallet_actions.top_up(
            connection,
            database.recorder(gateway),
            tenant_id=tenant_id,
            place=place,
            amount=UsdMicros(money),
        )


async def allow(gateway: Gateway, spender: Spender, *, daily_cap: int) -> None:
    """Set what one agent may spend on a day."""
    tenant_id = spender.payer.tenant_id
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        await policy_actions.update_spend_policy(
            connection,
            database.recorder(gateway),
            tenant_id=tenant_id,
            agent_id=spender.payer.agent_id,
            change=PolicyChange(daily_cap=UsdMicros(daily_cap)),
        )


async def allow_all(gateway: Gateway, tenant_id: TenantId, *, daily_cap: int) -> None:
    """Set what all agents of a tenant may spend together on a day."""
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        await policy_actions.update_tenant_policy(
            connection,
            database.recorder(gateway),
            tenant_id=tenant_id,
            change=TenantPolicyChange(daily_cap=UsdMicros(daily_cap)),
        )
