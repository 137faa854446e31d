"""What happened, counted, for the owner: days, budgets, coverage, and all agents at once."""

from collections import Counter
from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from ainfera_server.accounts import absent
from ainfera_server.accounts import store as accounts_store
from ainfera_server.accounts.callers import Principal
from ainfera_server.accounts.store import Tenant
from ainfera_server.api import agent_views, answers
from ainfera_server.api.answers import Shown
from ainfera_server.api.given import Caller, Opened
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Connection
from ainfera_server.usage import reports
from ainfera_server.usage.reports import Day
from ainfera_server.wallet import purse
from ainfera_server.wallet import store as wallet_store

DAYS = 30


async def daily(
    gateway: Opened,
    caller: Caller,
    days: Annotated[int, Query(ge=1, le=reports.DAYS_MAX)] = DAYS,
) -> Response:
    """Count your calls by UTC day; days without calls are left out."""
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        found = await reports.daily(connection, caller.tenant_id, now=gateway.now(), days=days)
    return answers.json(
        {
            "days": [_day(one) for one in found],
            "totals": {
                "calls": sum(one.calls for one in found),
                "cost_usd": answers.usd(sum(one.cost for one in found)),
            },
        }
    )


async def caps_rollup(gateway: Opened, caller: Caller) -> Response:
    """Sum up what your agents may spend a day, what they spent, and what went wrong."""
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        rollup = await reports.caps_rollup(connection, caller.tenant_id, now=gateway.now())
    return answers.json(
        {
            "agents": rollup.agents,
            "policies_set": rollup.policies_set,
            "budget": {
                "set": answers.usd(rollup.budget),
                "used_usd": answers.usd(rollup.spent_today),
            },
            "latency_p50_ms": rollup.latency_ms_p50,
            "breaches": {
                "quality": rollup.quality_breaches,
                "reliability": rollup.reliability_breaches,
            },
        }
    )


async def cell_coverage(gateway: Opened, caller: Caller, handle: str) -> Response:
    """Count the kinds of work and models that your calls met."""
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        await _own(connection, caller, handle)
        coverage = await reports.coverage(connection, caller.tenant_id)
    return answers.json(
        {
            "handle": handle,
            "total_cells": coverage.total_cells,
            "tier1_cells": coverage.tier_1_cells,
            "tier2_cells": coverage.tier_2_cells,
            "cells": [
                {"cell": one.name, "tier": one.tier, "count": one.calls} for one in coverage.cells
            ],
        }
    )


async def owner_wallets(gateway: Opened, caller: Caller, handle: str) -> Response:
    """See all your wallets and their sum. Credit here does not expire."""
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        await _own(connection, caller, handle)
        found = await wallet_store.wallets(connection, caller.tenant_id)
    shown: list[Shown] = [
        {"agent_id": str(agent_id), **purse.amounts(wallet), "credit_expires_at": None}
        for agent_id, wallet in found.items()
    ]
    total = sum(wallet.balance for wallet in found.values())
    return answers.json(
        {"handle": handle, "total_balance_usd": answers.usd(total), "wallets": shown}
    )


async def owner_agents(gateway: Opened, caller: Caller, handle: str) -> Response:
    """List your agents by your handle, newest first."""
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        await _own(connection, caller, handle)
        agents = await accounts_store.agents(connection, caller.tenant_id)
    return answers.json(
        {"handle": handle, "agents": [agent_views.agent(agent) for agent in agents]}
    )


async def owner_dashboard(gateway: Opened, caller: Caller, handle: str) -> Response:
    """See your agents with their wallets, newest first."""
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        await _own(connection, caller, handle)
        agents = await accounts_store.agents(connection, caller.tenant_id)
        found = await wallet_store.wallets(connection, caller.tenant_id)
    shown: list[Shown] = [
        {
            "agent_id": str(agent.agent_id),
            "name": agent.name,
            "handle": agent.handle,
            "status": agent.status,
            "canonical_uri": agent.canonical_uri,
            "created_at": answers.moment(agent.created_at),
            **purse.amounts(found[agent.agent_id]),
        }
        for agent in agents
    ]
    statuses = Counter(str(agent.status) for agent in agents)
    return answers.json({"handle": handle, "agents": shown, "by_status": statuses})


async def whoami(gateway: Opened, caller: Caller) -> Response:
    """Learn your own handle; `github_handle` is null unless you came with one."""
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        tenant = await _tenant(connection, caller)
    is_github = tenant.owner_source == "github_user"
    return answers.json(
        {
            "handle": tenant.owner_handle,
            "github_handle": tenant.owner_handle if is_github else None,
            "tenant_id": str(tenant.tenant_id),
        }
    )


async def payments_status() -> Response:
    """Learn that no payment rail is live: a top-up is plain credit."""
    return answers.json({"live": False, "payments_live": False, "rails": []})


async def _own(connection: Connection, caller: Principal, handle: str) -> None:
    """Another's handle is as unknown as one that nobody has. Raises NotFound."""
    if (await _tenant(connection, caller)).owner_handle != handle:
        raise absent.owner()


async def _tenant(connection: Connection, caller: Principal) -> Tenant:
    tenant = await accounts_store.tenant(connection, caller.tenant_id)
    if tenant is None:
        raise absent.owner()
    return tenant


def _day(one: Day) -> dict[str, Shown]:
    return {
        "date": one.day.isoformat(),
        "calls": one.calls,
        "cost_usd": answers.usd(one.cost),
        "by_status": {"ok": one.ok, "fallback": one.fallback, "error": one.error},
    }
