"""Any snapshot there can be, for properties that hold for all of them."""

from decimal import Decimal
from typing import TypeVar, get_args

from hypothesis import strategies as st

from ainfera_server.money import UsdMicros, UsdMicrosPerMtok
from ainfera_server.routing.snapshot import Candidate, FloorMode, Policy, RankingName, Snapshot
from ainfera_server.routing.task_type import TaskType, TaskTypeSource

T = TypeVar("T")

shares = st.decimals(min_value=0, max_value=1, places=2)
"""Coarse on purpose: candidates that tie are where the order of the input could show."""

prices = st.sampled_from([0, 1, 50_000, 1_250_000, 5_000_000, 75_000_000]).map(UsdMicrosPerMtok)
words = st.sampled_from(["a", "b", "c", "d"])


def optional(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.none() | strategy


candidate_lists = st.lists(
    st.builds(
        Candidate,
        model_id=st.uuids().map(str),
        model_slug=words,
        brand_slug=words,
        provider_slug=words,
        q_prior=optional(shares),
        price_in=optional(prices),
        price_out=optional(prices),
        m_allowed=st.sampled_from([True, True, True, False, None]),
        expected_latency_ms=optional(st.integers(0, 10_000)),
        agentic_index=optional(shares),
        maker_penalty=st.sampled_from([Decimal(0), Decimal("0.25")]),
        learned_mean=optional(shares),
        learned_quality=optional(shares),
        observations=st.integers(0, 3),
    ),
    max_size=8,
    unique_by=lambda one: one.model_id,
).map(tuple)

policies = st.builds(
    Policy,
    min_quality=shares,
    budget_cap=optional(st.integers(0, 100_000).map(UsdMicros)),
    latency_cap_ms=optional(st.integers(1, 10_000)),
    agentic_floor=optional(shares),
    floor_mode=st.sampled_from(get_args(FloorMode)),
    ranking=st.sampled_from(get_args(RankingName)),
    preset=st.sampled_from(["balanced", "cost_first", "strict_latency"]),
)

snapshots = st.builds(
    Snapshot,
    task_type=st.sampled_from(TaskType),
    task_type_source=st.sampled_from(TaskTypeSource),
    tenant_id=optional(words),
    input_tokens_estimate=st.integers(0, 1_000_000),
    max_tokens_reserved=st.integers(0, 100_000),
    candidates=candidate_lists,
    policy=policies,
    catalog_version=st.text(max_size=10),
    seed=optional(st.text(max_size=10)),
    exploration_epsilon=st.sampled_from([Decimal(0), Decimal("0.3"), Decimal(1)]),
)
