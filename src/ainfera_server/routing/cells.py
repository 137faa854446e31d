"""The names under which decisions are counted and learned from."""

from collections.abc import Mapping
from types import MappingProxyType

from ainfera_server.routing.snapshot import Snapshot

BANDS: Mapping[str, str] = MappingProxyType(
    {
        "balanced": "balanced",
        "cost_first": "cost",
        "quality_first": "quality",
        "latency_first": "latency",
    }
)
STRICT = "strict"
WEIGHTED = "weighted"


def constraint_band(preset: str) -> str:
    """The family a policy belongs to; every name of our own making is a set of custom weights."""
    if preset.startswith(STRICT):
        return STRICT
    return BANDS.get(preset, WEIGHTED)


def coverage_cell(snapshot: Snapshot, model_slug: str) -> str:
    """Where an outcome is counted: kind of work, model and family of policies."""
    return f"{snapshot.task_type}:{model_slug}:{constraint_band(snapshot.policy.preset)}"


def learning_cell(snapshot: Snapshot) -> str:
    """Where an outcome is learned from: kind of work, tenant and family of policies."""
    tenant = snapshot.tenant_id or "unknown"
    return f"{snapshot.task_type}:{tenant}:{constraint_band(snapshot.policy.preset)}"
