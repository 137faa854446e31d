"""Agent cards: reading, minting and verifying them, and the keys they are signed with."""

from fastapi.responses import Response
from pydantic import BaseModel, Field

from ainfera_server.accounts import absent, agent_cards
from ainfera_server.accounts import actions as accounts_actions
from ainfera_server.accounts import store as accounts_store
from ainfera_server.accounts.agent_cards import Card
from ainfera_server.accounts.store import Listed
from ainfera_server.api import answers, given, ids
from ainfera_server.api.answers import Shown
from ainfera_server.api.given import Caller, Opened
from ainfera_server.errors import NotFound
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId
from ainfera_server.postgres import tenancy


class CardToVerify(BaseModel):
    """A card that somebody showed."""

    jws: str = Field(description="The card, a compact JWS.")


async def get_card(gateway: Opened, caller: Caller, agent_id: str) -> Response:
    """Read the card that an agent shows now."""
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        jws = await accounts_store.card(connection, wanted)
    if jws is None:
        raise absent.agent()
    card = agent_cards.read(jws)
    assert card is not None, "a card that we issued can be read"
    return answers.json(_card(card))


async def mint_card(gateway: Opened, caller: Caller, agent_id: str) -> Response:
    """Mint a new card under the agent's own key."""
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        card = await accounts_actions.mint_card(connection, given.minting(gateway), agent_id=wanted)
    return answers.json(_card(card))


async def verify_card(gateway: Opened, _caller: Caller, body: CardToVerify) -> Response:
    """Check a card against the key on record of the agent that it names."""
    card = agent_cards.read(body.jws)
    if card is None:
        return answers.json(_verdict(None, None, "malformed"))
    listed = await _bearer_of(gateway, card)
    if listed is None:
        return answers.json(_verdict(card, None, "unknown_agent"))
    if card.key_id != listed.card_key_id:
        return answers.json(_verdict(card, listed, "unknown_key"))
    fault = agent_cards.fault(card, alg=listed.card_alg, public_key_pem=listed.public_key_pem)
    return answers.json(_verdict(card, listed, fault))


async def public_key(gateway: Opened, agent_id: str) -> Response:
    """Read the public key of an agent's cards, as PEM; anybody may."""
    listed = await _listed(gateway, AgentId(ids.parsed(agent_id, absent.agent)))
    if listed is None:
        raise absent.agent()
    return Response(listed.public_key_pem, media_type="application/x-pem-file")


async def _bearer_of(gateway: Gateway, card: Card) -> Listed | None:
    """The agent that a card names; None when there is none."""
    named = card.payload.get("agent_id", card.payload.get("sub"))
    try:
        agent_id = AgentId(ids.parsed(str(named), absent.agent))
    except NotFound:
        return None
    return await _listed(gateway, agent_id)


async def _listed(gateway: Gateway, agent_id: AgentId) -> Listed | None:
    async with tenancy.public_transaction(gateway.pools.app) as connection:
        return await accounts_store.listed(connection, agent_id)


def _card(card: Card) -> dict[str, Shown]:
    return {"jws": card.jws, "payload": card.payload, "kid": card.key_id}


def _verdict(card: Card | None, listed: Listed | None, fault: str | None) -> dict[str, Shown]:
    return {
        "valid": fault is None,
        "status": "valid" if fault is None else "invalid",
        "reason": fault,
        "payload": None if card is None else card.payload,
        "kid": None if card is None else card.key_id,
        "agent_id": None if listed is None else str(listed.agent_id),
        "canonical_uri": None if listed is None else listed.canonical_uri,
    }
