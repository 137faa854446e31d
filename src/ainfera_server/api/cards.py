"""Agent cards: reading, minting, rotating and verifying them, and the keys they are signed with."""

from datetime import timedelta

from fastapi.responses import Response
from pydantic import BaseModel, Field

from ainfera_server.accounts import absent, agent_cards, card_actions, card_store, shown_cards
from ainfera_server.accounts.agent_cards import Card, PublicKey
from ainfera_server.api import answers, given, ids
from ainfera_server.api.answers import Shown
from ainfera_server.api.given import Caller, Opened
from ainfera_server.audit import events
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId
from ainfera_server.postgres import tenancy

OVERLAP_DEFAULT_S = int(card_actions.OVERLAP_DEFAULT.total_seconds())
OVERLAP_MAX_S = int(card_actions.OVERLAP_MAX.total_seconds())


class CardToVerify(BaseModel):
    """A card that somebody showed."""

    jws: str = Field(description="The card, a compact JWS.")


class CardRotation(BaseModel):
    """How an agent goes over to a new key."""

    overlap_s: int = Field(
        OVERLAP_DEFAULT_S,
        ge=0,
        le=OVERLAP_MAX_S,
        description="How long cards of the key before still count, in seconds; 0 ends them now."
        " Seven days unless said otherwise.",
    )


async def get_card(gateway: Opened, caller: Caller, agent_id: str) -> Response:
    """Read the card that an agent shows now."""
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        jws = await card_store.card(connection, wanted)
    if jws is None:
        raise absent.agent()
    card = agent_cards.read(jws)
    assert card is not None, "a card that we issued can be read"
    return answers.json(_card(card))


async def mint_card(gateway: Opened, caller: Caller, agent_id: str) -> Response:
    """Mint a new card under the agent's own key."""
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        card = await card_actions.mint(connection, given.minting(gateway), agent_id=wanted)
    return answers.json(_card(card))


async def rotate_card(
    gateway: Opened, caller: Caller, agent_id: str, body: CardRotation | None = None
) -> Response:
    """Give an agent a new key and a card under it; cards of the key before count for a while."""
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    asked = body or CardRotation()  # pyright: ignore[reportCallIssue]  (it has a default)
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        rotated = await card_actions.rotate(
            connection,
            given.minting(gateway),
            agent_id=wanted,
            overlap=timedelta(seconds=asked.overlap_s),
        )
    return answers.json(
        {
            **_card(rotated.card),
            "previous_kid": rotated.previous_key_id,
            "previous_valid_until": events.timestamp(rotated.previous_valid_until),
        }
    )


async def verify_card(gateway: Opened, _caller: Caller, body: CardToVerify) -> Response:
    """Check a card against the keys on record of the agent that it names."""
    found = await shown_cards.verdict(gateway.pools.app, body.jws, now=gateway.now())
    status = "valid" if found.reason is None else "invalid"
    return answers.json({**shown_cards.verdict_facts(found), "status": status})


async def public_key(gateway: Opened, agent_id: str) -> Response:
    """Read the public key that signs an agent's cards now, as PEM; anybody may."""
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    newest, *_ = await _keys(gateway, wanted)
    return Response(newest.public_key_pem, media_type="application/x-pem-file")


async def public_keys(gateway: Opened, agent_id: str) -> Response:
    """Read every key that signed an agent's cards, with its validity; anybody may.

    `keys` is a JSON Web Key Set of those whose cards count now; the others are `expired_keys`.
    """
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    now = gateway.now()
    shown = [shown_cards.key_facts(key, now=now) for key in await _keys(gateway, wanted)]
    return answers.json(
        {
            "agent_id": str(wanted),
            "keys": [one for one in shown if one["status"] != "expired"],
            "expired_keys": [one for one in shown if one["status"] == "expired"],
        }
    )


async def _keys(gateway: Gateway, agent_id: AgentId) -> tuple[PublicKey, ...]:
    """Every key of an agent, the one that signs now first. Raises NotFound."""
    async with tenancy.public_agent_transaction(gateway.pools.app, agent_id) as connection:
        keys = await card_store.keys(connection, agent_id)
    if not keys:
        raise absent.agent()
    return keys


def _card(card: Card) -> dict[str, Shown]:
    return {"jws": card.jws, "payload": card.payload, "kid": card.key_id}
