"""Believing a card that somebody showed: by the keys on record of the agent that it names."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ainfera_server import identifiers
from ainfera_server.accounts import agent_cards, card_store, store
from ainfera_server.accounts.agent_cards import Card, CardFault, PublicKey, Standing
from ainfera_server.accounts.store import Listed
from ainfera_server.audit import events
from ainfera_server.conversation import Json
from ainfera_server.identifiers import AgentId
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Pool

Reason = CardFault | Literal["unknown_agent", "unknown_key"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What checking a card found: `reason` is None for one that counts.

    The others are None as far as the card does not lead to them.
    """

    reason: Reason | None
    card: Card | None = None
    bearer: Listed | None = None
    key: PublicKey | None = None
    standing: Standing | None = None


async def verdict(pool: Pool, jws: str, *, now: datetime) -> Verdict:
    """Check a card of anybody's agent."""
    card = agent_cards.read(jws)
    if card is None:
        return Verdict(reason="malformed")
    agent_id = _named(card)
    if agent_id is None:
        return Verdict(reason="unknown_agent", card=card)
    async with tenancy.public_agent_transaction(pool, agent_id) as connection:
        bearer = await store.listed(connection, agent_id)
        key = await card_store.key(connection, agent_id, card.key_id)
    if bearer is None:
        return Verdict(reason="unknown_agent", card=card)
    if key is None:
        return Verdict(reason="unknown_key", card=card, bearer=bearer)
    return Verdict(
        reason=agent_cards.fault(card, key, now),
        card=card,
        bearer=bearer,
        key=key,
        standing=agent_cards.standing(key, now),
    )


def key_facts(key: PublicKey, *, now: datetime) -> dict[str, Json]:
    """A key with its validity, as it is served; `valid_until` is null for the one that signs."""
    valid_until = key.valid_until
    return {
        **agent_cards.jwk(key),
        "public_key_pem": key.public_key_pem,
        "status": agent_cards.standing(key, now),
        "valid_from": events.timestamp(key.valid_from),
        "valid_until": None if valid_until is None else events.timestamp(valid_until),
    }


def verdict_facts(found: Verdict) -> Mapping[str, Json]:
    """A verdict as every door shows it."""
    card, bearer, key = found.card, found.bearer, found.key
    valid_until = None if key is None else key.valid_until
    return {
        "valid": found.reason is None,
        "reason": found.reason,
        "payload": None if card is None else dict(card.payload),
        "kid": None if card is None else card.key_id,
        "key_status": found.standing,
        "key_valid_until": None if valid_until is None else events.timestamp(valid_until),
        "agent_id": None if bearer is None else str(bearer.agent_id),
        "canonical_uri": None if bearer is None else bearer.canonical_uri,
    }


def _named(card: Card) -> AgentId | None:
    """The agent that a card names; None when that is no id."""
    named = card.payload.get("agent_id", card.payload.get("sub"))
    parsed = identifiers.parsed(str(named))
    return None if parsed is None else AgentId(parsed)
