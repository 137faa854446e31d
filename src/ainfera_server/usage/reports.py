"""What happened, counted: reports for owners, read-only, and empty where nothing happened."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from ainfera_server import identifiers
from ainfera_server.identifiers import AgentId, TenantId
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Connection

QUERIES = queries.load(__name__)
DAYS = QUERIES["days"]
BUDGET = QUERIES["budget"]
SPENT_ON_DAY = QUERIES["spent_on_day"]
ROUTED_LATELY = QUERIES["routed_lately"]
AGENT_LATELY = QUERIES["agent_lately"]
MODELS_OF_AGENT = QUERIES["models_of_agent"]
COVERAGE = QUERIES["coverage"]

DAYS_MAX = 366
LATELY = timedelta(hours=24)
TOP_MODELS_MAX = 10
MODELS_MAX = 1000
CELLS_SHOWN_MAX = 100
TIER_1_TASK_TYPES = frozenset({"reasoning", "code", "extraction", "chat"})
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A UTC day with calls. `fallback` counts answers by another than the first choice."""

    day: date
    calls: int
    cost: UsdMicros
    ok: int
    fallback: int
    error: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CapsRollup:
    """What is allowed a day and what became of it; `latency_ms_p50` is None without calls."""

    agents: int
    policies_set: int
    budget: UsdMicros
    spent_today: UsdMicros
    latency_ms_p50: int | None
    quality_breaches: int
    reliability_breaches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """How often a model answered, and for how much."""

    model_slug: str
    provider: str
    calls: int
    cost: UsdMicros


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentMetrics:
    """An agent's last day; `latency_ms_p50` is None without calls."""

    calls: int
    cost: UsdMicros
    latency_ms_p50: int | None
    top_models: tuple[ModelUse, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageCell:
    """A kind of work, a model and a family of policies, and how often they met."""

    name: str
    tier: int
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How widely a tenant's calls are spread; `cells` are the most frequent."""

    total_cells: int
    tier_1_cells: int
    tier_2_cells: int
    cells: tuple[CoverageCell, ...]


async def daily(
    connection: Connection, tenant_id: TenantId, *, now: datetime, days: int
) -> tuple[Day, ...]:
    """The days with calls among the last ones, today included; days without calls are left out."""
    assert 1 <= days <= DAYS_MAX, "a report has a limit"
    since = datetime.combine(now.date() - timedelta(days=days - 1), time.min, UTC)
    rows = await connection.fetch(DAYS, identifiers.cell_of(tenant_id), tenant_id, since)
    return tuple(
        Day(
            day=row["day"],
            calls=row["calls"],
            cost=row["cost"],
            ok=row["ok"],
            fallback=row["fallback"],
            error=row["error"],
        )
        for row in rows
    )


async def caps_rollup(connection: Connection, tenant_id: TenantId, *, now: datetime) -> CapsRollup:
    """A tenant's budget, what today took of it, and how its last day went."""
    cell = identifiers.cell_of(tenant_id)
    budget = await connection.fetchrow(BUDGET, cell, tenant_id)
    spent = await connection.fetchval(SPENT_ON_DAY, cell, tenant_id, now.date())
    routed = await connection.fetchrow(ROUTED_LATELY, cell, tenant_id, now - LATELY)
    assert budget is not None, "a count always has a row"
    assert routed is not None, "a count always has a row"
    return CapsRollup(
        agents=budget["agents"],
        policies_set=budget["policies_set"],
        budget=budget["budget"],
        spent_today=spent,
        latency_ms_p50=routed["latency_ms_p50"],
        quality_breaches=routed["quality"],
        reliability_breaches=routed["reliability"],
    )


async def agent_metrics(
    connection: Connection, agent_id: AgentId, *, now: datetime
) -> AgentMetrics:
    """An agent's last day."""
    cell = identifiers.cell_of(agent_id)
    row = await connection.fetchrow(AGENT_LATELY, cell, agent_id, now - LATELY)
    assert row is not None, "a count always has a row"
    return AgentMetrics(
        calls=row["calls"],
        cost=row["cost"],
        latency_ms_p50=row["latency_ms_p50"],
        top_models=await _models(connection, agent_id, since=now - LATELY, limit=TOP_MODELS_MAX),
    )


async def models_used(connection: Connection, agent_id: AgentId) -> tuple[ModelUse, ...]:
    """Every model that ever answered an agent."""
    return await _models(connection, agent_id, since=BEGINNING, limit=MODELS_MAX)


async def coverage(connection: Connection, tenant_id: TenantId) -> Coverage:
    """How widely a tenant's calls are spread."""
    rows = await connection.fetch(COVERAGE, identifiers.cell_of(tenant_id), tenant_id)
    cells = tuple(
        CoverageCell(
            name=row["coverage_cell"], tier=_tier(row["coverage_cell"]), calls=row["calls"]
        )
        for row in rows
    )
    tier_1_cells = sum(cell.tier == 1 for cell in cells)
    return Coverage(
        total_cells=len(cells),
        tier_1_cells=tier_1_cells,
        tier_2_cells=len(cells) - tier_1_cells,
        cells=cells[:CELLS_SHOWN_MAX],
    )


async def _models(
    connection: Connection, agent_id: AgentId, *, since: datetime, limit: int
) -> tuple[ModelUse, ...]:
    cell = identifiers.cell_of(agent_id)
    rows = await connection.fetch(MODELS_OF_AGENT, cell, agent_id, since, limit)
    return tuple(
        ModelUse(
            model_slug=row["model_slug"],
            provider=row["provider"],
            calls=row["calls"],
            cost=row["cost"],
        )
        for row in rows
    )


def _tier(coverage_cell: str) -> int:
    """Four kinds of work are what most agents live on."""
    return 1 if coverage_cell.partition(":")[0] in TIER_1_TASK_TYPES else 2
