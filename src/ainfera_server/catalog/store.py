"""Price books and changes of venues in the database: one function, one query."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime

from ainfera_server.catalog.venues import VenueState
from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Connection

QUERIES = queries.load(__name__)
INSERT_PRICE_BOOK = QUERIES["insert_price_book"]
SELECT_PRICE_BOOK = QUERIES["select_price_book"]
SELECT_LAST_VENUE_CHANGE = QUERIES["select_last_venue_change"]
INSERT_VENUE_CHANGE = QUERIES["insert_venue_change"]
SELECT_VENUE_STATES = QUERIES["select_venue_states"]
SELECT_VENUE_CHANGES = QUERIES["select_venue_changes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LastChange:
    """Where the chain of changes ends."""

    number: int
    payload_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedChange:
    """A change as it stands in the chain; `payload` is exactly what was hashed and signed."""

    number: int
    offer: str
    state: VenueState
    payload: str
    payload_hash: str
    key_id: str
    signature: str
    report: str | None
    changed_at: datetime


async def insert_price_book(connection: Connection, version: str, body: bytes) -> None:
    """Keep a price book; one that is kept already stays as it is."""
    await connection.execute(INSERT_PRICE_BOOK, version, body.decode())


async def price_book(connection: Connection, version: str) -> bytes | None:
    """The price book of that version, as `Catalog.encode` wrote it."""
    body = await connection.fetchval(SELECT_PRICE_BOOK, version)
    return None if body is None else str(body).encode()


async def last_venue_change(connection: Connection) -> LastChange | None:
    """The newest change; None while nobody has changed anything."""
    row = await connection.fetchrow(SELECT_LAST_VENUE_CHANGE)
    if row is None:
        return None
    return LastChange(number=row["number"], payload_hash=row["payload_hash"])


async def insert_venue_change(connection: Connection, change: RecordedChange) -> bool:
    """Add a change to the chain; False when another took its place there."""
    number = await connection.fetchval(
        INSERT_VENUE_CHANGE,
        change.number,
        change.offer,
        change.state,
        change.payload,
        change.payload_hash,
        change.key_id,
        change.signature,
        change.report,
        change.changed_at,
    )
    return number is not None


async def venue_states(connection: Connection) -> Mapping[str, VenueState]:
    """What operators made of offers, by slug."""
    rows = await connection.fetch(SELECT_VENUE_STATES)
    return {row["offer"]: row["state"] for row in rows}


async def venue_changes(connection: Connection) -> tuple[RecordedChange, ...]:
    """Every change, from the first."""
    rows = await connection.fetch(SELECT_VENUE_CHANGES)
    names = tuple(one.name for one in fields(RecordedChange))
    return tuple(RecordedChange(**{name: row[name] for name in names}) for row in rows)
