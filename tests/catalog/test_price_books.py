"""Price books in a real database."""

import asyncio

from ainfera_server.catalog import actions, lists, offers, store
from ainfera_server.catalog.offers import Catalog
from ainfera_server.postgres import pool
from ainfera_server.postgres.pool import Pools


async def import_it(pools: Pools, catalog: Catalog) -> None:
    async with pool.transaction(pools.app) as connection:
        await actions.import_catalog(connection, catalog)


async def test_a_price_book_is_kept_byte_for_byte_however_often_it_is_imported(
    pools: Pools,
) -> None:
    catalog = lists.read_price_lists()
    await import_it(pools, catalog)
    await import_it(pools, catalog)
    async with pool.transaction(pools.app) as connection:
        body = await store.price_book(connection, catalog.version)
    assert body == catalog.encode()
    assert offers.decode(body or b"") == catalog


async def test_processes_that_start_together_may_import_the_same_catalog(pools: Pools) -> None:
    catalog = lists.read_price_lists()
    async with asyncio.TaskGroup() as starting:
        for _ in range(4):
            starting.create_task(import_it(pools, catalog))
    async with pool.transaction(pools.app) as connection:
        assert await store.price_book(connection, catalog.version) is not None


async def test_a_version_that_was_never_imported_has_no_price_book(pools: Pools) -> None:
    async with pool.transaction(pools.app) as connection:
        assert await store.price_book(connection, "0" * 64) is None
