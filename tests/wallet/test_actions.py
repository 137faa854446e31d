"""Top-ups and policies on a real database: atomic, audited, and one tenant's own."""

import asyncio
from dataclasses import dataclass
from decimal import Decimal

import asyncpg
import orjson
import pytest

from ainfera_server.accounts.actions import SignedUp
from ainfera_server.accounts.signup import Signup
from ainfera_server.audit import store as audit_store
from ainfera_server.errors import Invalid, NotFound
from ainfera_server.identifiers import AgentId, Cell
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import pool as pools_module
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Pools
from ainfera_server.wallet import actions, policy, store
from ainfera_server.wallet.actions import ToppedUp
from ainfera_server.wallet.ledger import Account
from ainfera_server.wallet.policy import PolicyChange
from tests.accounts import newcomer
from tests.promises import proves

ACCOUNTS_PROVED = """
    select a.kind, a.credits_posted, a.debits_posted, a.version,
        count(e.*) as entries,
        coalesce(sum(e.amount) filter (where e.side = 'credit'), 0) as credits,
        coalesce(sum(e.amount) filter (where e.side = 'debit'), 0) as debits,
        coalesce(max(e.account_version), 0) as last_version
    from accounts a left join ledger_entries e using (cell, account_id)
    group by a.cell, a.account_id
"""
OPEN_TODAY = """
    insert into agent_days (cell, agent_id, day, tenant_id, cap, posted, pending)
    values ($1, $2, (now() at time zone 'UTC')::date + $3::int, $4, 10000000, 5000000, 4000000)
"""
CAPS_OF_DAYS = "select day - (now() at time zone 'UTC')::date as days, cap from agent_days"


async def top_up(pools: Pools, new: SignedUp, amount: int) -> ToppedUp:
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        return await actions.top_up(
            connection,
            newcomer.recorder(),
            tenant_id=new.tenant.tenant_id,
            agent_id=new.agent.agent_id,
            amount=UsdMicros(amount),
        )


async def wallet_of(pools: Pools, new: SignedUp) -> Account:
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        wallet = await store.wallet(connection, new.agent.agent_id)
    assert wallet is not None
    return wallet


@proves("changes-and-events-commit-together")
async def test_a_top_up_is_in_wallet_ledger_and_chain_or_nowhere(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    done = await top_up(pools, new, 250_000)
    assert done.balance == 5_250_000
    wallet = await wallet_of(pools, new)
    assert wallet.available == 5_250_000
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        lines = await store.ledger(connection, wallet.account_id, limit=100)
        (event,) = await audit_store.links(connection, new.agent.agent_id, since_seq=4)
    assert [(line.kind, line.amount, line.balance_after) for line in lines] == [
        ("topup", 250_000, 5_250_000),
        ("grant", 5_000_000, 5_000_000),
    ]
    assert lines[0].entry_id == done.entry_id
    assert event.event_id == done.event_id
    facts = orjson.loads(event.payload)
    assert facts["amount_usd"] == "0.250000"
    assert facts["balance_after_usd"] == "5.250000"
    assert facts["ledger_entry_id"] == str(done.entry_id)


@proves("changes-and-events-commit-together")
async def test_a_top_up_that_is_not_committed_leaves_no_trace(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))

    async def top_up_and_fail() -> None:
        async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
            await actions.top_up(
                connection,
                newcomer.recorder(),
                tenant_id=new.tenant.tenant_id,
                agent_id=new.agent.agent_id,
                amount=UsdMicros(1),
            )
            raise RuntimeError("the power fails")

    with pytest.raises(RuntimeError):
        await top_up_and_fail()
    wallet = await wallet_of(pools, new)
    assert (wallet.balance, wallet.version) == (newcomer.GRANT, 1)
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        assert await audit_store.links(connection, new.agent.agent_id, since_seq=4) == ()


