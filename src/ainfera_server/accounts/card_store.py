"""The queries about cards and their keys: one function runs one query."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from ainfera_server import identifiers
from ainfera_server.accounts.agent_cards import CardKey, PublicKey
from ainfera_server.identifiers import AgentId, TenantId
from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Connection, Row

QUERIES = queries.load(__name__, "cards.sql")
WRITE_CARD = QUERIES["write_card"]
CARD = QUERIES["card"]
SEALED_KEY = QUERIES["sealed_key"]
END_KEYS = QUERIES["end_keys"]
WRITE_KEY = QUERIES["write_key"]
CHANGE_KEY = QUERIES["change_key"]
KEYS = QUERIES["keys"]
KEY = QUERIES["key"]

KEYS_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCard:
    """A card to write."""

    card_id: UUID
    tenant_id: TenantId
    agent_id: AgentId
    key: CardKey
    jws: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that an agent signs with from now on, its private half sealed."""

    tenant_id: TenantId
    agent_id: AgentId
    key: CardKey
    private_key_sealed: str = field(repr=False)
    valid_from: datetime


async def write_card(connection: Connection, card: IssuedCard) -> None:
    """Write a card that was issued."""
    await connection.execute(
        WRITE_CARD,
        identifiers.cell_of(card.card_id),
        card.card_id,
        card.tenant_id,
        card.agent_id,
        card.key.key_id,
        card.jws,
        card.created_at,
    )


async def card(connection: Connection, agent_id: AgentId) -> str | None:
    """The card that an agent shows now, as it was issued; None when there is none."""
    jws: str | None = await connection.fetchval(CARD, identifiers.cell_of(agent_id), agent_id)
    return jws


async def sealed_key(connection: Connection, agent_id: AgentId) -> str | None:
    """The sealed key of an agent's cards; None when there is no such agent."""
    sealed: str | None = await connection.fetchval(
        SEALED_KEY, identifiers.cell_of(agent_id), agent_id
    )
    return sealed


async def end_keys(connection: Connection, agent_id: AgentId, *, until: datetime) -> None:
    """Let every key of an agent's end, at this moment at the latest."""
    await connection.execute(END_KEYS, identifiers.cell_of(agent_id), agent_id, until)


async def write_key(connection: Connection, new: NewKey) -> None:
    """Publish a new key. The agent's others must have been ended."""
    await connection.execute(
        WRITE_KEY,
        identifiers.cell_of(new.agent_id),
        new.agent_id,
        new.key.key_id,
        new.tenant_id,
        new.key.alg,
        new.key.public_key_pem,
        new.valid_from,
    )


async def change_key(connection: Connection, new: NewKey) -> None:
    """Have an agent sign with a new key."""
    await connection.execute(
        CHANGE_KEY,
        identifiers.cell_of(new.agent_id),
        new.agent_id,
        new.key.key_id,
        new.key.alg,
        new.key.public_key_pem,
        new.private_key_sealed,
    )


async def keys(connection: Connection, agent_id: AgentId) -> tuple[PublicKey, ...]:
    """Every key that signed cards of an agent, newest first."""
    rows = await connection.fetch(KEYS, identifiers.cell_of(agent_id), agent_id, KEYS_MAX)
    return tuple(_key(row) for row in rows)


async def key(connection: Connection, agent_id: AgentId, key_id: str) -> PublicKey | None:
    """One key of an agent's cards; None when it never had such a key."""
    row = await connection.fetchrow(KEY, identifiers.cell_of(agent_id), agent_id, key_id)
    return None if row is None else _key(row)


def _key(row: Row) -> PublicKey:
    return PublicKey(
        key_id=row["key_id"],
        alg=row["alg"],
        public_key_pem=row["public_key_pem"],
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
    )
