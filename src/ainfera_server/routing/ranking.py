"""Rules that order the survivors, best first."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType

from ainfera_server.routing.snapshot import Candidate, RankingName

RankingKey = tuple[Decimal, Decimal, str, str]
"""Two numbers, smaller is better; then slug and id, so that no two candidates are ever equal."""


def cheapest(candidate: Candidate) -> RankingKey:
    """The lowest price first; at the same price, the better one."""
    price, quality = effective_price(candidate), effective_quality(candidate)
    return (price, -quality, candidate.model_slug, candidate.model_id)


def expected_cost(candidate: Candidate) -> RankingKey:
    """The lowest price for a success first; what never succeeds comes last, cheapest first."""
    price, quality = effective_price(candidate), effective_quality(candidate)
    price_of_a_success = price / quality if quality > 0 else Decimal("Infinity")
    tie_break = Decimal(0) if quality > 0 else price
    return (price_of_a_success, tie_break, candidate.model_slug, candidate.model_id)


def effective_price(candidate: Candidate) -> Decimal:
    """Both prices, raised for a maker that already has more than its share."""
    return price_sum(candidate) * (1 + candidate.maker_penalty)


def price_sum(candidate: Candidate) -> Decimal:
    """Both prices as they are; one that is unknown counts nothing."""
    return Decimal((candidate.price_in or 0) + (candidate.price_out or 0))


def effective_quality(candidate: Candidate) -> Decimal:
    """What was learned, else the prior, else nothing."""
    if candidate.learned_mean is not None:
        return candidate.learned_mean
    return Decimal(0) if candidate.q_prior is None else candidate.q_prior


RANKINGS: Mapping[RankingName, Callable[[Candidate], RankingKey]] = MappingProxyType(
    {
        "cheapest": cheapest,
        "expected_cost": expected_cost,
    }
)
