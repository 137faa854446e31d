"""What an agent can pay with, and what its caps and its tenant's leave of that."""

from dataclasses import dataclass

from ainfera_server import money
from ainfera_server.audit import events
from ainfera_server.conversation import Json
from ainfera_server.identifiers import AgentId, TenantId
from ainfera_server.postgres.pool import Connection
from ainfera_server.wallet import policy_store, store
from ainfera_server.wallet.ledger import Account
from ainfera_server.wallet.store import Allowance


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """An agent's wallet and the pool behind it, which a strict tenant's agents cannot reach."""

    wallet: Account
    pool: Account
    wallet_strict_per_agent: bool
    allowances: tuple[Allowance, ...]


async def read(connection: Connection, tenant_id: TenantId, agent_id: AgentId) -> Purse | None:
    """See what an agent can pay with; None when the agent is not there."""
    wallet = await store.wallet(connection, agent_id)
    pool = await store.pool(connection, tenant_id)
    shared = await policy_store.tenant_policy(connection, tenant_id)
    if wallet is None or pool is None or shared is None:
        return None
    return Purse(
        wallet=wallet,
        pool=pool,
        wallet_strict_per_agent=shared.wallet_strict_per_agent,
        allowances=await store.allowances(connection, agent_id),
    )


def facts(purse: Purse) -> dict[str, Json]:
    """A purse as it is served; dollars as text."""
    return {
        **amounts(purse.wallet),
        "pool_available_usd": money.usd(purse.pool.available),
        "wallet_strict_per_agent": purse.wallet_strict_per_agent,
        "caps": {one.name: _allowance(one) for one in purse.allowances},
    }


def amounts(account: Account) -> dict[str, Json]:
    """What an account holds: all of it, what is set aside, and what may still be spent."""
    return {
        "balance_usd": money.usd(account.balance),
        "held_usd": money.usd(account.held),
        "available_usd": money.usd(account.available),
    }


def _allowance(one: Allowance) -> Json:
    return {
        "cap_usd": None if one.cap is None else money.usd(one.cap),
        "spent_usd": money.usd(one.posted),
        "held_usd": money.usd(one.pending),
        "remaining_usd": None if one.remaining is None else money.usd(one.remaining),
        "resets_at": events.timestamp(one.resets_at),
    }
