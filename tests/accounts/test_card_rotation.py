"""An agent changes its key: old cards count for a while, and whatever was recorded holds."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import orjson
import pytest

from ainfera_server.accounts import (
    agent_cards,
    card_actions,
    card_store,
    sealing,
    shown_cards,
    store,
)
from ainfera_server.accounts.actions import SignedUp
from ainfera_server.accounts.agent_cards import PublicKey
from ainfera_server.accounts.card_actions import Rotated
from ainfera_server.accounts.shown_cards import Verdict
from ainfera_server.accounts.signup import Signup
from ainfera_server.audit import store as audit_store
from ainfera_server.conversation import Json
from ainfera_server.errors import Invalid, NotFound
from ainfera_server.identifiers import AgentId, Cell
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Pools
from tests.accounts import newcomer
from tests.conftest import Look
from tests.promises import proves

WEEK = timedelta(days=7)
DAY = timedelta(days=1)
AT_ONCE = timedelta(0)
LATER = newcomer.NOW + DAY


async def rotated(
    pools: Pools, new: SignedUp, *, at: datetime = LATER, overlap: timedelta = WEEK
) -> Rotated:
    """Change an agent's key, for good."""
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        return await card_actions.rotate(
            connection, newcomer.minting(now=at), agent_id=new.agent.agent_id, overlap=overlap
        )


async def minted(pools: Pools, new: SignedUp) -> agent_cards.Card:
    """Issue another card, for good."""
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        return await card_actions.mint(
            connection, newcomer.minting(now=LATER), agent_id=new.agent.agent_id
        )


async def verdict(pools: Pools, jws: str, *, at: datetime) -> Verdict:
    return await shown_cards.verdict(pools.app, jws, now=at)


async def published(pools: Pools, agent_id: AgentId) -> tuple[PublicKey, ...]:
    """What anybody may see."""
    async with tenancy.public_agent_transaction(pools.app, agent_id) as connection:
        return await card_store.keys(connection, agent_id)


