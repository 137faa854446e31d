"""How providers and their offers do, as one process sees it: part of GET /v1/providers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from ainfera_server.catalog import offers as catalog_offers
from ainfera_server.catalog.offers import Catalog, Offer
from ainfera_server.catalog.venues import Venues
from ainfera_server.conversation import Json
from ainfera_server.providers.credentials import Credentials
from ainfera_server.providers.health import Health, Standing
from ainfera_server.providers.provider import Endpoint

ProviderStatus = Literal["no_key", "well", "degraded", "down"]
"""Down: none of its offers would be asked before another's. Degraded: some would not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a process knows at one moment, which is both `now` and `now_s` of its own clock."""

    health: Health
    credentials: Credentials
    endpoints: Mapping[str, Endpoint]
    venues: Venues
    now: datetime
    now_s: float


def provider(seen: Seen, catalog: Catalog, slug: str) -> dict[str, Json]:
    """A provider's status, its keys by number and never by name, and each of its offers."""
    listed = [one for one in catalog.offers if one.provider == slug]
    standings = {one.slug: seen.health.standing(one.slug, now_s=seen.now_s) for one in listed}
    asked = [standings[one.slug] for one in listed if _is_routable(seen, one)]
    endpoint = seen.endpoints.get(slug)
    keys = () if endpoint is None else endpoint.every_key()
    healthy = 0 if endpoint is None else seen.credentials.healthy_keys(endpoint, now_s=seen.now_s)
    errors = {one.last_error for one in asked if one is not None and one.last_error is not None}
    return {
        "status": _status(asked, keys=len(keys), healthy=healthy),
        "keys": {"count": len(keys), "healthy": healthy},
        "last_errors": list[Json](sorted(errors)),
        "offer_conditions": [_offer(seen, one, standings[one.slug]) for one in listed],
    }


def _status(asked: Iterable[Standing | None], *, keys: int, healthy: int) -> ProviderStatus:
    if keys == 0:
        return "no_key"
    breakers = ["closed" if one is None else one.breaker for one in asked]
    if healthy == 0 or (breakers and set(breakers) == {"open"}):
        return "down"
    return "well" if healthy == keys and set(breakers) <= {"closed"} else "degraded"


def _offer(seen: Seen, offer: Offer, standing: Standing | None) -> dict[str, Json]:
    """One offer; what is not known yet is null."""
    status = catalog_offers.routable_status(seen.venues.shown(offer), seen.endpoints)
    if standing is None:
        standing = NEVER_ASKED
    until_s = standing.cooling_until_s
    until = None if until_s is None else seen.now + timedelta(seconds=until_s - seen.now_s)
    share = standing.failure_share
    return {
        "slug": offer.slug,
        "routable_status": status,
        "breaker": standing.breaker,
        "cooling_until": None if until is None else until.isoformat(timespec="seconds"),
        "latency_ms_p50": standing.latency_ms_p50,
        "latency_ms_p95": standing.latency_ms_p95,
        "failure_share": None if share is None else round(share, 3),
        "last_error": standing.last_error,
    }


def _is_routable(seen: Seen, offer: Offer) -> bool:
    return catalog_offers.routable_status(seen.venues.shown(offer), seen.endpoints) == "active"


NEVER_ASKED = Standing(
    breaker="closed",
    cooling_until_s=None,
    latency_ms_p50=None,
    latency_ms_p95=None,
    failure_share=None,
    last_error=None,
)
