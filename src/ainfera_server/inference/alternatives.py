"""What a caller could still afford, for the refusal to name."""

from ainfera_server.catalog import pricing
from ainfera_server.gateway import Gateway
from ainfera_server.inference import gather
from ainfera_server.inference.job import Job
from ainfera_server.money import UsdMicros


def cheapest_within(gateway: Gateway, job: Job, limit: UsdMicros) -> str | None:
    """The model that would cost least, if even at its worst it fits; None when none does.

    A routed call may only be offered what clears its floor, and those are its own offers.
    """
    request = job.gathered.call.request
    offers = gateway.enrolled_offers if job.decided is None else job.offers
    best: tuple[UsdMicros, str] | None = None
    for offer in offers:
        if offer.prices is None or gather.missing_ability(offer, request) is not None:
            continue
        most = pricing.most_it_may_cost(
            job.gathered.input_tokens_most, job.gathered.max_tokens, offer.prices
        )
        if most <= limit and (best is None or (most, offer.slug) < best):
            best = (most, offer.slug)
    return None if best is None else best[1]
