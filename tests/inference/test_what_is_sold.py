"""Only what has a price and a provider's key is sold, whether it is chosen or asked for by name."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from ainfera_server import gateway as gateways
from ainfera_server.catalog import views
from ainfera_server.errors import ModelUnavailable
from ainfera_server.gateway import Gateway
from ainfera_server.inference import record
from ainfera_server.settings import PROVIDER_SLUGS, Settings
from tests.inference import callers
from tests.promises import proves
from tests.scripted_provider import DEFAULT_KEY, ScriptedProvider


@pytest_asyncio.fixture
async def with_every_key(
    database: str, settings: Settings, scripted_provider: ScriptedProvider
) -> AsyncIterator[Gateway]:
    """A gateway with a key for each provider, all of which are the scripted one."""
    addresses = {**dict.fromkeys(PROVIDER_SLUGS, scripted_provider.base_url)}
    keyed = replace(
        settings,
        provider_keys=dict.fromkeys(PROVIDER_SLUGS, DEFAULT_KEY),
        provider_base_urls={**addresses, "anthropic": scripted_provider.root_url},
    )
    async with gateways.opened(keyed, dsn=database, writes=record.writes) as opened:
        yield opened


@proves("unpriced-is-never-served")
async def test_what_has_no_price_is_no_candidate_and_cannot_be_had_by_its_name_either(
    with_every_key: Gateway, scripted_provider: ScriptedProvider
) -> None:
    unpriced = [one for one in with_every_key.catalog.offers if one.prices is None]
    assert unpriced
    assert all(one.prices for one in with_every_key.enrolled_offers)
    caller = await callers.signed_up(with_every_key)
    for offer in unpriced:
        with pytest.raises(ModelUnavailable):
            await caller.asks(with_every_key, model=offer.slug)
    assert scripted_provider.requests == []


@proves("no-provider-key-no-candidate")
async def test_a_provider_without_a_key_is_listed_and_none_of_its_offers_is_a_candidate(
    gateway: Gateway, scripted_provider: ScriptedProvider
) -> None:
    listed = {one["slug"]: one["has_key"] for one in views.providers(gateway.catalog, {"openai"})}
    assert listed.pop("openai") is True
    assert set(PROVIDER_SLUGS) - {"openai"} <= set(listed)
    caller = await callers.signed_up(gateway)
    without = [one for one in gateway.catalog.offers if one.provider not in gateway.endpoints]
    assert {one.provider for one in without} >= {"gemini", "groq", "xai"}
    assert not set(without) & set(gateway.enrolled_offers)
    for offer in without:
        with pytest.raises(ModelUnavailable):
            await caller.asks(gateway, model=offer.slug)
    assert scripted_provider.requests == []
