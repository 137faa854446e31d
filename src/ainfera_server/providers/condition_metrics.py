"""What is known of providers and their offers, as gauges that are read when somebody asks."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ainfera_server.providers.credentials import Credentials
from ainfera_server.providers.health import Breaker, Health
from ainfera_server.providers.provider import Endpoint
from ainfera_server.providers.retry_budget import RetryBudget

OPENNESS: Mapping[Breaker, float] = {"closed": 0.0, "half_open": 0.5, "open": 1.0}


class Conditions(Collector):
    """A collector: nothing is counted twice, and an offer that nobody asked has no series."""

    def __init__(
        self,
        *,
        health: Health,
        credentials: Credentials,
        retries: RetryBudget,
        endpoints: Mapping[str, Endpoint],
        clock: Callable[[], float],
    ) -> None:
        self._health = health
        self._credentials = credentials
        self._retries = retries
        self._endpoints = endpoints
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Every figure as it is now."""
        yield from self._of_offers()
        yield from self._of_providers()

    def _of_offers(self) -> Iterator[Metric]:
        breaker = _gauge("offer_breaker", "0 closed, 0.5 half open, 1 open.", "offer")
        share = _gauge("offer_failure_share", "Of the calls of the last 30 s.", "offer")
        latency = _gauge(
            "offer_latency_seconds", "Of the last 64 answers, to their first words.",
            "offer", "quantile",
        )  # fmt: skip
        for offer, standing in self._health.standings(now_s=self._clock()):
            breaker.add_metric([offer], OPENNESS[standing.breaker])
            if standing.failure_share is not None:
                share.add_metric([offer], standing.failure_share)
            for quantile, ms in (
                ("0.5", standing.latency_ms_p50),
                ("0.95", standing.latency_ms_p95),
            ):
                if ms is not None:
                    latency.add_metric([offer, quantile], ms / 1000)
        yield from (breaker, share, latency)

    def _of_providers(self) -> Iterator[Metric]:
        keys = _gauge("provider_keys", "Keys of a provider, by state.", "provider", "state")
        for slug, endpoint in self._endpoints.items():
            healthy = self._credentials.healthy_keys(endpoint, now_s=self._clock())
            keys.add_metric([slug, "healthy"], healthy)
            keys.add_metric([slug, "set_aside"], len(endpoint.every_key()) - healthy)
        retries = CounterMetricFamily(
            "ainfera_upstream_retries",
            "Times that a provider was asked again, or was not because of the budget.",
            labels=["provider", "outcome"],
        )
        for outcome, counted in (("made", self._retries.made), ("refused", self._retries.refused)):
            for slug, times in tuple(counted.items()):
                retries.add_metric([slug, outcome], times)
        yield from (keys, retries)


def _gauge(name: str, meaning: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"ainfera_{name}", meaning, labels=labels)
