"""Which offers may and can take a request: what the owner allows, and what a backend is able to."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ainfera_server.accounts.store import Payer
from ainfera_server.catalog import pricing, token_counts
from ainfera_server.catalog.offers import Offer, Prices
from ainfera_server.conversation import Image, Request
from ainfera_server.gateway import Gateway
from ainfera_server.money import UsdMicros
from ainfera_server.routing import policy

TOOLS = "tools"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a request asks of a backend."""

    request: Request
    images: bool
    input_tokens: int


def needs(request: Request) -> Needs:
    """Read what a request asks of a backend."""
    return Needs(
        request=request,
        images=any(isinstance(part, Image) for one in request.messages for part in one.parts),
        input_tokens=token_counts.estimated_input_tokens(request),
    )


def can_take(offer: Offer, needed: Needs) -> bool:
    """Whether a backend can take a request, as far as one can tell before it is asked."""
    window = offer.context_window or offer.model.context_window
    fits = window is None or needed.input_tokens <= window
    return fits and missing_ability(offer, needed) is None


def missing_ability(offer: Offer, needed: Needs) -> str | None:
    """What the request needs that the offer's backend has not; None when it has all."""
    abilities = offer.model.capabilities
    if needed.request.tools and "tools" not in abilities:
        return TOOLS
    if needed.images and "vision" not in abilities:
        return "images"
    if offer.prices is not None and not pricing.can_price(offer, needed.request):
        return "searches of the web"
    return None


def model_is_allowed(payer: Payer, offer: Offer) -> bool:
    """Whether the owner lets this model answer; the name of a model allows all of its offers."""
    allowed = payer.allowed_models
    return allowed is None or offer.slug in allowed or offer.model.slug in allowed


def is_allowed(payer: Payer, offer: Offer) -> bool:
    """Whether the owner lets the agent be answered by this model at this provider."""
    providers = payer.allowed_providers
    is_at_allowed_provider = providers is None or offer.provider in providers
    return is_at_allowed_provider and model_is_allowed(payer, offer)


def worth_naming(gateway: Gateway, payer: Payer, request: Request) -> list[Offer]:
    """What a caller may be told to ask instead of a pinned model: it would be let through."""
    floor = policy.FLOOR_DEFAULT if payer.min_quality is None else payer.min_quality
    needed = needs(request)
    return [
        offer
        for offer in gateway.enrolled_offers
        if can_take(offer, needed)
        and is_allowed(payer, offer)
        and offer.model.m_allowed
        and offer.model.q_prior is not None
        and offer.model.q_prior >= floor
    ]


def cheapest(
    offers: Iterable[Offer],
    most_of: Callable[[Offer, Prices], UsdMicros],
    *,
    limit: UsdMicros | None = None,
) -> str | None:
    """The offer that costs least even at its worst, if that is within the limit; None for none."""
    every = ((most_of(one, one.prices), one.slug) for one in offers if one.prices is not None)
    within = (found for found in every if limit is None or found[0] <= limit)
    return min(within, default=(None, None))[1]


def most_it_may_cost(
    gateway: Gateway, request: Request, *, input_tokens_most: int, max_tokens: int
) -> Callable[[Offer, Prices], UsdMicros]:
    """The most that an answer may cost the caller: what the provider may charge, and our margin."""

    def most_of(offer: Offer, prices: Prices) -> UsdMicros:
        most = pricing.most_it_may_cost(
            input_tokens_most,
            max_tokens,
            prices,
            web_searches_max=request.web_searches_max,
            context_window=offer.context_window or offer.model.context_window,
        )
        return UsdMicros(most + pricing.margin(most, gateway.settings.margin))

    return most_of
