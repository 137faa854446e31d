"""Names and set-up of logs and metrics; no label ever holds a key, an agent or a tenant."""

import logging
import sys
from dataclasses import dataclass

import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Everything that is counted, in a registry of its own."""

    registry: CollectorRegistry
    requests: Counter
    attempts: Counter
    fallbacks: Counter
    refusals: Counter
    spend_usd_micros: Counter
    inference_seconds: Histogram
    dispatch_without_capture: Counter
    capture_without_routing: Counter
    expired_holds: Counter
    log_size: Gauge
    log_waiting: Gauge
    log_checkpoint_age_s: Gauge
    log_refusals: Counter


def metrics() -> Metrics:
    """Make a fresh set of metrics."""
    registry = CollectorRegistry()

    def counter(name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"ainfera_{name}", meaning, labels, registry=registry)

    def gauge(name: str, meaning: str) -> Gauge:
        return Gauge(f"ainfera_{name}", meaning, registry=registry)

    return Metrics(
        registry=registry,
        requests=counter("requests", "Answers given.", "route", "status_class"),
        attempts=counter("upstream_attempts", "Offers tried.", "provider", "outcome"),
        fallbacks=counter("fallbacks", "Inferences that a later offer answered."),
        refusals=counter("refusals", "Inferences refused before dispatch.", "reason"),
        spend_usd_micros=counter("spend_usd_micro", "What inferences cost, in micro-USD."),
        inference_seconds=Histogram(
            "ainfera_inference_seconds",
            "From the request's arrival to the end of its answer.",
            buckets=(0.01, 0.04, 0.16, 0.64, 2.56, 10.24, 40.96, 163.84),
            registry=registry,
        ),
        dispatch_without_capture=counter(
            "dispatch_without_capture", "Routed calls sent without their outcome row; always 0."
        ),
        capture_without_routing=counter(
            "capture_without_routing", "Pinned calls that wrote an outcome row; always 0."
        ),
        expired_holds=counter("expired_holds", "Holds whose process died, released by the clock."),
        log_size=gauge("log_size", "Entries that the public log's newest checkpoint covers."),
        log_waiting=gauge("log_waiting", "Events that no checkpoint covers yet."),
        log_checkpoint_age_s=gauge("log_checkpoint_age_seconds", "Age of the newest checkpoint."),
        log_refusals=counter("log_refusals", "Checkpoints not signed: the log broke; always 0."),
    )


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, event, and the extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as one line."""
        line: dict[str, object] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            extra["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line | extra, default=str).decode()


def set_up_logs(level: str = "INFO") -> None:
    """Send the logs to standard error, a line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # The driver tells of every try while a database is away; who needs the database says so too.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
    # The SDK tells of the end of a session, and here each request is one.
    logging.getLogger("mcp.server.streamable_http").setLevel(logging.WARNING)
