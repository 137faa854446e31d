"""Price books in the database: one function, one query."""

from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Connection

QUERIES = queries.load(__name__)
INSERT_PRICE_BOOK = QUERIES["insert_price_book"]
SELECT_PRICE_BOOK = QUERIES["select_price_book"]


async def insert_price_book(connection: Connection, version: str, body: bytes) -> None:
    """Keep a price book; one that is kept already stays as it is."""
    await connection.execute(INSERT_PRICE_BOOK, version, body.decode())


async def price_book(connection: Connection, version: str) -> bytes | None:
    """The price book of that version, as `Catalog.encode` wrote it."""
    body = await connection.fetchval(SELECT_PRICE_BOOK, version)
    return None if body is None else str(body).encode()
