"""What changes cards and their keys, each with its events in the same commit.

Every action takes the transaction it is given, opened for the tenant of the agent.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ainfera_server import identifiers
from ainfera_server.accounts import absent, agent_cards, card_store, sealing, store
from ainfera_server.accounts.agent_cards import Bearer, Card, CardKey
from ainfera_server.accounts.card_store import IssuedCard, NewKey
from ainfera_server.accounts.minting import Minting
from ainfera_server.accounts.sealing import NotSealed
from ainfera_server.accounts.store import Agent
from ainfera_server.audit import events
from ainfera_server.audit import store as audit_store
from ainfera_server.audit.events import Event, EventType
from ainfera_server.audit.recorder import Recorder
from ainfera_server.errors import CardKeyLost, Invalid
from ainfera_server.identifiers import AgentId
from ainfera_server.postgres.pool import Connection

OVERLAP_DEFAULT = timedelta(days=7)
"""How long cards of the key before still count, unless the owner says otherwise."""
OVERLAP_MAX = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """An agent's first card under its new key, and until when those of the key before count."""

    card: Card
    previous_key_id: str
    previous_valid_until: datetime


async def mint(connection: Connection, minting: Minting, *, agent_id: AgentId) -> Card:
    """Issue another card under the agent's own key. Raises NotFound and CardKeyLost."""
    heads = await audit_store.lock_heads(connection, [agent_id])
    agent = await store.agent(connection, agent_id) if heads else None
    kept = await card_store.sealed_key(connection, agent_id)
    if agent is None or kept is None:
        raise absent.agent()
    key = CardKey(
        key_id=agent.card_key_id,
        alg=agent.card_alg,
        public_key_pem=agent.public_key_pem,
        private_key_pem=_unsealed(minting, agent_id, kept),
    )
    card, minted = await issue(connection, minting.recorder, agent, key)
    await audit_store.append(connection, [minted], minting.recorder.signer)
    return card


async def rotate(
    connection: Connection, minting: Minting, *, agent_id: AgentId, overlap: timedelta
) -> Rotated:
    """Give an agent a new key and a card under it; the keys before count until the overlap ends.

    A shorter overlap also shortens those of earlier rotations, so that after it only the new key
    counts. Raises NotFound and Invalid.
    """
    if not timedelta(0) <= overlap <= OVERLAP_MAX:
        seconds_max = int(OVERLAP_MAX.total_seconds())
        raise Invalid(f"overlap_s must be 0 to {seconds_max} seconds.", param="overlap_s")
    recorder = minting.recorder
    heads = await audit_store.lock_heads(connection, [agent_id])
    before = await store.agent(connection, agent_id) if heads else None
    if before is None:
        raise absent.agent()
    key = make_key(minting)
    agent = replace(
        before, card_key_id=key.key_id, card_alg=key.alg, public_key_pem=key.public_key_pem
    )
    ends_at = recorder.now + overlap
    await card_store.end_keys(connection, agent_id, until=ends_at)
    new = NewKey(
        tenant_id=agent.tenant_id,
        agent_id=agent_id,
        key=key,
        private_key_sealed=sealed(minting, agent_id, key),
        valid_from=recorder.now,
    )
    await card_store.write_key(connection, new)
    await card_store.change_key(connection, new)
    rotated = _rotated(recorder, agent, before=before, ends_at=ends_at)
    card, minted = await issue(connection, recorder, agent, key)
    await audit_store.append(connection, [rotated, minted], recorder.signer)
    return Rotated(card=card, previous_key_id=before.card_key_id, previous_valid_until=ends_at)


def make_key(minting: Minting) -> CardKey:
    """Make a key pair for an agent's cards."""
    return agent_cards.make_key(minting.card_alg, minting.random(agent_cards.RANDOM_BYTES))


def sealed(minting: Minting, agent_id: AgentId, key: CardKey) -> str:
    """The private half of a key as it is kept."""
    return sealing.seal(
        key.private_key_pem,
        key=minting.sealing_key,
        nonce=minting.random(sealing.NONCE_BYTES),
        purpose=_purpose(agent_id),
    )


async def issue(
    connection: Connection, recorder: Recorder, agent: Agent, key: CardKey
) -> tuple[Card, Event]:
    """Sign a card and write it; the event is for the caller to append."""
    bearer = Bearer(
        agent_id=agent.agent_id,
        tenant_id=agent.tenant_id,
        handle=agent.handle,
        canonical_uri=agent.canonical_uri,
        did_web=agent.did_web,
    )
    card = agent_cards.mint(bearer, key, recorder.now)
    issued = IssuedCard(
        card_id=recorder.new_id(identifiers.cell_of(agent.agent_id)),
        tenant_id=agent.tenant_id,
        agent_id=agent.agent_id,
        key=key,
        jws=card.jws,
        created_at=recorder.now,
    )
    await card_store.write_card(connection, issued)
    minted = recorder.event(
        EventType.AGENT_CARD_MINTED,
        {"card_id": str(issued.card_id), "kid": key.key_id, "alg": key.alg},
        tenant_id=agent.tenant_id,
        agent_id=agent.agent_id,
    )
    return card, minted


def _unsealed(minting: Minting, agent_id: AgentId, kept: str) -> bytes:
    try:
        return sealing.unseal(kept, key=minting.sealing_key, purpose=_purpose(agent_id))
    except NotSealed:
        raise CardKeyLost(
            "The server's secret was changed since this agent's key was made, so the key signs no"
            " more. POST /v1/agents/{agent_id}/card/rotate gives the agent another."
        ) from None


def _rotated(recorder: Recorder, agent: Agent, *, before: Agent, ends_at: datetime) -> Event:
    return recorder.event(
        EventType.AGENT_CARD_ROTATED,
        {
            "kid": agent.card_key_id,
            "alg": agent.card_alg,
            "previous_kid": before.card_key_id,
            "previous_valid_until": events.timestamp(ends_at),
        },
        tenant_id=agent.tenant_id,
        agent_id=agent.agent_id,
    )


def _purpose(agent_id: AgentId) -> bytes:
    """A sealed key opens for its own agent's cards and nothing else."""
    return f"agent card key of {agent_id}".encode("ascii")
