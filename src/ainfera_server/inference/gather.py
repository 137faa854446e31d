"""Room one: read everything a decision may know, then touch nothing until it is made."""

from dataclasses import dataclass

from ainfera_server import settings
from ainfera_server.catalog import pricing, token_counts
from ainfera_server.catalog.offers import Offer
from ainfera_server.conversation import Json, Request
from ainfera_server.errors import (
    CapExceeded,
    Invalid,
    ModelUnavailable,
    NotCarried,
    ToolsNotSupported,
)
from ainfera_server.gateway import Gateway
from ainfera_server.inference import suitable
from ainfera_server.inference.call import Call
from ainfera_server.inference.suitable import Needs
from ainfera_server.routing import policy, targets
from ainfera_server.routing.policy import AgentLimits, NotAPolicy
from ainfera_server.routing.snapshot import Candidate, Policy, Snapshot


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


def gather(gateway: Gateway, call: Call) -> Gathered:
    """Read catalog, health and policy for a call.

    Raises Invalid for a hint that means nothing, CapExceeded for a pinned model that the owner does
    not allow, and ModelUnavailable or ToolsNotSupported for one that cannot answer here.
    """
    request = call.request
    max_tokens = request.max_tokens or gateway.settings.output_tokens_default
    wanted = (
        _routed(gateway, call, max_tokens)
        if targets.is_routed(request.model)
        else _pinned(gateway, call, max_tokens)
    )
    return Gathered(
        call=call,
        wanted=wanted,
        input_tokens_most=token_counts.most_input_tokens(request),
        max_tokens=max_tokens,
    )


def _routed(gateway: Gateway, call: Call, max_tokens: int) -> Routed:
    needed = suitable.needs(call.request)
    able = {
        offer.slug: offer
        for offer in gateway.enrolled_offers
        if suitable.can_take(offer, needed) and suitable.is_allowed(call.payer, offer)
    }
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


def _pinned(gateway: Gateway, call: Call, max_tokens: int) -> Pinned:
    request = call.request
    named = gateway.catalog.offers_for(request.model)
    if not named:
        raise _unavailable(request.model, None, "is not in the catalog")
    allowed = tuple(offer for offer in named if suitable.is_allowed(call.payer, offer))
    if not allowed:
        raise _not_allowed(gateway, call, named, max_tokens)
    keyed = tuple(offer for offer in allowed if offer.provider in gateway.endpoints)
    if not keyed:
        providers = ", ".join(sorted({offer.provider for offer in allowed}))
        raise _unavailable(request.model, allowed[0].provider, f"needs a key for {providers}")
    ready = tuple(offer for offer in keyed if _can_be_bought(gateway, offer))
    if not ready:
        why = "has no known price, or is switched off, and nothing is served unpriced"
        raise _unavailable(request.model, keyed[0].provider, why)
    needed = suitable.needs(request)
    able = tuple(offer for offer in ready if suitable.missing_ability(offer, needed) is None)
    if not able:
        raise _not_able(ready[0], request, needed)
    return Pinned(offers=able)


def _not_allowed(
    gateway: Gateway, call: Call, named: tuple[Offer, ...], max_tokens: int
) -> CapExceeded:
    """Say what the owner allows; nothing about money remains or comes back by itself."""
    payer, request = call.payer, call.request
    is_about_the_provider = any(suitable.model_is_allowed(payer, offer) for offer in named)
    allowed = payer.allowed_providers if is_about_the_provider else payer.allowed_models
    most_of = suitable.most_it_may_cost(
        gateway,
        request,
        input_tokens_most=token_counts.most_input_tokens(request),
        max_tokens=max_tokens,
    )
    facts: dict[str, Json] = {
        "allowed": list(allowed or ()),
        "cheapest_feasible_model": suitable.cheapest(
            suitable.worth_naming(gateway, payer, request), most_of
        ),
        "remaining_usd": None,
        "resets_at": None,
    }
    change = "PATCH /v1/agents/{id}/spend-policy changes it."
    if is_about_the_provider:
        refused = {one.provider for one in named if suitable.model_is_allowed(payer, one)}
        return CapExceeded(
            f"The agent's owner does not allow the provider of {request.model!r}:"
            f" {', '.join(sorted(refused))}. {change}",
            reason="provider_not_allowed",
            model=request.model,
            **facts,
        )
    return CapExceeded(
        f"The agent's owner does not allow the model {request.model!r}. {change}",
        reason="model_not_allowed",
        model=request.model,
        **facts,
    )


def _can_be_bought(gateway: Gateway, offer: Offer) -> bool:
    return gateway.venues.is_lit(offer) and offer.prices is not None


def _not_able(offer: Offer, request: Request, needed: Needs) -> ToolsNotSupported | NotCarried:
    missing = suitable.missing_ability(offer, needed)
    kind = ToolsNotSupported if missing == suitable.TOOLS else NotCarried
    return kind(
        f"The backend of {request.model!r} does not take {missing}."
        " Leave that out, or ask for ainfera-inference.",
        backend=offer.slug,
        hint="Ask for ainfera-inference and only backends that can are considered.",
    )


def _unavailable(model: str, provider: str | None, why: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"The model {model!r} {why}. GET /v1/models lists what can be called.",
        model=model,
        provider=provider,
    )