async def test_top_ups_at_once_all_count_and_the_books_add_up(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    await asyncio.gather(*(top_up(pools, new, 1_000) for _ in range(12)))
    wallet = await wallet_of(pools, new)
    assert wallet.balance == newcomer.GRANT + 12_000
    async with pools_module.transaction(pools.writer) as connection:
        rows = await connection.fetch(ACCOUNTS_PROVED)
    assert sum(row["credits_posted"] - row["debits_posted"] for row in rows) == 0
    for row in rows:
        assert row["credits"] == row["credits_posted"], row["kind"]
        assert row["debits"] == row["debits_posted"], row["kind"]
        assert row["entries"] == row["version"] == row["last_version"], row["kind"]


async def test_a_ledger_is_read_page_by_page(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    for amount in (1, 2, 3):
        await top_up(pools, new, amount)
    wallet = await wallet_of(pools, new)
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        newest = await store.ledger(connection, wallet.account_id, limit=2)
        older = await store.ledger(
            connection, wallet.account_id, limit=2, before_version=newest[-1].version
        )
    assert [line.amount for line in (*newest, *older)] == [3, 2, 1, newcomer.GRANT]


@pytest.mark.parametrize("amount", [0, -1, actions.TOP_UP_MAX + 1])
async def test_an_amount_that_is_no_top_up_is_refused(pools: Pools, amount: int) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    with pytest.raises(Invalid, match="amount_usd"):
        await top_up(pools, new, amount)


@pytest.mark.parametrize("value", ["much", "nan", "0.0000001", "", True])
def test_an_amount_that_cannot_be_read_is_refused(value: str) -> None:
    with pytest.raises(Invalid, match="amount_usd"):
        actions.parse_top_up(value)


@proves("tenants-are-strangers")
async def test_nobody_tops_up_or_sees_another_tenants_wallet(pools: Pools) -> None:
    one = await newcomer.signed_up(pools, Signup(agent_handle="one"))
    two = await newcomer.signed_up(pools, Signup(agent_handle="two"))
    wallet = await wallet_of(pools, one)
    async with tenancy.tenant_transaction(pools.app, two.tenant.tenant_id) as connection:
        assert await store.wallet(connection, one.agent.agent_id) is None
        assert await store.wallets(connection, one.tenant.tenant_id) == {}
        assert await store.ledger(connection, wallet.account_id, limit=10) == ()
        assert await store.spend_policy(connection, one.agent.agent_id) is None
        locked = await store.lock_wallet_and(
            connection, one.agent.agent_id, tenant_id=one.tenant.tenant_id, kind="grants"
        )
        assert locked == {}
        for agent_id in (one.agent.agent_id, AgentId(newcomer.new_id(Cell(7)))):
            with pytest.raises(NotFound, match=r"There is no such agent\."):
                await actions.top_up(
                    connection,
                    newcomer.recorder(),
                    tenant_id=two.tenant.tenant_id,
                    agent_id=agent_id,
                    amount=UsdMicros(1),
                )
            with pytest.raises(NotFound, match=r"There is no such agent\."):
                await actions.update_spend_policy(
                    connection,
                    newcomer.recorder(),
                    tenant_id=two.tenant.tenant_id,
                    agent_id=agent_id,
                    change=PolicyChange(daily_cap=None),
                )
    assert await wallet_of(pools, one) == wallet


@proves("no-overspend")
async def test_the_database_itself_refuses_an_overdrawn_wallet(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    wallet = await wallet_of(pools, new)
    with pytest.raises(asyncpg.CheckViolationError, match="wallet_is_never_overdrawn"):
        async with pools_module.transaction(pools.writer) as connection:
            await connection.execute(
                "update accounts set debits_pending = $2 where account_id = $1",
                wallet.account_id,
                wallet.balance + 1,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A policy after a change, and the caps that the database enforces from today on."""

    allowed: policy.SpendPolicy
    caps: dict[int, int | None]


async def change_policy(pools: Pools, new: SignedUp, change: PolicyChange) -> Changed:
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        allowed = await actions.update_spend_policy(
            connection,
            newcomer.recorder(),
            tenant_id=new.tenant.tenant_id,
            agent_id=new.agent.agent_id,
            change=change,
        )
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        assert await store.spend_policy(connection, new.agent.agent_id) == allowed
        rows = await connection.fetch(CAPS_OF_DAYS)
    return Changed(allowed=allowed, caps={row["days"]: row["cap"] for row in rows})


async def test_a_policy_changes_only_what_is_asked_and_is_audited(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    await change_policy(pools, new, policy.parse_change({"per_call_cap_usd": "0.5"}))
    changed = await change_policy(pools, new, policy.parse_change({"min_quality": "0.70"}))
    assert changed.allowed.per_call_cap == 500_000
    assert changed.allowed.min_quality == Decimal("0.7")
    cleared = await change_policy(pools, new, policy.parse_change({"per_call_cap_usd": None}))
    assert cleared.allowed.per_call_cap is None
    assert policy.drain_proof_status(cleared.allowed) == "unprotected"
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        links = await audit_store.links(connection, new.agent.agent_id, since_seq=4)
    assert {link.event_type for link in links} == {"spend_policy.updated"}
    assert orjson.loads(links[0].payload)["after"]["per_call_cap_usd"] == "0.500000"
    assert orjson.loads(links[2].payload)["before"]["per_call_cap_usd"] == "0.500000"


async def test_a_cap_holds_from_today_on_and_never_below_what_is_spent(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    async with pools_module.transaction(pools.writer) as connection:
        for days in (-1, 0):
            await connection.execute(OPEN_TODAY, 7, new.agent.agent_id, days, new.tenant.tenant_id)
    lower = await change_policy(pools, new, PolicyChange(daily_cap=UsdMicros(6_000_000)))
    assert lower.caps == {-1: 10_000_000, 0: 9_000_000}
    higher = await change_policy(pools, new, PolicyChange(daily_cap=UsdMicros(20_000_000)))
    assert higher.caps == {-1: 10_000_000, 0: 20_000_000}
    lifted = await change_policy(pools, new, PolicyChange(daily_cap=None))
    assert lifted.caps == {-1: 10_000_000, 0: None}


@proves("no-overspend")
async def test_the_database_itself_refuses_to_break_a_daily_cap(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    async with pools_module.transaction(pools.writer) as connection:
        await connection.execute(OPEN_TODAY, 7, new.agent.agent_id, 0, new.tenant.tenant_id)
    with pytest.raises(asyncpg.CheckViolationError, match="daily_cap_is_never_broken"):
        async with pools_module.transaction(pools.writer) as connection:
            await connection.execute("update agent_days set pending = 5000001")
