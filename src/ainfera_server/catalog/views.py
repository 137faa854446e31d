"""The catalog as callers see it: GET /v1/models in its three shapes, and GET /v1/providers."""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Literal, TypeAlias

from ainfera_server import money
from ainfera_server.catalog import offers
from ainfera_server.catalog.offers import Catalog, Offer
from ainfera_server.catalog.venues import AS_LISTED, Venues
from ainfera_server.conversation import Json
from ainfera_server.money import UsdMicros, UsdMicrosPerMtok
from ainfera_server.routing import targets

ModelShape = Literal["native", "openai", "anthropic"]
"""Whose client asks: none's, OpenAI's or Anthropic's."""

View: TypeAlias = dict[str, Json]

ROUTER_NAME = "Ainfera Inference"
ROUTER_BRAND = "ainfera"
ROUTER_CAPABILITIES = ("reasoning", "streaming", "tools", "vision")
"""What at least one of its offers can do; a request is sent to one that can."""
NOT_KNOWN = "1970-01-01T00:00:00Z"
"""When a model was released: Anthropic's reference says an epoch value means it is not known."""


def models(
    catalog: Catalog,
    providers_with_key: Collection[str],
    *,
    shape: ModelShape,
    venues: Venues = AS_LISTED,
) -> Json:
    """Answer GET /v1/models.

    The native list has every offer and says what is in the way of those that would not answer.
    A vendor's client shows its list to people who pick from it, so the other two leave out what
    nobody can buy.
    """
    match shape:
        case "native":
            shown = map(venues.shown, catalog.offers)
            every = (_native_offer(offer, providers_with_key) for offer in shown)
            return [_native_router(), *every]
        case "openai":
            data = [_openai_offer(offer) for offer in _buyable(catalog, venues)]
            return {"object": "list", "data": [_openai_router(), *data]}
        case "anthropic":
            data = [
                _anthropic_router(),
                *(_anthropic_offer(one) for one in _buyable(catalog, venues)),
            ]
            return {
                "data": list[Json](data),
                "has_more": False,
                "first_id": data[0]["id"],
                "last_id": data[-1]["id"],
            }


def model(
    catalog: Catalog,
    name: str,
    providers_with_key: Collection[str],
    *,
    shape: ModelShape,
    venues: Venues = AS_LISTED,
) -> View | None:
    """Answer GET /v1/models/{id}; None when nothing has that name.

    The slug of a model with several venues shows the offer that it is served by first.
    """
    if name == targets.CANONICAL:
        return _router(shape)
    found = tuple(map(venues.shown, catalog.offers_for(name)))
    if not found:
        return None
    match shape:
        case "native":
            by_status = sorted(
                found, key=lambda one: offers.routable_status(one, providers_with_key) != "active"
            )
            return _native_offer(by_status[0], providers_with_key) | {"slug": name}
        case "openai":
            return _openai_offer(found[0]) | {"id": name}
        case "anthropic":
            return _anthropic_offer(found[0]) | {"id": name}


def providers(
    catalog: Catalog, providers_with_key: Collection[str], *, venues: Venues = AS_LISTED
) -> list[View]:
    """Answer GET /v1/providers: every provider that this server knows how to call is active."""
    routable = Counter(
        offer.provider
        for offer in map(venues.shown, catalog.offers)
        if offers.routable_status(offer, providers_with_key) == "active"
    )
    listed = Counter(offer.provider for offer in catalog.offers)
    return [
        {
            "slug": one.provider,
            "display_name": one.display_name,
            "active": True,
            "has_key": one.provider in providers_with_key,
            "offers": listed[one.provider],
            "routable_offers": routable[one.provider],
            "price_page": one.price_page,
        }
        for one in catalog.price_lists
    ]


def _native_offer(offer: Offer, providers_with_key: Collection[str]) -> View:
    """One element of our own list; prices are decimal strings, null when they are not known."""
    prices = offer.prices
    return {
        "slug": offer.slug,
        "display_name": offer.model.display_name,
        "provider": offer.provider,
        "brand": offer.model.brand,
        "model": offer.model.slug,
        "type": "model",
        "input_cost_per_million_usd": _dollars(prices and prices.input),
        "output_cost_per_million_usd": _dollars(prices and prices.output),
        "web_search_cost_usd": _dollars_a_search(prices and prices.web_search),
        "price_source": offer.price_source or None,
        "price_checked": offer.price_checked or None,
        "context_window": offer.context_window,
        "capabilities": list[Json](offer.model.capabilities),
        "q_prior": None if offer.model.q_prior is None else str(offer.model.q_prior),
        "q_prior_source": offer.model.q_prior_source,
        "m_allowed": offer.model.m_allowed,
        "routable_status": offers.routable_status(offer, providers_with_key),
        "status_reason": offer.status_reason,
    }


def _native_router() -> View:
    """The name that means "choose for me"; what it costs is the price of what it chooses."""
    return {
        "slug": targets.CANONICAL,
        "display_name": ROUTER_NAME,
        "provider": ROUTER_BRAND,
        "brand": ROUTER_BRAND,
        "model": targets.CANONICAL,
        "type": "router",
        "input_cost_per_million_usd": None,
        "output_cost_per_million_usd": None,
        "web_search_cost_usd": None,
        "price_source": None,
        "price_checked": None,
        "context_window": None,
        "capabilities": list[Json](ROUTER_CAPABILITIES),
        "q_prior": None,
        "q_prior_source": None,
        "m_allowed": None,
        "routable_status": "active",
        "status_reason": None,
    }


def _openai_offer(offer: Offer) -> View:
    """One element of the list that OpenAI's clients read."""
    return _openai(offer.slug, owned_by=offer.model.brand)


def _openai_router() -> View:
    """The name that means "choose for me", for OpenAI's clients."""
    return _openai(targets.CANONICAL, owned_by=ROUTER_BRAND)


def _anthropic_offer(offer: Offer) -> View:
    """One element of the list that Anthropic's clients read."""
    return _anthropic(
        offer.slug,
        display_name=offer.model.display_name,
        input_tokens_max=offer.context_window,
        output_tokens_max=offer.model.output_tokens_max,
    )


def _anthropic_router() -> View:
    """The name that means "choose for me", for Anthropic's clients."""
    return _anthropic(
        targets.CANONICAL, display_name=ROUTER_NAME, input_tokens_max=None, output_tokens_max=None
    )


def _router(shape: ModelShape) -> View:
    match shape:
        case "native":
            return _native_router()
        case "openai":
            return _openai_router()
        case "anthropic":
            return _anthropic_router()


def _buyable(catalog: Catalog, venues: Venues) -> Iterator[Offer]:
    """The offers that whoever has the provider's key can buy."""
    everyone = {offer.provider for offer in catalog.offers}
    shown = map(venues.shown, catalog.offers)
    return (one for one in shown if offers.routable_status(one, everyone) == "active")


def _openai(slug: str, *, owned_by: str) -> View:
    return {"id": slug, "object": "model", "created": 0, "owned_by": owned_by}


def _anthropic(
    slug: str,
    *,
    display_name: str,
    input_tokens_max: int | None,
    output_tokens_max: int | None,
) -> View:
    return {
        "type": "model",
        "id": slug,
        "display_name": display_name,
        "created_at": NOT_KNOWN,
        "lifecycle": "active",
        "max_input_tokens": input_tokens_max,
        "max_tokens": output_tokens_max,
    }


def _dollars(price: UsdMicrosPerMtok | None) -> str | None:
    return None if price is None else money.usd_per_mtok(price)


def _dollars_a_search(price: UsdMicros | None) -> str | None:
    return None if price is None else money.usd(price)
