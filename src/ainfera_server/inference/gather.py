"""Room one: read everything a decision may know, then touch nothing until it is made."""

from dataclasses import dataclass

from ainfera_server import settings
from ainfera_server.catalog import pricing, token_counts
from ainfera_server.catalog.offers import Offer
from ainfera_server.conversation import Image, Request
from ainfera_server.errors import Invalid, ModelUnavailable, NotCarried, ToolsNotSupported
from ainfera_server.gateway import Gateway
from ainfera_server.inference.call import Call
from ainfera_server.routing import policy, targets
from ainfera_server.routing.policy import AgentLimits, NotAPolicy
from ainfera_server.routing.snapshot import Candidate, Policy, Snapshot

TOOLS = "tools"


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """A request to choose: what the decision may know, and the offers behind its candidates."""

    snapshot: Snapshot
    offers: dict[str, Offer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A request for one model: its offers, cheapest first. There is nothing to decide."""

    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A call with all that was read for it; `max_tokens` bounds the answer and so the hold."""

    call: Call
    wanted: Routed | Pinned
    input_tokens_most: int
    max_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a request asks of a backend."""

    tools: bool
    images: bool
    input_tokens: int


def gather(gateway: Gateway, call: Call) -> Gathered:
    """Read catalog, health and policy for a call.

    Raises Invalid for a hint that means nothing, and ModelUnavailable or ToolsNotSupported for a
    pinned model that cannot answer here.
    """
    request = call.request
    max_tokens = request.max_tokens or gateway.settings.output_tokens_default
    wanted = (
        _routed(gateway, call, max_tokens)
        if targets.is_routed(request.model)
        else _pinned(gateway, request)
    )
    return Gathered(
        call=call,
        wanted=wanted,
        input_tokens_most=token_counts.most_input_tokens(request),
        max_tokens=max_tokens,
    )


def _routed(gateway: Gateway, call: Call, max_tokens: int) -> Routed:
    needed = needs(call.request)
    able = {offer.slug: offer for offer in gateway.enrolled_offers if can_take(offer, needed)}
    input_tokens = needed.input_tokens
    snapshot = Snapshot(
        task_type=call.task_type.task_type,
        task_type_source=call.task_type.source,
        tenant_id=str(call.payer.tenant_id),
        input_tokens_estimate=input_tokens,
        max_tokens_reserved=max_tokens,
        candidates=tuple(_candidate(gateway, offer, input_tokens) for offer in able.values()),
        policy=_policy(gateway, call),
        catalog_version=gateway.catalog.version,
    )
    return Routed(snapshot=snapshot, offers=able)


def _policy(gateway: Gateway, call: Call) -> Policy:
    payer = call.payer
    try:
        return policy.build(
            routing_hint=call.request.wishes.hint,
            caps=call.request.wishes.caps,
            agent=AgentLimits(min_quality=payer.min_quality, per_call_cap=payer.per_call_cap),
            task_type=call.task_type.task_type,
            dial="live" if settings.preference_is_live() else "off",
            floors_per_task_type=(
                policy.FLOORS_PER_TASK_TYPE
                if gateway.settings.floor_per_task_type_is_live
                else None
            ),
        )
    except NotAPolicy as problem:
        raise Invalid(str(problem), param=problem.field) from problem


def _candidate(gateway: Gateway, offer: Offer, input_tokens: int) -> Candidate:
    model = offer.model
    prices = offer.prices and pricing.prices_at(offer.prices, input_tokens=input_tokens)
    return Candidate(
        model_id=offer.slug,
        model_slug=offer.slug,
        brand_slug=model.brand,
        provider_slug=offer.provider,
        q_prior=model.q_prior,
        price_in=None if prices is None else prices.input,
        price_out=None if prices is None else prices.output,
        m_allowed=model.m_allowed,
        expected_latency_ms=gateway.health.expected_latency_ms(offer.slug),
        agentic_index=model.agentic_index,
    )


def _pinned(gateway: Gateway, request: Request) -> Pinned:
    named = gateway.catalog.offers_for(request.model)
    if not named:
        raise _unavailable(request.model, None, "is not in the catalog")
    keyed = tuple(offer for offer in named if offer.provider in gateway.endpoints)
    if not keyed:
        providers = ", ".join(sorted({offer.provider for offer in named}))
        raise _unavailable(request.model, named[0].provider, f"needs a key for {providers}")
    ready = tuple(offer for offer in keyed if _can_be_bought(offer))
    if not ready:
        why = "has no known price, or is switched off, and nothing is served unpriced"
        raise _unavailable(request.model, keyed[0].provider, why)
    needed = needs(request)
    able = tuple(offer for offer in ready if missing_ability(offer, needed) is None)
    if not able:
        raise _not_able(ready[0], request, needed)
    now_s = gateway.monotonic()
    healthy = tuple(one for one in able if not gateway.health.is_cooling(one.slug, now_s=now_s))
    return Pinned(offers=healthy or able)


def _can_be_bought(offer: Offer) -> bool:
    return offer.status == "active" and offer.prices is not None


def _not_able(offer: Offer, request: Request, needed: Needs) -> ToolsNotSupported | NotCarried:
    missing = missing_ability(offer, needed)
    kind = ToolsNotSupported if missing == TOOLS else NotCarried
    return kind(
        f"The backend of {request.model!r} does not take {missing}."
        " Leave that out, or ask for ainfera-inference.",
        backend=offer.slug,
        hint="Ask for ainfera-inference and only backends that can are considered.",
    )


def needs(request: Request) -> Needs:
    """Read what a request asks of a backend."""
    return Needs(
        tools=bool(request.tools),
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
    if needed.tools and "tools" not in abilities:
        return TOOLS
    if needed.images and "vision" not in abilities:
        return "images"
    return None


def _unavailable(model: str, provider: str | None, why: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"The model {model!r} {why}. GET /v1/models lists what can be called.",
        model=model,
        provider=provider,
    )
