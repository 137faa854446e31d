"""The server gets another secret: what was signed holds, and agents go on under new keys."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ainfera_server import gateway as gateways
from ainfera_server.accounts import actions, card_actions, shown_cards
from ainfera_server.accounts.actions import SignedUp
from ainfera_server.accounts.signup import Signup
from ainfera_server.api import given
from ainfera_server.audit import store as audit_store
from ainfera_server.cli import first_start
from ainfera_server.errors import CardKeyLost
from ainfera_server.gateway import Gateway
from ainfera_server.inference import record
from ainfera_server.postgres import tenancy
from ainfera_server.settings import Settings
from tests.promises import proves

BEFORE, AFTER = "ab" * 32, "cd" * 32
WEEK = timedelta(days=7)


async def sign_up(gateway: Gateway) -> SignedUp:
    tenant_id = given.new_tenant_id(gateway)
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        asked = Signup(agent_handle="scout")
        return await actions.signup(connection, given.minting(gateway), asked, tenant_id=tenant_id)


@proves("tampering-is-named")
async def test_events_of_every_key_that_the_server_ever_had_still_verify(
    database: str, settings: Settings
) -> None:
    older = replace(settings, secret=BEFORE)
    async with gateways.opened(older, dsn=database, writes=record.writes) as gateway:
        await first_start.prepare(gateway)
        new = await sign_up(gateway)
        first_key = gateway.signer.key_id
    newer = replace(settings, secret=AFTER)
    async with gateways.opened(newer, dsn=database, writes=record.writes) as gateway:
        await first_start.prepare(gateway)
        tenant_id, agent_id = new.tenant.tenant_id, new.agent.agent_id
        assert gateway.signer.key_id != first_key
        minting = given.minting(gateway)
        with pytest.raises(CardKeyLost, match="card/rotate"):
            async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
                await card_actions.mint(connection, minting, agent_id=agent_id)
        async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
            rotated = await card_actions.rotate(
                connection, minting, agent_id=agent_id, overlap=WEEK
            )
        async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
            minted = await card_actions.mint(connection, minting, agent_id=agent_id)
            keys = await audit_store.public_key_pems(connection)
            links = await audit_store.links(connection, agent_id)
            whole = await audit_store.verify(connection, agent_id, keys)
        assert {link.key_id for link in links} == {first_key, gateway.signer.key_id} == set(keys)
        assert whole is not None
        assert (whole.valid, whole.event_count) == (True, len(links))
        for card in (new.card, rotated.card, minted):
            found = await shown_cards.verdict(gateway.pools.app, card.jws, now=gateway.now())
            assert found.reason is None
