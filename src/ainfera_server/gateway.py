"""Everything that is opened once: pools, journal, HTTP client, catalog, keys, clock."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from ainfera_server import identifiers, keyring, telemetry
from ainfera_server.accounts.callers import Callers
from ainfera_server.audit import signing
from ainfera_server.audit.public_log import witnesses
from ainfera_server.audit.public_log.witnesses import Witness
from ainfera_server.audit.signing import Signer
from ainfera_server.catalog import lists
from ainfera_server.catalog import store as catalog_store
from ainfera_server.catalog.offers import Catalog, Offer
from ainfera_server.catalog.venues import Venues
from ainfera_server.identifiers import Cell
from ainfera_server.journal import Journal, Write
from ainfera_server.keyring import Keyring
from ainfera_server.postgres import pool, tenancy
from ainfera_server.postgres.pool import Pools
from ainfera_server.providers import PROVIDERS, provider, transport
from ainfera_server.providers.condition_metrics import Conditions
from ainfera_server.providers.credentials import Credentials
from ainfera_server.providers.health import Health
from ainfera_server.providers.provider import Endpoint
from ainfera_server.providers.retry_budget import RetryBudget
from ainfera_server.providers.transport import Transport
from ainfera_server.settings import Settings
from ainfera_server.telemetry import Metrics

ResultT = TypeVar("ResultT")

RETRY_WAITS_S = (0.5, 2.0)
"""How long to wait before asking a provider again that answered 429."""

HEARTBEAT_S = 15.0
"""How long a stream may be silent before the caller hears that it is alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What every request shares. Opened by `opened`, closed when that ends."""

    settings: Settings
    public_url: str
    pools: Pools
    journal: "Journal[Any, Any]"
    transport: Transport
    catalog: Catalog
    endpoints: Mapping[str, Endpoint]
    enrolled_offers: Sequence[Offer]
    health: Health
    callers: Callers
    keyring: Keyring
    signer: Signer
    log_signer: Signer
    witnesses: tuple[Witness, ...]
    metrics: Metrics
    venues: Venues = field(default_factory=Venues)
    credentials: Credentials = field(default_factory=Credentials)
    retries: RetryBudget = field(default_factory=RetryBudget)
    retry_waits_s: tuple[float, ...] = RETRY_WAITS_S
    heartbeat_s: float = HEARTBEAT_S
    _running: set["asyncio.Task[Any]"] = field(default_factory=set["asyncio.Task[Any]"])

    def now(self) -> datetime:
        """The moment, for people and for the record."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never jump, for durations and deadlines."""
        return time.monotonic()

    def new_id(self, cell: Cell) -> UUID:
        """A fresh id in a cell."""
        return identifiers.new_id(
            cell=cell,
            unix_ms=time.time_ns() // 1_000_000,
            random=self.random(identifiers.RANDOM_BYTES),
        )

    def random(self, size: int) -> bytes:
        """Bytes that nobody can guess."""
        return os.urandom(size)

    async def finish(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Carry out work that must end although its caller may be cancelled."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def wait_for_running(self) -> None:
        """Wait for what `finish` still carries out."""
        while self._running:
            await asyncio.wait(tuple(self._running))


@asynccontextmanager
async def opened(
    settings: Settings, *, dsn: str, writes: Callable[[Signer], Write[Any, Any]]
) -> AsyncGenerator[Gateway]:
    """Open everything against a migrated database; leaving closes it in the opposite order.

    `writes` says what the journal writes: rooms above this one know, this one does not.
    """
    keys = keyring.derived(
        keyring.parse_root(settings.secret)
        if settings.secret
        else keyring.kept_root(settings.data_dir)
    )
    signer = signing.signer(keys.signing_seed)
    catalog = lists.read_price_lists()
    endpoints = endpoints_of(settings)
    venues = Venues(catalog.offers, providers=endpoints)
    async with AsyncExitStack() as stack:
        pools = await stack.enter_async_context(pool.opened(dsn))
        gateway = Gateway(
            settings=settings,
            public_url=settings.public_url or f"http://{settings.host}:{settings.port}",
            pools=pools,
            journal=await stack.enter_async_context(Journal(pools.writer, writes(signer))),
            transport=await stack.enter_async_context(transport.opened()),
            catalog=catalog,
            endpoints=endpoints,
            enrolled_offers=venues,
            venues=venues,
            health=Health(),
            callers=Callers(pools.app, pepper=keys.api_key_pepper, monotonic=time.monotonic),
            keyring=keys,
            signer=signer,
            log_signer=signing.signer(keys.log_seed),
            witnesses=witnesses.configured(settings.log_witnesses),
            metrics=telemetry.metrics(),
        )
        stack.push_async_callback(gateway.wait_for_running)
        _watch_providers(gateway)
        await refresh_venues(gateway)
        yield gateway


async def refresh_venues(gateway: Gateway) -> None:
    """Look which offers operators have lit and darkened, from any process."""
    async with tenancy.public_transaction(gateway.pools.app) as connection:
        gateway.venues.apply(await catalog_store.venue_states(connection))


def _watch_providers(gateway: Gateway) -> None:
    """Show among the metrics what is known of providers."""
    conditions = Conditions(
        health=gateway.health,
        credentials=gateway.credentials,
        retries=gateway.retries,
        endpoints=gateway.endpoints,
        clock=gateway.monotonic,
    )
    gateway.metrics.registry.register(conditions)


def endpoints_of(settings: Settings) -> Mapping[str, Endpoint]:
    """Where calls may go: the providers with a key, and the local model where it runs.

    Raises NotAnEndpoint.
    """
    base_urls = dict(settings.provider_base_urls)
    if settings.local_model_url is not None:
        base_urls["local"] = settings.local_model_url
    return provider.endpoints(PROVIDERS, keys=settings.provider_keys, base_urls=base_urls)
