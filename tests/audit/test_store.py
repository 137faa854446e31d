"""The trail in the database: it never forks, has no gaps, and shows whoever touched it."""

import asyncio
from collections.abc import Callable

import asyncpg
import psycopg
import pytest

from ainfera_server.accounts.actions import SignedUp
from ainfera_server.accounts.signup import Signup
from ainfera_server.audit import store
from ainfera_server.audit.events import Event, EventType
from ainfera_server.identifiers import AgentId, Cell
from ainfera_server.postgres import pool as pools_module
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Pools
from tests.accounts import newcomer
from tests.promises import proves


def happened(new: SignedUp, number: int) -> Event:
    return newcomer.recorder().event(
        EventType.INFERENCE_ROUTED,
        {"number": number, "words": "größe \0 \u2028"},
        tenant_id=new.tenant.tenant_id,
        agent_id=new.agent.agent_id,
    )


async def test_what_was_appended_is_read_back_as_it_was_hashed(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        written = await store.append(
            connection, [happened(new, number) for number in range(3)], newcomer.SIGNER
        )
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        read = await store.links(connection, new.agent.agent_id, since_seq=4)
        page = await store.links(connection, new.agent.agent_id, since_seq=4, limit=2)
        assert await store.links(connection, new.agent.agent_id, since_seq=7) == ()
        assert await store.head(connection, new.agent.agent_id) == written[-1].head
    assert read == written
    assert page == written[:2]


async def test_two_writers_at_once_never_fork_a_chain(pools: Pools) -> None:
    one = await newcomer.signed_up(pools, Signup(agent_handle="one"))
    two = await newcomer.signed_up(pools, Signup(agent_handle="two"), cell=8)

    async def append(number: int) -> None:
        events = [happened(one, number), happened(two, number), happened(one, number)]
        async with pools_module.transaction(pools.writer) as connection:
            await store.append(connection, events[:: -1 if number % 2 else 1], newcomer.SIGNER)

    await asyncio.gather(*(append(number) for number in range(20)))
    for new, count in ((one, 44), (two, 24)):
        agent_id = new.agent.agent_id
        async with tenancy.public_agent_transaction(pools.app, agent_id) as connection:
            verdict = await store.verify(connection, agent_id, newcomer.PUBLIC_KEYS)
        assert verdict is not None
        assert (verdict.valid, verdict.event_count) == (True, count)
    async with tenancy.public_transaction(pools.app) as connection:
        feed = await store.public_feed(connection, limit=500)
        height = await store.height(connection)
    assert [event.height for event in feed] == list(range(height, 0, -1))
    assert height == 68


@proves("changes-and-events-commit-together")
async def test_a_transaction_that_fails_leaves_no_gap(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))

    async def append_and_fail() -> None:
        async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
            await store.append(connection, [happened(new, 1)], newcomer.SIGNER)
            raise RuntimeError("the power fails")

    with pytest.raises(RuntimeError):
        await append_and_fail()
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        (link,) = await store.append(connection, [happened(new, 2)], newcomer.SIGNER)
        assert link.seq == 5
        assert await store.height(connection) == 5


async def test_an_agent_that_is_not_there_has_no_verdict(pools: Pools) -> None:
    nobody = AgentId(newcomer.new_id(Cell(7)))
    async with tenancy.public_agent_transaction(pools.app, nobody) as connection:
        assert await store.verify(connection, nobody, newcomer.PUBLIC_KEYS) is None


