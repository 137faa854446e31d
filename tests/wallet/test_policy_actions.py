"""Policies on a real database: audited, one tenant's own, and enforced in windows that are open."""

from dataclasses import dataclass
from decimal import Decimal

import asyncpg
import orjson
import pytest

from ainfera_server.accounts.actions import SignedUp
from ainfera_server.accounts.signup import Signup
from ainfera_server.audit import store as audit_store
from ainfera_server.conversation import Json
from ainfera_server.errors import NotFound
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import pool as pools_module
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Pools
from ainfera_server.wallet import policy, policy_actions, policy_changes, policy_store
from ainfera_server.wallet.policy import SpendPolicy, TenantPolicy
from ainfera_server.wallet.policy_changes import PolicyChange, TenantPolicyChange
from tests.accounts import newcomer
from tests.promises import proves

CAP, POSTED, PENDING = 10_000_000, 5_000_000, 4_000_000
OPEN_WINDOW = """
    insert into spending (
        cell, tenant_id, scope, scope_key, agent_id, period, starts, cap, posted, pending
    )
    values (
        7, $1, $2, $3, $4, $5,
        case $5 when 'whole' then date '0001-01-01'
            else (date_trunc($5, now() at time zone 'UTC') + $6 * ('1 ' || $5)::interval)::date end,
        10000000, 5000000, 4000000
    )
"""
CAPS = "select scope || ' ' || period as name, starts, cap from spending order by name, starts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A policy after a change, and the caps that the database enforces by now."""

    allowed: SpendPolicy | TenantPolicy
    caps: dict[str, list[int | None]]


async def change_policy(pools: Pools, new: SignedUp, change: PolicyChange) -> Changed:
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        allowed = await policy_actions.update_spend_policy(
            connection,
            newcomer.recorder(),
            tenant_id=new.tenant.tenant_id,
            agent_id=new.agent.agent_id,
            change=change,
        )
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        assert await policy_store.spend_policy(connection, new.agent.agent_id) == allowed
    return Changed(allowed=allowed, caps=await caps_enforced(pools))


async def change_tenant_policy(pools: Pools, new: SignedUp, change: TenantPolicyChange) -> Changed:
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        allowed = await policy_actions.update_tenant_policy(
            connection, newcomer.recorder(), tenant_id=new.tenant.tenant_id, change=change
        )
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        assert await policy_store.tenant_policy(connection, new.tenant.tenant_id) == allowed
    return Changed(allowed=allowed, caps=await caps_enforced(pools))


async def caps_enforced(pools: Pools) -> dict[str, list[int | None]]:
    """The caps of all windows, by their kind, the oldest first."""
    async with pools_module.transaction(pools.writer) as connection:
        rows = await connection.fetch(CAPS)
    caps: dict[str, list[int | None]] = {}
    for row in rows:
        caps.setdefault(row["name"], []).append(row["cap"])
    return caps


async def open_windows(pools: Pools, new: SignedUp) -> None:
    """Windows of last and of this day and month, a session and an agent below, 9 USD spent each."""
    tenant_id, agent_id = new.tenant.tenant_id, new.agent.agent_id
    async with pools_module.transaction(pools.writer) as connection:
        for age in (-1, 0):
            for period in ("day", "month"):
                of_agent = ("agent", str(agent_id), agent_id, period, age)
                of_tenant = ("tenant", str(tenant_id), None, period, age)
                await connection.execute(OPEN_WINDOW, tenant_id, *of_agent)
                await connection.execute(OPEN_WINDOW, tenant_id, *of_tenant)
        for scope, key in (("session", f"{agent_id}/s"), ("subagent", f"{agent_id}/s/n")):
            await connection.execute(OPEN_WINDOW, tenant_id, scope, key, agent_id, "whole", 0)


def parsed(**asked: Json) -> PolicyChange:
    return policy_changes.parse(asked, policy_changes.NO_NAMES)