async def test_another_card_is_under_the_same_key(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    card = await minted(pools, new)
    assert card.jws != new.card.jws
    assert card.key_id == new.card.key_id
    for jws in (card.jws, new.card.jws):
        found = await verdict(pools, jws, at=LATER)
        assert (found.reason, found.standing) == (None, "current")


@proves("cards-rotate")
async def test_cards_of_the_key_before_count_until_the_overlap_ends(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    after = await rotated(pools, new)
    assert after.previous_key_id == new.card.key_id
    assert after.previous_valid_until == LATER + WEEK
    for at, standing, reason in (
        (LATER, "overlapping", None),
        (LATER + WEEK, "expired", "expired_key"),
    ):
        old = await verdict(pools, new.card.jws, at=at)
        fresh = await verdict(pools, after.card.jws, at=at)
        assert (old.standing, old.reason) == (standing, reason)
        assert old.key is not None
        assert old.key.key_id == new.card.key_id
        assert (fresh.standing, fresh.reason) == ("current", None)


async def test_the_key_before_can_end_at_once_and_takes_those_in_overlap_along(
    pools: Pools,
) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    second = await rotated(pools, new)
    await rotated(pools, new, at=LATER + DAY, overlap=AT_ONCE)
    for jws in (new.card.jws, second.card.jws):
        assert (await verdict(pools, jws, at=LATER + DAY)).reason == "expired_key"


async def test_a_longer_overlap_does_not_bring_an_ended_key_back(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    await rotated(pools, new, overlap=AT_ONCE)
    await rotated(pools, new, at=LATER + DAY, overlap=WEEK)
    assert (await verdict(pools, new.card.jws, at=LATER + DAY)).reason == "expired_key"


async def test_the_agent_shows_and_signs_with_its_new_key_only(pools: Pools, look: Look) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    before = look("select card_private_key_sealed as sealed from agents")
    after = await rotated(pools, new)
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        agent = await store.agent(connection, new.agent.agent_id)
        shown = await card_store.card(connection, new.agent.agent_id)
    assert agent is not None
    assert agent.card_key_id == after.card.key_id != new.card.key_id
    assert after.card.payload["public_key"] == agent.public_key_pem != new.agent.public_key_pem
    assert shown == after.card.jws
    assert (await minted(pools, new)).key_id == after.card.key_id
    kept = look("select card_private_key_sealed as sealed from agents")
    assert kept != before
    with pytest.raises(sealing.NotSealed):
        sealing.unseal(kept[0]["sealed"], key=b"k" * 32, purpose=b"something else")


@proves("cards-rotate")
async def test_the_chain_says_which_key_followed_which_and_older_events_hold(
    pools: Pools,
) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    after = await rotated(pools, new)
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        links = await audit_store.links(connection, new.agent.agent_id)
        whole = await audit_store.verify(connection, new.agent.agent_id, newcomer.PUBLIC_KEYS)
    assert whole is not None
    assert (whole.valid, whole.event_count) == (True, 6)
    assert [link.event_type for link in links[-2:]] == ["agent_card.rotated", "agent_card.minted"]
    said: Mapping[str, Json] = orjson.loads(links[-2].payload)
    assert (said["previous_kid"], said["kid"]) == (new.card.key_id, after.card.key_id)
    assert said["previous_valid_until"] == "2026-03-12T05:06:07.000089Z"
    assert said["alg"] == "ES256"


async def test_rotations_at_the_same_time_follow_each_other(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    count = 12
    done = await asyncio.gather(*(rotated(pools, new) for _ in range(count)))
    keys = await published(pools, new.agent.agent_id)
    assert len(keys) == count + 1
    assert [key.valid_until for key in keys].count(None) == 1
    followers = {one.previous_key_id: one.card.key_id for one in done}
    line = [new.card.key_id]
    while line[-1] in followers:
        line.append(followers[line[-1]])
    assert len(line) == count + 1
    assert line[-1] == keys[0].key_id
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        whole = await audit_store.verify(connection, new.agent.agent_id, newcomer.PUBLIC_KEYS)
    assert whole is not None
    assert whole.valid


async def test_a_process_whose_clock_is_behind_rotates_all_the_same(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    await rotated(pools, new, at=newcomer.NOW - DAY, overlap=AT_ONCE)
    assert (await verdict(pools, new.card.jws, at=newcomer.NOW)).reason == "expired_key"


async def test_anybody_may_see_the_keys_of_an_agent_they_name_and_no_others(pools: Pools) -> None:
    one = await newcomer.signed_up(pools, Signup(agent_handle="one"))
    two = await newcomer.signed_up(pools, Signup(agent_handle="two"))
    after = await rotated(pools, one)
    keys = await published(pools, one.agent.agent_id)
    assert [key.key_id for key in keys] == [after.card.key_id, one.card.key_id]
    async with tenancy.public_agent_transaction(pools.app, one.agent.agent_id) as connection:
        assert await card_store.keys(connection, two.agent.agent_id) == ()
        assert await card_store.sealed_key(connection, one.agent.agent_id) is None
    async with tenancy.public_transaction(pools.app) as connection:
        assert await card_store.keys(connection, one.agent.agent_id) == ()


async def test_a_card_of_nobodys_key_or_agent_is_named_as_such(pools: Pools) -> None:
    one = await newcomer.signed_up(pools, Signup(agent_handle="one"))
    stranger = agent_cards.make_key("ES256", bytes(48))
    bearer = agent_cards.Bearer(
        agent_id=one.agent.agent_id,
        tenant_id=one.tenant.tenant_id,
        handle="one",
        canonical_uri=one.agent.canonical_uri,
        did_web=one.agent.did_web,
    )
    card = agent_cards.mint(bearer, stranger, newcomer.NOW)
    assert (await verdict(pools, card.jws, at=newcomer.NOW)).reason == "unknown_key"
    nobody = AgentId(newcomer.new_id(Cell(7)))
    card = agent_cards.mint(
        agent_cards.Bearer(
            agent_id=nobody,
            tenant_id=one.tenant.tenant_id,
            handle="one",
            canonical_uri="",
            did_web="",
        ),
        stranger,
        newcomer.NOW,
    )
    assert (await verdict(pools, card.jws, at=newcomer.NOW)).reason == "unknown_agent"
    assert (await verdict(pools, "no card", at=newcomer.NOW)).reason == "malformed"


async def test_nobody_rotates_the_key_of_somebody_elses_agent(pools: Pools) -> None:
    one = await newcomer.signed_up(pools, Signup(agent_handle="one"))
    two = await newcomer.signed_up(pools, Signup(agent_handle="two"))
    async with tenancy.tenant_transaction(pools.app, two.tenant.tenant_id) as connection:
        with pytest.raises(NotFound):
            await card_actions.rotate(
                connection, newcomer.minting(), agent_id=one.agent.agent_id, overlap=WEEK
            )
    assert len(await published(pools, one.agent.agent_id)) == 1


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=367)])
async def test_an_odd_overlap_is_refused_and_changes_nothing(
    pools: Pools, overlap: timedelta
) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    with pytest.raises(Invalid):
        await rotated(pools, new, overlap=overlap)
    assert len(await published(pools, new.agent.agent_id)) == 1
