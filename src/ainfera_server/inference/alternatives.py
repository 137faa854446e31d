"""What a caller could still afford, for the refusal to name."""

from ainfera_server.catalog import pricing
from ainfera_server.catalog.offers import Offer
from ainfera_server.gateway import Gateway
from ainfera_server.inference import gather
from ainfera_server.inference.job import Job
from ainfera_server.money import UsdMicros
from ainfera_server.routing import policy


def cheapest_within(gateway: Gateway, job: Job, limit: UsdMicros) -> str | None:
    """The model that would cost least, if even at its worst it fits; None when none does.

    What a routed call may be offered are its own offers; instead of a pinned model only what
    clears the agent's floor and can take the request.
    """
    offers = job.offers if job.decided is not None else _worth_naming(gateway, job)
    best: tuple[UsdMicros, str] | None = None
    for offer in offers:
        if offer.prices is None:
            continue
        most = pricing.most_it_may_cost(
            job.gathered.input_tokens_most, job.gathered.max_tokens, offer.prices
        )
        if most <= limit and (best is None or (most, offer.slug) < best):
            best = (most, offer.slug)
    return None if best is None else best[1]


def _worth_naming(gateway: Gateway, job: Job) -> list[Offer]:
    call = job.gathered.call
    floor = policy.FLOOR_DEFAULT if call.payer.min_quality is None else call.payer.min_quality
    needed = gather.needs(call.request)
    return [
        offer
        for offer in gateway.enrolled_offers
        if gather.can_take(offer, needed)
        and offer.model.m_allowed
        and offer.model.q_prior is not None
        and offer.model.q_prior >= floor
    ]