async def test_a_policy_changes_only_what_is_asked_and_is_audited(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    await change_policy(pools, new, parsed(per_call_cap_usd="0.5"))
    changed = await change_policy(pools, new, parsed(min_quality="0.70", session_cap_usd=1))
    assert changed.allowed == SpendPolicy(
        per_call_cap=UsdMicros(500_000),
        session_cap=UsdMicros(1_000_000),
        min_quality=Decimal("0.7"),
    )
    everything = PolicyChange(
        allowed_models=("gpt-5-5",), allowed_providers=("openai",), may_exceed_hold=True
    )
    await change_policy(pools, new, everything)
    await change_policy(pools, new, parsed(per_call_cap_usd=None))
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        links = await audit_store.links(connection, new.agent.agent_id, since_seq=4)
    assert {link.event_type for link in links} == {"spend_policy.updated"}
    told = [orjson.loads(link.payload) for link in links]
    assert told[0]["after"]["per_call_cap_usd"] == "0.500000"
    assert told[1]["before"] == told[0]["after"]
    assert told[2]["after"]["allowed_models"] == ["gpt-5-5"]
    assert told[2]["after"]["may_exceed_hold"] is True
    assert told[3]["after"]["per_call_cap_usd"] is None


@proves("no-overspend")
async def test_caps_hold_in_open_windows_and_never_below_what_is_spent(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    await open_windows(pools, new)
    spent = POSTED + PENDING
    lower = await change_policy(
        pools, new, PolicyChange(daily_cap=UsdMicros(6_000_000), session_cap=UsdMicros(1))
    )
    assert lower.caps == {
        "agent day": [CAP, spent],
        "agent month": [CAP, None],
        "session whole": [spent],
        "subagent whole": [None],
        "tenant day": [CAP, CAP],
        "tenant month": [CAP, CAP],
    }
    higher = await change_policy(
        pools,
        new,
        PolicyChange(
            daily_cap=UsdMicros(20_000_000),
            monthly_cap=UsdMicros(30_000_000),
            session_cap=None,
            subagent_cap=UsdMicros(40_000_000),
        ),
    )
    assert higher.caps["agent day"] == [CAP, 20_000_000]
    assert higher.caps["agent month"] == [CAP, 30_000_000]
    assert higher.caps["session whole"] == [None]
    assert higher.caps["subagent whole"] == [40_000_000]
    assert (await change_policy(pools, new, PolicyChange(daily_cap=None))).caps["agent day"] == [
        CAP,
        None,
    ]


@proves("no-overspend")
async def test_a_tenants_caps_hold_in_open_windows_of_the_tenant_alone(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    await open_windows(pools, new)
    changed = await change_tenant_policy(
        pools,
        new,
        TenantPolicyChange(daily_cap=UsdMicros(1), monthly_cap=UsdMicros(20_000_000)),
    )
    assert changed.caps["tenant day"] == [CAP, POSTED + PENDING]
    assert changed.caps["tenant month"] == [CAP, 20_000_000]
    assert changed.caps["agent day"] == [CAP, CAP]
    lifted = await change_tenant_policy(pools, new, TenantPolicyChange(daily_cap=None))
    assert lifted.caps["tenant day"] == [CAP, None]
    assert lifted.caps["tenant month"] == [CAP, 20_000_000]


@proves("changes-and-events-commit-together")
async def test_a_tenants_policy_is_told_by_the_chain_of_its_first_agent(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    await change_tenant_policy(
        pools, new, TenantPolicyChange(daily_cap=UsdMicros(10_000), wallet_strict_per_agent=True)
    )
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        (link,) = await audit_store.links(connection, new.agent.agent_id, since_seq=4)
    assert link.event_type == "tenant_policy.updated"
    told = orjson.loads(link.payload)
    assert told["before"] == policy.tenant_facts(TenantPolicy())
    assert told["after"] == {
        "daily_cap_usd": "0.010000",
        "monthly_cap_usd": None,
        "wallet_strict_per_agent": True,
    }


@proves("tenants-are-strangers")
async def test_nobody_changes_another_tenants_policies_or_windows(pools: Pools) -> None:
    one = await newcomer.signed_up(pools, Signup(agent_handle="one"))
    two = await newcomer.signed_up(pools, Signup(agent_handle="two"))
    await open_windows(pools, one)
    before = await caps_enforced(pools)
    async with tenancy.tenant_transaction(pools.app, two.tenant.tenant_id) as connection:
        with pytest.raises(NotFound, match=r"There is no such agent\."):
            await policy_actions.update_spend_policy(
                connection,
                newcomer.recorder(),
                tenant_id=two.tenant.tenant_id,
                agent_id=one.agent.agent_id,
                change=PolicyChange(daily_cap=None),
            )
        with pytest.raises(NotFound, match=r"There is no such tenant\."):
            await policy_actions.update_tenant_policy(
                connection,
                newcomer.recorder(),
                tenant_id=one.tenant.tenant_id,
                change=TenantPolicyChange(daily_cap=None),
            )
        shared = TenantPolicy(daily_cap=UsdMicros(1))
        await policy_store.write_caps_of_tenant_windows(connection, one.tenant.tenant_id, shared)
        await policy_store.write_tenant_policy(connection, one.tenant.tenant_id, shared)
    assert await caps_enforced(pools) == before
    async with tenancy.tenant_transaction(pools.app, one.tenant.tenant_id) as connection:
        untouched = await policy_store.tenant_policy(connection, one.tenant.tenant_id)
    assert untouched == TenantPolicy()


@proves("no-overspend")
async def test_the_database_itself_refuses_to_break_a_cap(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    await open_windows(pools, new)
    for scope in ("agent", "tenant", "session", "subagent"):
        with pytest.raises(asyncpg.CheckViolationError, match="cap_is_never_broken"):
            async with pools_module.transaction(pools.writer) as connection:
                await connection.execute(
                    "update spending set pending = 5000001 where scope = $1", scope
                )