async def test_a_chain_is_verified_page_by_page(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        events = [happened(new, number) for number in range(1, 502)]
        await store.append(connection, events, newcomer.SIGNER)
    async with tenancy.public_agent_transaction(pools.app, new.agent.agent_id) as connection:
        verdict = await store.verify(connection, new.agent.agent_id, newcomer.PUBLIC_KEYS)
    assert verdict is not None
    assert (verdict.valid, verdict.event_count) == (True, 505)


@proves("tampering-is-named")
@pytest.mark.parametrize(
    ("tampering", "seq", "reason"),
    [
        ("update audit_events set payload = '{}' where seq = 2", 2, "event_hash_mismatch"),
        (
            "update audit_events set event_type = 'ledger.debited' where seq = 3",
            3,
            "payload_differs_from_row",
        ),
        ("delete from audit_events where seq = 2", 3, "sequence_gap"),
        ("delete from audit_events where seq >= 3", 3, "head_mismatch"),
        ("delete from audit_events", 1, "head_mismatch"),
    ],
)
async def test_whoever_touches_the_trail_is_found(
    pools: Pools,
    database: str,
    administer_here: Callable[[str], None],
    tampering: str,
    seq: int,
    reason: str,
) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    administer_here("alter table audit_events disable trigger append_only")
    administer_here(tampering)
    async with tenancy.public_agent_transaction(pools.app, new.agent.agent_id) as connection:
        verdict = await store.verify(connection, new.agent.agent_id, newcomer.PUBLIC_KEYS)
    assert verdict is not None
    assert (verdict.valid, verdict.failure_seq, verdict.failure_reason) == (False, seq, reason)


@pytest.mark.parametrize(
    "statement",
    [
        "delete from audit_events",
        "update audit_events set payload = ''",
        "delete from audit_log",
        "update audit_log set event_hash = ''",
        "delete from ledger_entries",
        "update ledger_entries set amount = 0",
    ],
)
async def test_what_was_recorded_cannot_be_changed_by_a_superuser_either(
    pools: Pools, administer_here: Callable[[str], None], statement: str
) -> None:
    await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        administer_here(statement)


async def test_the_application_may_not_change_what_was_recorded(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    for role in (pools.app, pools.writer):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with tenancy.tenant_transaction(role, new.tenant.tenant_id) as connection:
                await connection.execute("delete from audit_events")


@proves("tenants-are-strangers")
async def test_another_tenants_chain_is_not_there(pools: Pools) -> None:
    one = await newcomer.signed_up(pools, Signup(agent_handle="one"))
    two = await newcomer.signed_up(pools, Signup(agent_handle="two"))
    async with tenancy.tenant_transaction(pools.app, two.tenant.tenant_id) as connection:
        agent_id = one.agent.agent_id
        assert await store.head(connection, agent_id) is None
        assert await store.links(connection, agent_id) == ()
        assert await store.lock_heads(connection, [agent_id]) == {}
        assert await store.verify(connection, agent_id, newcomer.PUBLIC_KEYS) is None


async def test_the_public_sees_one_chain_and_nothing_else_of_its_owner(pools: Pools) -> None:
    one = await newcomer.signed_up(pools, Signup(agent_handle="one"))
    two = await newcomer.signed_up(pools, Signup(agent_handle="two"))
    async with tenancy.public_agent_transaction(pools.app, one.agent.agent_id) as connection:
        assert await store.head(connection, one.agent.agent_id) is not None
        assert await store.head(connection, two.agent.agent_id) is None
        assert await connection.fetchval("select count(*) from agents") == 0
        assert await connection.fetchval("select count(*) from accounts") == 0


async def test_the_public_feed_is_newest_first_and_leaves_internals_out(pools: Pools) -> None:
    await newcomer.signed_up(pools, Signup(agent_handle="seen", owner_handle="ada"))
    await newcomer.signed_up(pools, Signup(agent_handle="internal-probe"))
    await newcomer.signed_up(pools, Signup(agent_handle="probe", owner_handle="internal-qa"))
    async with tenancy.public_transaction(pools.app) as connection:
        feed = await store.public_feed(connection, limit=100)
        older = await store.public_feed(connection, limit=1, before_height=4)
    assert [event.height for event in feed] == [4, 3, 2, 1]
    assert {event.canonical_uri for event in feed} == {"ainfera.ai/ada/seen"}
    assert feed[0].event_type == "wallet.topped_up"
    assert older == (feed[1],)


async def test_a_public_key_is_kept_for_whoever_verifies(pools: Pools) -> None:
    for _ in range(2):
        async with tenancy.public_transaction(pools.app) as connection:
            await store.keep_public_key(connection, newcomer.SIGNER, purpose="events")
    async with tenancy.public_transaction(pools.app) as connection:
        assert await store.public_key_pems(connection) == newcomer.PUBLIC_KEYS
