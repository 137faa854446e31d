"""Reports count what happened, of one tenant, and say nothing where nothing happened."""

from datetime import date, timedelta

from ainfera_server.accounts import signup
from ainfera_server.accounts.signup import Signup
from ainfera_server.identifiers import AgentId, TenantId
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import pool as pools_module
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Connection, Pools
from ainfera_server.usage import reports
from ainfera_server.usage.reports import (
    AgentMetrics,
    CapsRollup,
    Coverage,
    CoverageCell,
    Day,
    ModelUse,
)
from tests.accounts import newcomer
from tests.promises import proves
from tests.usage import calls

NOW = newcomer.NOW
SPENT_TODAY = """
    insert into spending (
        cell, agent_id, scope, scope_key, period, starts, tenant_id, posted, pending
    )
    values (7, $1::uuid, 'agent', $1::uuid::text, 'day', $2, $3, 1234, 5000)
"""
ROWS = "select count(*) from routing_outcomes"


async def every_report(connection: Connection, tenant_id: TenantId, agent_id: AgentId) -> None:
    """All reports must be empty, honestly."""
    assert await reports.daily(connection, tenant_id, now=NOW, days=30) == ()
    assert await reports.agent_metrics(connection, agent_id, now=NOW) == AgentMetrics(
        calls=0, cost=UsdMicros(0), latency_ms_p50=None, top_models=()
    )
    assert await reports.models_used(connection, agent_id) == ()
    assert await reports.coverage(connection, tenant_id) == Coverage(
        total_cells=0, tier_1_cells=0, tier_2_cells=0, cells=()
    )


async def test_a_tenant_without_calls_has_empty_reports(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        await every_report(connection, new.tenant.tenant_id, new.agent.agent_id)
        rollup = await reports.caps_rollup(connection, new.tenant.tenant_id, now=NOW)
    assert rollup == CapsRollup(
        agents=1,
        policies_set=0,
        budget=UsdMicros(0),
        spent_today=UsdMicros(0),
        latency_ms_p50=None,
        quality_breaches=0,
        reliability_breaches=0,
    )


@proves("tenants-are-strangers")
async def test_another_tenants_calls_never_appear(pools: Pools) -> None:
    one = await newcomer.signed_up(pools, Signup(agent_handle="one"))
    two = await newcomer.signed_up(pools, Signup(agent_handle="two"))
    await calls.routed(pools, one, inference_id=await calls.made(pools, one))
    async with tenancy.tenant_transaction(pools.app, two.tenant.tenant_id) as connection:
        await every_report(connection, two.tenant.tenant_id, two.agent.agent_id)
        await every_report(connection, one.tenant.tenant_id, one.agent.agent_id)
        rollup = await reports.caps_rollup(connection, one.tenant.tenant_id, now=NOW)
    assert (rollup.agents, rollup.latency_ms_p50) == (0, None)


async def test_a_day_tells_first_choices_from_fallbacks_and_errors(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    await calls.made(pools, new, cost=10)
    await calls.routed(pools, new, inference_id=await calls.made(pools, new, cost=20))
    second_choice = await calls.made(pools, new, cost=30, offer="gpt-5-mini")
    await calls.routed(pools, new, inference_id=second_choice)
    await calls.made(pools, new, cost=0, status="failed")
    await calls.made(pools, new, cost=0, status="running")
    await calls.made(pools, new, cost=5, at=NOW - timedelta(days=1))
    await calls.made(pools, new, cost=5, at=NOW - timedelta(days=30))
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        days = await reports.daily(connection, new.tenant.tenant_id, now=NOW, days=30)
    assert days == (
        Day(day=date(2026, 3, 3), calls=1, cost=UsdMicros(5), ok=1, fallback=0, error=0),
        Day(day=date(2026, 3, 4), calls=4, cost=UsdMicros(60), ok=2, fallback=1, error=1),
    )


async def test_the_rollup_sets_spending_and_breaches_against_the_budget(pools: Pools) -> None:
    asked = signup.parse({"agent_handle": "scout", "daily_cap_usd": "2"})
    new = await newcomer.signed_up(pools, asked)
    async with pools_module.transaction(pools.writer) as connection:
        await connection.execute(SPENT_TODAY, new.agent.agent_id, NOW.date(), new.tenant.tenant_id)
    for latency_ms in (100, 300, 900):
        inference_id = await calls.made(pools, new)
        await calls.routed(pools, new, inference_id=inference_id, latency_ms=latency_ms)
    lately, long_ago = NOW - timedelta(hours=23), NOW - timedelta(hours=25)
    for outcome_status in ("rejected_floor", "failed_provider_error", "failed_other"):
        for at in (lately, long_ago):
            await calls.routed(
                pools,
                new,
                inference_id=None,
                chosen=None,
                outcome_status=outcome_status,
                latency_ms=None,
                at=at,
            )
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        before = await connection.fetchval(ROWS)
        rollup = await reports.caps_rollup(connection, new.tenant.tenant_id, now=NOW)
        assert await connection.fetchval(ROWS) == before
    assert rollup == CapsRollup(
        agents=1,
        policies_set=1,
        budget=UsdMicros(2_000_000),
        spent_today=UsdMicros(1_234),
        latency_ms_p50=300,
        quality_breaches=1,
        reliability_breaches=2,
    )


async def test_an_agents_last_day_names_its_models_most_used_first(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    await calls.made(pools, new, cost=10, offer="gpt-5-mini", latency_ms=100)
    await calls.made(pools, new, cost=20, offer="gpt-5-mini", latency_ms=200)
    await calls.made(pools, new, cost=30, latency_ms=900)
    await calls.made(pools, new, cost=0, status="failed", latency_ms=None)
    await calls.made(pools, new, cost=99, offer="old", at=NOW - timedelta(hours=25))
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        metrics = await reports.agent_metrics(connection, new.agent.agent_id, now=NOW)
        ever = await reports.models_used(connection, new.agent.agent_id)
    assert (metrics.calls, metrics.cost, metrics.latency_ms_p50) == (4, 60, 200)
    assert metrics.top_models == (
        ModelUse(model_slug="gpt-5-mini", provider="anthropic", calls=2, cost=UsdMicros(30)),
        ModelUse(model_slug="claude-haiku-4-5", provider="anthropic", calls=1, cost=UsdMicros(30)),
    )
    assert {use.model_slug for use in ever} == {"gpt-5-mini", "claude-haiku-4-5", "old"}


async def test_coverage_counts_cells_by_how_common_their_work_is(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    await calls.made(pools, new, coverage_cell="embed:a:cost")
    for _ in range(2):
        await calls.made(pools, new, coverage_cell="code:a:balanced")
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        coverage = await reports.coverage(connection, new.tenant.tenant_id)
    assert coverage == Coverage(
        total_cells=2,
        tier_1_cells=1,
        tier_2_cells=1,
        cells=(
            CoverageCell(name="code:a:balanced", tier=1, calls=2),
            CoverageCell(name="embed:a:cost", tier=2, calls=1),
        ),
    )
