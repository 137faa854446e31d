"""Tools about agents: who one is, and the signed cards that prove it."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, JsonValue

from ainfera_server.accounts import absent, agent_cards
from ainfera_server.accounts import actions as accounts_actions
from ainfera_server.accounts import store as accounts_store
from ainfera_server.accounts.minting import Minting
from ainfera_server.accounts.store import Listed
from ainfera_server.audit import events
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId
from ainfera_server.mcp_server.asking import Asking
from ainfera_server.mcp_server.tool import Arguments, Result
from ainfera_server.postgres import tenancy
from ainfera_server.wallet import policy

AGENT_ID = Field(default=None, description="An agent of yours; the key's own when left out.")


class OfAgent(Arguments):
    """Which agent is meant."""

    agent_id: Annotated[UUID | None, AGENT_ID] = None


class SpendPolicy(Result):
    """What the owner allows; null where nothing was decided."""

    per_call_cap_usd: str | None
    daily_cap_usd: str | None
    min_quality: str | None


class AgentFound(Result):
    """An agent as its owner sees it."""

    agent_id: str
    tenant_id: str
    name: str
    handle: str
    status: str
    canonical_uri: str
    did_web: str
    spend_policy: SpendPolicy
    drain_proof_status: str
    public_key_pem: str
    public_key_alg: str
    created_at: str


class CardMinted(Result):
    """A signed card; `payload` is what the second part of `jws` decodes to."""

    jws: str
    payload: dict[str, JsonValue]
    kid: str


class CardToVerify(Arguments):
    """A card that somebody showed."""

    jws: str = Field(description="The card, a compact JWS.")


class CardVerdict(Result):
    """What checking a card found; `reason` is null for a genuine card."""

    valid: bool
    reason: str | None
    agent_id: str | None
    canonical_uri: str | None
    kid: str | None
    payload: dict[str, JsonValue] | None


async def get_agent(ask: Asking, asked: OfAgent) -> AgentFound:
    """Look at an agent. Raises NotFound."""
    async with tenancy.tenant_transaction(
        ask.gateway.pools.app, ask.caller.tenant_id
    ) as connection:
        agent = await accounts_store.agent(connection, ask.agent(asked.agent_id))
    if agent is None:
        raise absent.agent()
    return AgentFound(
        agent_id=str(agent.agent_id),
        tenant_id=str(agent.tenant_id),
        name=agent.name,
        handle=agent.handle,
        status=agent.status,
        canonical_uri=agent.canonical_uri,
        did_web=agent.did_web,
        spend_policy=SpendPolicy.model_validate(policy.facts(agent.spend_policy)),
        drain_proof_status=policy.drain_proof_status(agent.spend_policy),
        public_key_pem=agent.public_key_pem,
        public_key_alg=agent.card_alg,
        created_at=events.timestamp(agent.created_at),
    )


async def mint_card(ask: Asking, asked: OfAgent) -> CardMinted:
    """Issue another card under the agent's own key. Raises NotFound."""
    gateway = ask.gateway
    minting = Minting(
        recorder=ask.recorder(),
        random=gateway.random,
        pepper=gateway.keyring.api_key_pepper,
        sealing_key=gateway.keyring.sealing_key,
        card_alg=gateway.settings.card_alg,
        signup_grant=gateway.settings.signup_grant,
    )
    async with tenancy.tenant_transaction(gateway.pools.app, ask.caller.tenant_id) as connection:
        card = await accounts_actions.mint_card(
            connection, minting, agent_id=ask.agent(asked.agent_id)
        )
    return CardMinted(jws=card.jws, payload=dict(card.payload), kid=card.key_id)


async def verify_card(ask: Asking, asked: CardToVerify) -> CardVerdict:
    """Check a card against the key on record of the agent that it names."""
    card = agent_cards.read(asked.jws)
    if card is None:
        return CardVerdict(
            valid=False,
            reason="malformed",
            agent_id=None,
            canonical_uri=None,
            kid=None,
            payload=None,
        )
    named = card.payload.get("agent_id", card.payload.get("sub"))
    listed = await _listed(ask.gateway, named)
    fault: str | None
    if listed is None:
        fault = "unknown_agent"
    elif card.key_id != listed.card_key_id:
        fault = "unknown_key"
    else:
        fault = agent_cards.fault(card, alg=listed.card_alg, public_key_pem=listed.public_key_pem)
    return CardVerdict(
        valid=fault is None,
        reason=fault,
        agent_id=None if listed is None else str(listed.agent_id),
        canonical_uri=None if listed is None else listed.canonical_uri,
        kid=card.key_id,
        payload=dict(card.payload),
    )


async def _listed(gateway: Gateway, named: object) -> Listed | None:
    """The agent that a card names; None when there is none."""
    try:
        agent_id = AgentId(UUID(str(named)))
    except ValueError:
        return None
    async with tenancy.public_transaction(gateway.pools.app) as connection:
        return await accounts_store.listed(connection, agent_id)
