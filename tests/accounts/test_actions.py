"""Sign-ups and keys on a real database: whole or not at all, and each tenant by itself."""

from decimal import Decimal

import orjson
import pytest

from ainfera_server.accounts import actions, api_keys, card_actions, card_store, signup, store
from ainfera_server.accounts.actions import SignedUp
from ainfera_server.accounts.signup import Signup
from ainfera_server.accounts.store import ListedKey
from ainfera_server.audit import store as audit_store
from ainfera_server.errors import HandleTaken, Invalid, NotFound
from ainfera_server.identifiers import AgentId, Cell, cell_of
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import pool as pools_module
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Pools
from ainfera_server.wallet import store as wallet_store
from tests.accounts import newcomer
from tests.promises import proves

KEPT = (
    "select string_agg(to_jsonb(api_keys)::text, '') from api_keys",
    "select string_agg(to_jsonb(agents)::text, '') from agents",
    "select string_agg(to_jsonb(agent_cards)::text, '') from agent_cards",
    "select string_agg(to_jsonb(audit_events)::text, '') from audit_events",
)


async def test_a_newcomer_gets_everything_at_once(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout", owner_handle="ada"))
    agent = new.agent
    assert agent.canonical_uri == "ainfera.ai/ada/scout"
    assert cell_of(agent.agent_id) == cell_of(new.tenant.tenant_id) == 7
    assert new.api_key.startswith("ainfera_07")
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        assert await store.agent(connection, agent.agent_id) == agent
        assert await store.agents(connection, new.tenant.tenant_id) == (agent,)
        assert await store.tenant(connection, new.tenant.tenant_id) == new.tenant
        assert await card_store.card(connection, agent.agent_id) == new.card.jws
        wallet = await wallet_store.wallet(connection, agent.agent_id)
        links = await audit_store.links(connection, agent.agent_id)
        payer = await store.payer(connection, agent.agent_id)
    assert wallet is not None
    assert wallet.available == newcomer.GRANT
    assert [link.event_type for link in links] == [
        "agent.registered",
        "agent_card.minted",
        "api_key.created",
        "wallet.topped_up",
    ]
    assert payer is not None
    assert payer.wallet_id == wallet.account_id
    every = {payer.wallet_id, payer.pool_id, payer.provider_cost_id, payer.revenue_id}
    assert len(every) == 4, "each side of a transfer is an account of its own"
    assert payer.status == "active"


async def test_a_newcomer_may_come_with_limits_and_no_grant(pools: Pools) -> None:
    asked = signup.parse(
        {"agent_handle": "demo", "per_call_cap_usd": "0.5", "min_quality": 0, "metadata": {"a": 1}}
    )
    new = await newcomer.signed_up(pools, asked, grant=UsdMicros(0))
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        payer = await store.payer(connection, new.agent.agent_id)
        wallet = await wallet_store.wallet(connection, new.agent.agent_id)
        agent = await store.agent(connection, new.agent.agent_id)
    assert payer is not None
    assert (payer.per_call_cap, payer.daily_cap, payer.min_quality) == (500_000, None, Decimal(0))
    assert wallet is not None
    assert (wallet.balance, wallet.version) == (0, 0)
    assert agent is not None
    assert agent.metadata == {"a": 1}


@proves("bad-input-changes-nothing")
async def test_a_taken_address_leaves_nothing_behind(pools: Pools) -> None:
    await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    tenant_id = newcomer.new_tenant_id(9)
    with pytest.raises(HandleTaken):
        async with tenancy.tenant_transaction(pools.app, tenant_id) as connection:
            await actions.signup(
                connection, newcomer.minting(), Signup(agent_handle="scout"), tenant_id=tenant_id
            )
    async with tenancy.tenant_transaction(pools.app, tenant_id) as connection:
        assert await store.tenant(connection, tenant_id) is None
        assert await audit_store.height(connection) == 4


async def test_the_key_leads_to_its_owner_and_no_further(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    presented = api_keys.parse(new.api_key)
    assert presented is not None
    async with tenancy.key_transaction(pools.app, presented.key_id) as connection:
        found = await store.presented_key(connection, presented.cell, presented.key_id)
        assert await store.agent(connection, new.agent.agent_id) is None
    assert found is not None
    assert api_keys.matches(presented, found.secret_hash, newcomer.PEPPER)
    assert (found.tenant_id, found.agent_id) == (new.tenant.tenant_id, new.agent.agent_id)
    assert found.revoked_at is None


async def test_a_revoked_key_stays_on_record_and_is_revoked_once(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    tenant_id, agent_id = new.tenant.tenant_id, new.agent.agent_id
    async with tenancy.tenant_transaction(pools.app, tenant_id) as connection:
        created = await actions.create_key(
            connection, newcomer.minting(), agent_id=agent_id, name="laptop"
        )
    key_id = created.listed.key_id

    async def revoke() -> ListedKey:
        async with tenancy.tenant_transaction(pools.app, tenant_id) as connection:
            return await actions.revoke_key(
                connection, newcomer.recorder(), cell=Cell(7), key_id=key_id
            )

    revoked = await revoke()
    assert await revoke() == revoked
    async with tenancy.tenant_transaction(pools.app, tenant_id) as connection:
        keys = {key.key_id: key for key in await store.api_keys(connection, tenant_id)}
        links = await audit_store.links(connection, agent_id, since_seq=4)
    assert keys[key_id] == revoked
    assert revoked.revoked_at == newcomer.NOW
    assert sorted(key.name for key in keys.values()) == ["default", "laptop"]
    assert [link.event_type for link in links] == ["api_key.created", "api_key.revoked"]
    assert created.presented[-43:] not in "".join(link.payload for link in links)


@proves("keys-cannot-be-read-back")
async def test_nothing_that_is_kept_of_a_key_opens_anything(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    secret = new.api_key[-43:]
    async with pools_module.transaction(pools.writer) as connection:
        for query in KEPT:
            kept = await connection.fetchval(query)
            assert kept
            assert secret not in kept


async def test_agents_of_one_name_get_addresses_of_their_own(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout", owner_handle="ada"))
    tenant_id = new.tenant.tenant_id
    async with tenancy.tenant_transaction(pools.app, tenant_id) as connection:
        first = await actions.register(
            connection, newcomer.minting(), tenant_id=tenant_id, name="Helper"
        )
        second = await actions.register(
            connection, newcomer.minting(), tenant_id=tenant_id, name="Helper"
        )
        wallets = await wallet_store.wallets(connection, tenant_id)
    assert first.name == second.name == "Helper"
    assert first.canonical_uri != second.canonical_uri
    assert first.canonical_uri.startswith("ainfera.ai/ada/helper-")
    assert [wallet.balance for wallet in wallets.values()] == [newcomer.GRANT, 0, 0]


async def test_a_tenant_can_be_registered_by_name(pools: Pools) -> None:
    tenant_id = newcomer.new_tenant_id()
    async with tenancy.tenant_transaction(pools.app, tenant_id) as connection:
        new = await actions.register_tenant(
            connection, newcomer.minting(), tenant_id=tenant_id, name="Analytical Engines Ltd."
        )
    assert new.tenant.name == "Analytical Engines Ltd."
    assert api_keys.parse(new.api_key) is not None


@proves("tenants-are-strangers")
async def test_two_tenants_see_nothing_of_each_other(pools: Pools) -> None:
    one = await newcomer.signed_up(pools, Signup(agent_handle="one"))
    two = await newcomer.signed_up(pools, Signup(agent_handle="two"))
    key_id = orjson.loads(await third_payload(pools, one))["key_id"]
    async with tenancy.tenant_transaction(pools.app, two.tenant.tenant_id) as connection:
        tenant_id, agent_id = one.tenant.tenant_id, one.agent.agent_id
        assert await store.tenant(connection, tenant_id) is None
        assert await store.agent(connection, agent_id) is None
        assert await store.agents(connection, tenant_id) == ()
        assert await store.payer(connection, agent_id) is None
        assert await card_store.card(connection, agent_id) is None
        assert await card_store.sealed_key(connection, agent_id) is None
        assert await store.api_keys(connection, tenant_id) == ()
        assert await store.api_key(connection, Cell(7), key_id) is None
        assert await store.presented_key(connection, Cell(7), key_id) is None


async def third_payload(pools: Pools, new: SignedUp) -> str:
    """The event that says which key was made."""
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        (link,) = await audit_store.links(connection, new.agent.agent_id, since_seq=2, limit=1)
    return link.payload


@proves("tenants-are-strangers")
async def test_an_action_on_somebody_elses_thing_finds_nothing(pools: Pools) -> None:
    one = await newcomer.signed_up(pools, Signup(agent_handle="one"))
    two = await newcomer.signed_up(pools, Signup(agent_handle="two"))
    key_id = orjson.loads(await third_payload(pools, one))["key_id"]
    nobody = AgentId(newcomer.new_id(Cell(7)))
    async with tenancy.tenant_transaction(pools.app, two.tenant.tenant_id) as connection:
        minting = newcomer.minting()
        sentences: set[str] = set()
        for agent_id in (one.agent.agent_id, nobody):
            with pytest.raises(NotFound) as missing_card:
                await card_actions.mint(connection, minting, agent_id=agent_id)
            with pytest.raises(NotFound) as missing_agent:
                await actions.create_key(connection, minting, agent_id=agent_id, name="mine")
            sentences |= {missing_card.value.sentence, missing_agent.value.sentence}
        with pytest.raises(NotFound):
            await actions.revoke_key(connection, minting.recorder, cell=Cell(7), key_id=key_id)
        with pytest.raises(NotFound):
            await actions.register(
                connection, minting, tenant_id=one.tenant.tenant_id, name="Intruder"
            )
    assert len(sentences) == 1


async def test_a_key_with_an_unreadable_name_is_refused(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        with pytest.raises(Invalid):
            await actions.create_key(
                connection, newcomer.minting(), agent_id=new.agent.agent_id, name="two\nlines"
            )
