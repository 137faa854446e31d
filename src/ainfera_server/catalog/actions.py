"""Changes to what the database knows of the catalog."""

from ainfera_server.catalog import store
from ainfera_server.catalog.offers import Catalog
from ainfera_server.postgres.pool import Connection


async def import_catalog(connection: Connection, catalog: Catalog) -> None:
    """Keep the catalog that answers are priced by from now on, unless it is kept already.

    Several processes may do so at once: what they write is the same.
    """
    await store.insert_price_book(connection, catalog.version, catalog.encode())
