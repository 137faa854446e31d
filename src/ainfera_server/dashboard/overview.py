"""The first page: is there money left, who spends it, what fails, and is the record whole."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from ainfera_server import money
from ainfera_server.accounts import absent
from ainfera_server.accounts import store as accounts_store
from ainfera_server.accounts.callers import Principal
from ainfera_server.accounts.store import Agent
from ainfera_server.audit import chain
from ainfera_server.audit import store as audit_store
from ainfera_server.conversation import Json
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Connection
from ainfera_server.usage import calls
from ainfera_server.usage.calls import Lately, SpentToday
from ainfera_server.usage.reports import ModelUse
from ainfera_server.wallet import policy, policy_store, purse
from ainfera_server.wallet import store as wallet_store
from ainfera_server.wallet.ledger import Account
from ainfera_server.wallet.policy import TenantPolicy

HOURS = 24
MODELS_SHOWN_MAX = 8
AGENTS_SHOWN_MAX = 50
LINKS_CHECKED_MAX = 100
"""Checking costs a signature each; the whole chain has a page of its own at the API."""

NOTHING_SPENT = SpentToday(posted=UsdMicros(0), pending=UsdMicros(0))


async def content(gateway: Gateway, caller: Principal) -> dict[str, Json]:
    """Everything on the page, in one transaction, so that its numbers belong together."""
    now = gateway.now()
    since = now - timedelta(hours=HOURS)
    tenant_id = caller.tenant_id
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        tenant = await accounts_store.tenant(connection, tenant_id)
        agents = await accounts_store.agents(connection, tenant_id)
        wallets = await wallet_store.wallets(connection, tenant_id)
        pool = await wallet_store.pool(connection, tenant_id)
        shared = await policy_store.tenant_policy(connection, tenant_id)
        spent = await calls.spent_on_day(connection, tenant_id, day=now.date())
        lately = await calls.lately(connection, tenant_id, since=since)
        models = await calls.top_models(connection, tenant_id, since=since, limit=MODELS_SHOWN_MAX)
        checked = await _chain(gateway, connection, caller.agent_id)
    if tenant is None or pool is None or shared is None:
        raise absent.tenant()
    return {
        "tenant": tenant.name,
        "money": _money(agents, wallets, spent),
        "pool": _pool(pool, shared),
        "lately": _lately(lately),
        "models": [_model(one) for one in models],
        "agents": [
            _agent(one, wallets[one.agent_id], spent.get(one.agent_id, NOTHING_SPENT))
            for one in agents[:AGENTS_SHOWN_MAX]
        ],
        "agents_count": len(agents),
        "chain": checked,
    }


def _money(
    agents: tuple[Agent, ...],
    wallets: Mapping[AgentId, Account],
    spent: Mapping[AgentId, SpentToday],
) -> Json:
    """All wallets together. The cap is that of the agents that have one."""
    caps = [one.spend_policy.daily_cap for one in agents if one.spend_policy.daily_cap is not None]
    return {
        "balance_usd": _sum(one.balance for one in wallets.values()),
        "held_usd": _sum(one.held for one in wallets.values()),
        "available_usd": _sum(one.available for one in wallets.values()),
        "spent_today_usd": _sum(one.posted for one in spent.values()),
        "held_today_usd": _sum(one.pending for one in spent.values()),
        "daily_cap_usd": _sum(caps) if caps else None,
        "agents_with_a_daily_cap": len(caps),
    }


def _pool(pool: Account, shared: TenantPolicy) -> Json:
    """What stands behind the wallets; agents of a strict tenant cannot reach it."""
    return {**purse.amounts(pool), **policy.tenant_facts(shared)}


def _lately(lately: Lately) -> Json:
    return {
        "hours": HOURS,
        "calls": lately.calls,
        "succeeded": lately.succeeded,
        "failed": lately.failed,
        "refused": lately.refused,
        "running": lately.running,
        "cost_usd": money.usd(lately.cost),
        "latency_ms_p50": lately.latency_ms_p50,
        "latency_ms_p95": lately.latency_ms_p95,
    }


def _model(one: ModelUse) -> Json:
    return {
        "model": one.model_slug,
        "provider": one.provider,
        "calls": one.calls,
        "cost_usd": money.usd(one.cost),
    }


def _agent(agent: Agent, wallet: Account, spent: SpentToday) -> Json:
    cap = agent.spend_policy.daily_cap
    return {
        "agent_id": str(agent.agent_id),
        "name": agent.name,
        "status": agent.status,
        "balance_usd": money.usd(wallet.balance),
        "held_usd": money.usd(wallet.held),
        "spent_today_usd": money.usd(spent.posted),
        "daily_cap_usd": None if cap is None else money.usd(cap),
    }


async def _chain(gateway: Gateway, connection: Connection, agent_id: AgentId) -> Json:
    """Check the newest part of the chain of the agent whose key it is."""
    recorded = await audit_store.head(connection, agent_id)
    if recorded is None:
        raise absent.agent()
    signer = gateway.signer
    pems = {
        **await audit_store.public_key_pems(connection),
        signer.key_id: signer.public_key_pem,
    }
    since_seq = max(recorded.seq - LINKS_CHECKED_MAX - 1, 0)
    links = await audit_store.links(
        connection, agent_id, since_seq=since_seq, until_seq=recorded.seq
    )
    after = chain.GENESIS
    if since_seq > 0 and links:
        after, links = links[0].head, links[1:]
    verdict = chain.verify(links, agent_id=agent_id, public_key_pems=pems, after=after)
    verdict = chain.verify_end(verdict, recorded)
    return {
        "agent_id": str(agent_id),
        "height": recorded.seq,
        "head_hash": recorded.event_hash,
        "checked": len(links),
        "valid": verdict.valid,
        "failure_seq": verdict.failure_seq,
        "failure_reason": verdict.failure_reason,
        "verify_url": f"/v1/audit/{agent_id}/verify",
    }


def _sum(amounts: Iterable[UsdMicros]) -> str:
    return money.usd(UsdMicros(sum(amounts)))
