"""Tools about the signed cards that say who an agent is."""

from datetime import timedelta

from pydantic import Field, JsonValue

from ainfera_server.accounts import card_actions, shown_cards
from ainfera_server.accounts.minting import Minting
from ainfera_server.audit import events
from ainfera_server.mcp_server.agents import OfAgent
from ainfera_server.mcp_server.asking import Asking
from ainfera_server.mcp_server.tool import Arguments, Result
from ainfera_server.postgres import tenancy

OVERLAP_DEFAULT_S = int(card_actions.OVERLAP_DEFAULT.total_seconds())
OVERLAP_MAX_S = int(card_actions.OVERLAP_MAX.total_seconds())


class CardMinted(Result):
    """A signed card; `payload` is what the second part of `jws` decodes to."""

    jws: str
    payload: dict[str, JsonValue]
    kid: str


class Rotation(OfAgent):
    """How an agent goes over to a new key."""

    overlap_s: int = Field(
        default=OVERLAP_DEFAULT_S,
        ge=0,
        le=OVERLAP_MAX_S,
        description="How long cards of the key before still count, in seconds; 0 ends them now.",
    )


class CardRotated(CardMinted):
    """The first card under the new key, and until when those of the key before count."""

    previous_kid: str
    previous_valid_until: str


class CardToVerify(Arguments):
    """A card that somebody showed."""

    jws: str = Field(description="The card, a compact JWS.")


class CardVerdict(Result):
    """What checking a card found; `reason` is null for a genuine card that counts.

    `key_status` says whether its key signs now, still counts beside a newer one, or has expired.
    """

    valid: bool
    reason: str | None
    agent_id: str | None
    canonical_uri: str | None
    kid: str | None
    key_status: str | None
    key_valid_until: str | None
    payload: dict[str, JsonValue] | None


async def mint_card(ask: Asking, asked: OfAgent) -> CardMinted:
    """Issue another card under the agent's own key. Raises NotFound."""
    async with tenancy.tenant_transaction(
        ask.gateway.pools.app, ask.caller.tenant_id
    ) as connection:
        card = await card_actions.mint(
            connection, _minting(ask), agent_id=ask.agent(asked.agent_id)
        )
    return CardMinted(jws=card.jws, payload=dict(card.payload), kid=card.key_id)


async def rotate_card(ask: Asking, asked: Rotation) -> CardRotated:
    """Give an agent a new key and a card under it. Raises NotFound."""
    async with tenancy.tenant_transaction(
        ask.gateway.pools.app, ask.caller.tenant_id
    ) as connection:
        rotated = await card_actions.rotate(
            connection,
            _minting(ask),
            agent_id=ask.agent(asked.agent_id),
            overlap=timedelta(seconds=asked.overlap_s),
        )
    card = rotated.card
    return CardRotated(
        jws=card.jws,
        payload=dict(card.payload),
        kid=card.key_id,
        previous_kid=rotated.previous_key_id,
        previous_valid_until=events.timestamp(rotated.previous_valid_until),
    )


async def verify_card(ask: Asking, asked: CardToVerify) -> CardVerdict:
    """Check a card against the keys on record of the agent that it names."""
    gateway = ask.gateway
    found = await shown_cards.verdict(gateway.pools.app, asked.jws, now=gateway.now())
    return CardVerdict.model_validate(shown_cards.verdict_facts(found))


def _minting(ask: Asking) -> Minting:
    """What an action makes identities with, for this moment."""
    gateway = ask.gateway
    return Minting(
        recorder=ask.recorder(),
        random=gateway.random,
        pepper=gateway.keyring.api_key_pepper,
        sealing_key=gateway.keyring.sealing_key,
        card_alg=gateway.settings.card_alg,
        signup_grant=gateway.settings.signup_grant,
    )
