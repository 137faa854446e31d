"""Top-ups and moves on a real database: atomic, audited, and one tenant's own."""

import asyncio
from typing import Literal

import asyncpg
import orjson
import pytest

from ainfera_server.accounts import actions as accounts_actions
from ainfera_server.accounts.actions import SignedUp
from ainfera_server.accounts.signup import Signup
from ainfera_server.audit import store as audit_store
from ainfera_server.errors import InsufficientFunds, Invalid, NotFound
from ainfera_server.identifiers import AgentId, Cell
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import pool as pools_module
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Pools
from ainfera_server.wallet import actions, policy_actions, policy_store, store
from ainfera_server.wallet.actions import Moved, Place, ToppedUp
from ainfera_server.wallet.ledger import Account
from ainfera_server.wallet.policy_changes import PolicyChange
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
HOLD = "update accounts set debits_pending = $2 where account_id = $1"


async def top_up(
    pools: Pools, new: SignedUp, amount: int, place: Place | Literal["own"] = "own"
) -> ToppedUp:
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        return await actions.top_up(
            connection,
            newcomer.recorder(),
            tenant_id=new.tenant.tenant_id,
            place=new.agent.agent_id if place == "own" else place,
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
                place=new.agent.agent_id,
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
    await require_books_that_add_up(pools)


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
        actions.parse_amount(value)


@proves("tenants-are-strangers")
async def test_nobody_tops_up_or_sees_another_tenants_wallet(pools: Pools) -> None:
    one = await newcomer.signed_up(pools, Signup(agent_handle="one"))
    two = await newcomer.signed_up(pools, Signup(agent_handle="two"))
    wallet = await wallet_of(pools, one)
    async with tenancy.tenant_transaction(pools.app, two.tenant.tenant_id) as connection:
        assert await store.wallet(connection, one.agent.agent_id) is None
        assert await store.wallets(connection, one.tenant.tenant_id) == {}
        assert await store.ledger(connection, wallet.account_id, limit=10) == ()
        assert await store.pool(connection, one.tenant.tenant_id) is None
        assert await store.allowances(connection, one.agent.agent_id) == ()
        assert await policy_store.spend_policy(connection, one.agent.agent_id) is None
        assert await policy_store.tenant_policy(connection, one.tenant.tenant_id) is None
        assert await policy_store.first_agent(connection, one.tenant.tenant_id) is None
        locked = await store.lock_accounts(
            connection, one.tenant.tenant_id, agents=[one.agent.agent_id], kinds=["pool", "grants"]
        )
        assert (locked.wallets, locked.others) == ({}, {})
        for agent_id in (one.agent.agent_id, AgentId(newcomer.new_id(Cell(7)))):
            with pytest.raises(NotFound, match=r"There is no such agent\."):
                await actions.top_up(
                    connection,
                    newcomer.recorder(),
                    tenant_id=two.tenant.tenant_id,
                    place=agent_id,
                    amount=UsdMicros(1),
                )
            with pytest.raises(NotFound, match=r"There is no such agent\."):
                await policy_actions.update_spend_policy(
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
            await connection.execute(HOLD, wallet.account_id, wallet.balance + 1)


async def move(
    pools: Pools, new: SignedUp, *, source: Place, destination: Place, amount: int
) -> Moved:
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        return await actions.move(
            connection,
            newcomer.recorder(),
            tenant_id=new.tenant.tenant_id,
            source=source,
            destination=destination,
            amount=UsdMicros(amount),
        )


async def pool_of(pools: Pools, new: SignedUp) -> Account:
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        pool = await store.pool(connection, new.tenant.tenant_id)
    assert pool is not None
    return pool


async def second_agent(pools: Pools, new: SignedUp) -> AgentId:
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        agent = await accounts_actions.register(
            connection, newcomer.minting(), tenant_id=new.tenant.tenant_id, name="second"
        )
    return agent.agent_id


@proves("changes-and-events-commit-together")
async def test_the_pool_is_topped_up_and_the_first_agents_chain_tells_of_it(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    await second_agent(pools, new)
    done = await top_up(pools, new, 250_000, place=None)
    assert (done.place, done.balance) == (None, 250_000)
    pool = await pool_of(pools, new)
    assert (pool.kind, pool.available) == ("pool", 250_000)
    assert (await wallet_of(pools, new)).balance == newcomer.GRANT
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        (line,) = await store.ledger(connection, pool.account_id, limit=100)
        (event,) = await audit_store.links(connection, new.agent.agent_id, since_seq=4)
    assert (line.kind, line.amount, line.agent_id) == ("topup", 250_000, new.agent.agent_id)
    facts = orjson.loads(event.payload)
    assert (facts["wallet"], facts["balance_after_usd"]) == ("pool", "0.250000")


@proves("changes-and-events-commit-together", "money-is-exact")
async def test_money_moves_between_wallets_and_pool_and_every_chain_tells_its_side(
    pools: Pools,
) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    first, second = new.agent.agent_id, await second_agent(pools, new)
    await move(pools, new, source=first, destination=None, amount=2_000_000)
    await move(pools, new, source=None, destination=second, amount=500_000)
    done = await move(pools, new, source=first, destination=second, amount=1)
    assert (done.source_balance, done.destination_balance) == (2_999_999, 500_001)
    assert (await pool_of(pools, new)).balance == 1_500_000
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        wallet = await store.wallet(connection, second)
        assert wallet is not None
        lines = await store.ledger(connection, wallet.account_id, limit=100)
        of_first = await audit_store.links(connection, first, since_seq=4)
        of_second = await audit_store.links(connection, second, since_seq=2)
    assert [(line.kind, line.amount) for line in lines] == [("move", 1), ("move", 500_000)]
    assert {link.event_type for link in (*of_first, *of_second)} == {"wallet.money_moved"}
    assert [orjson.loads(link.payload)["to"] for link in of_first] == ["pool", str(second)]
    told = orjson.loads(of_second[-1].payload)
    assert (told["from"], told["balance_after_usd"]) == (str(first), "0.500001")
    assert told["ledger_entry_id"] == str(lines[0].entry_id)
    await require_books_that_add_up(pools)


async def test_only_what_is_available_is_moved(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    wallet = await wallet_of(pools, new)
    async with pools_module.transaction(pools.writer) as connection:
        await connection.execute(HOLD, wallet.account_id, newcomer.GRANT - 10)
    for amount in (11, newcomer.GRANT):
        with pytest.raises(InsufficientFunds, match=r"0\.000010 USD are available"):
            await move(pools, new, source=new.agent.agent_id, destination=None, amount=amount)
    assert (await wallet_of(pools, new)).balance == newcomer.GRANT
    await move(pools, new, source=new.agent.agent_id, destination=None, amount=10)
    assert (await wallet_of(pools, new)).available == 0
    await require_books_that_add_up(pools)


async def test_a_move_that_moves_nothing_is_refused(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    agent_id = new.agent.agent_id
    for same in (agent_id, None):
        with pytest.raises(Invalid, match="nothing would move"):
            await move(pools, new, source=same, destination=same, amount=1)
    for amount in (0, -1, actions.TOP_UP_MAX + 1):
        with pytest.raises(Invalid, match="amount_usd must be more than 0"):
            await move(pools, new, source=agent_id, destination=None, amount=amount)


@proves("no-overspend")
async def test_moves_at_once_never_take_more_than_there_is(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    agent_id = new.agent.agent_id
    third = newcomer.GRANT // 3
    done = await asyncio.gather(
        *(move(pools, new, source=agent_id, destination=None, amount=third) for _ in range(8)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Moved) for one in done) == 3
    assert sum(isinstance(one, InsufficientFunds) for one in done) == 5
    assert (await pool_of(pools, new)).balance == 3 * third
    await require_books_that_add_up(pools)


@proves("tenants-are-strangers")
async def test_nobody_moves_another_tenants_money(pools: Pools) -> None:
    one = await newcomer.signed_up(pools, Signup(agent_handle="one"))
    two = await newcomer.signed_up(pools, Signup(agent_handle="two"))
    theirs, own = one.agent.agent_id, two.agent.agent_id
    for source, destination in ((theirs, own), (own, theirs), (theirs, None), (None, theirs)):
        with pytest.raises(NotFound, match=r"There is no such agent\."):
            await move(pools, two, source=source, destination=destination, amount=1)
    assert (await wallet_of(pools, one)).version == 1
    assert (await pool_of(pools, one)).version == 0


@proves("no-overspend")
async def test_the_database_itself_refuses_an_overdrawn_pool(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    pool = await pool_of(pools, new)
    with pytest.raises(asyncpg.CheckViolationError, match="wallet_is_never_overdrawn"):
        async with pools_module.transaction(pools.writer) as connection:
            await connection.execute(HOLD, pool.account_id, 1)


async def require_books_that_add_up(pools: Pools) -> None:
    async with pools_module.transaction(pools.writer) as connection:
        rows = await connection.fetch(ACCOUNTS_PROVED)
    assert sum(row["credits_posted"] - row["debits_posted"] for row in rows) == 0
    for row in rows:
        assert row["credits"] == row["credits_posted"], row["kind"]
        assert row["debits"] == row["debits_posted"], row["kind"]
        assert row["entries"] == row["version"] == row["last_version"], row["kind"]
