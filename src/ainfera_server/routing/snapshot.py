"""Everything a decision may know, and the bytes it is stored as, so that it can be made again."""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Literal

import msgspec

from ainfera_server import money
from ainfera_server.money import UsdMicros, UsdMicrosPerMtok
from ainfera_server.routing.task_type import TaskType, TaskTypeSource

FORMAT = 1
"""Raised when stored bytes change their shape, so that old ones are never misread."""

FloorMode = Literal["serving", "legacy"]
"""What the quality floor is compared with: see `filters.floor_value`."""

RankingName = Literal["cheapest", "expected_cost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One offer, with all that any rule may ask about it; None means that nobody knows."""

    model_id: str
    model_slug: str
    brand_slug: str
    provider_slug: str
    q_prior: Decimal | None
    price_in: UsdMicrosPerMtok | None
    price_out: UsdMicrosPerMtok | None
    m_allowed: bool | None
    expected_latency_ms: int | None = None
    agentic_index: Decimal | None = None
    maker_penalty: Decimal = Decimal(0)
    learned_mean: Decimal | None = None
    learned_quality: Decimal | None = None
    observations: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the caller and the agent's owner ask of the offer that answers; None means no limit."""

    min_quality: Decimal
    budget_cap: UsdMicros | None = None
    latency_cap_ms: int | None = None
    agentic_floor: Decimal | None = None
    floor_mode: FloorMode = "serving"
    ranking: RankingName = "cheapest"
    preset: str = "balanced"
    semver: str = "1.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All a decision may know. Without a seed, or with an epsilon of zero, nothing is explored."""

    task_type: TaskType
    task_type_source: TaskTypeSource
    tenant_id: str | None
    input_tokens_estimate: int
    max_tokens_reserved: int
    candidates: tuple[Candidate, ...]
    policy: Policy
    catalog_version: str
    seed: str | None = None
    exploration_epsilon: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        distinct = {candidate.model_id for candidate in self.candidates}
        assert len(distinct) == len(self.candidates), "an offer is a candidate once"
        assert self.input_tokens_estimate >= 0, "tokens are never negative"
        assert self.max_tokens_reserved >= 0, "tokens are never negative"


class NotASnapshot(ValueError):
    """The bytes given were not written by `encode`, or by a version that wrote another shape."""


def encode(snapshot: Snapshot) -> bytes:
    """Write a snapshot as JSON: keys sorted, no spaces, decimals and money as decimal strings."""
    stored = _StoredSnapshot(
        format=FORMAT,
        task_type=snapshot.task_type,
        task_type_source=snapshot.task_type_source,
        tenant_id=snapshot.tenant_id,
        input_tokens_estimate=snapshot.input_tokens_estimate,
        max_tokens_reserved=snapshot.max_tokens_reserved,
        candidates=tuple(_stored_candidate(candidate) for candidate in snapshot.candidates),
        policy=_stored_policy(snapshot.policy),
        catalog_version=snapshot.catalog_version,
        seed=snapshot.seed,
        exploration_epsilon=decimal_text(snapshot.exploration_epsilon),
    )
    return msgspec.json.encode(stored, order="sorted")


def decode(stored_bytes: bytes) -> Snapshot:
    """Read back exactly what was encoded. Raises NotASnapshot for bytes of another shape."""
    try:
        stored = msgspec.json.decode(stored_bytes, type=_StoredSnapshot)
        if stored.format != FORMAT:
            raise NotASnapshot(f"a snapshot of format {stored.format} cannot be read here")
        return _snapshot(stored)
    except (msgspec.MsgspecError, ArithmeticError, money.NotAnAmount) as error:
        raise NotASnapshot(f"these bytes are not a snapshot: {error}") from error


@lru_cache(maxsize=4096)
def decimal_text(number: Decimal) -> str:
    """Write a number so that equal numbers are equal texts: no exponent, no trailing zero.

    A catalog's numbers are written again for every decision, so they are remembered.
    """
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").removesuffix(".")
    return "0" if text == "-0" else text


class _StoredCandidate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    model_id: str
    model_slug: str
    brand_slug: str
    provider_slug: str
    q_prior: str | None
    price_in_per_mtok_usd: str | None
    price_out_per_mtok_usd: str | None
    m_allowed: bool | None
    expected_latency_ms: int | None
    agentic_index: str | None
    maker_penalty: str
    learned_mean: str | None
    learned_quality: str | None
    observations: int


class _StoredPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    min_quality: str
    budget_cap_usd: str | None
    latency_cap_ms: int | None
    agentic_floor: str | None
    floor_mode: FloorMode
    ranking: RankingName
    preset: str
    semver: str


class _StoredSnapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: int
    task_type: TaskType
    task_type_source: TaskTypeSource
    tenant_id: str | None
    input_tokens_estimate: int
    max_tokens_reserved: int
    candidates: tuple[_StoredCandidate, ...]
    policy: _StoredPolicy
    catalog_version: str
    seed: str | None
    exploration_epsilon: str


def _stored_candidate(candidate: Candidate) -> _StoredCandidate:
    return _StoredCandidate(
        model_id=candidate.model_id,
        model_slug=candidate.model_slug,
        brand_slug=candidate.brand_slug,
        provider_slug=candidate.provider_slug,
        q_prior=optional_decimal_text(candidate.q_prior),
        price_in_per_mtok_usd=optional_price_text(candidate.price_in),
        price_out_per_mtok_usd=optional_price_text(candidate.price_out),
        m_allowed=candidate.m_allowed,
        expected_latency_ms=candidate.expected_latency_ms,
        agentic_index=optional_decimal_text(candidate.agentic_index),
        maker_penalty=decimal_text(candidate.maker_penalty),
        learned_mean=optional_decimal_text(candidate.learned_mean),
        learned_quality=optional_decimal_text(candidate.learned_quality),
        observations=candidate.observations,
    )


def _stored_policy(policy: Policy) -> _StoredPolicy:
    return _StoredPolicy(
        min_quality=decimal_text(policy.min_quality),
        budget_cap_usd=None if policy.budget_cap is None else money.usd(policy.budget_cap),
        latency_cap_ms=policy.latency_cap_ms,
        agentic_floor=optional_decimal_text(policy.agentic_floor),
        floor_mode=policy.floor_mode,
        ranking=policy.ranking,
        preset=policy.preset,
        semver=policy.semver,
    )


def _snapshot(stored: _StoredSnapshot) -> Snapshot:
    return Snapshot(
        task_type=stored.task_type,
        task_type_source=stored.task_type_source,
        tenant_id=stored.tenant_id,
        input_tokens_estimate=stored.input_tokens_estimate,
        max_tokens_reserved=stored.max_tokens_reserved,
        candidates=tuple(_candidate(candidate) for candidate in stored.candidates),
        policy=_policy(stored.policy),
        catalog_version=stored.catalog_version,
        seed=stored.seed,
        exploration_epsilon=Decimal(stored.exploration_epsilon),
    )


def _candidate(stored: _StoredCandidate) -> Candidate:
    return Candidate(
        model_id=stored.model_id,
        model_slug=stored.model_slug,
        brand_slug=stored.brand_slug,
        provider_slug=stored.provider_slug,
        q_prior=_optional_decimal(stored.q_prior),
        price_in=_optional_price(stored.price_in_per_mtok_usd),
        price_out=_optional_price(stored.price_out_per_mtok_usd),
        m_allowed=stored.m_allowed,
        expected_latency_ms=stored.expected_latency_ms,
        agentic_index=_optional_decimal(stored.agentic_index),
        maker_penalty=Decimal(stored.maker_penalty),
        learned_mean=_optional_decimal(stored.learned_mean),
        learned_quality=_optional_decimal(stored.learned_quality),
        observations=stored.observations,
    )


def _policy(stored: _StoredPolicy) -> Policy:
    cap = stored.budget_cap_usd
    return Policy(
        min_quality=Decimal(stored.min_quality),
        budget_cap=None if cap is None else money.parse_usd(cap),
        latency_cap_ms=stored.latency_cap_ms,
        agentic_floor=_optional_decimal(stored.agentic_floor),
        floor_mode=stored.floor_mode,
        ranking=stored.ranking,
        preset=stored.preset,
        semver=stored.semver,
    )


def optional_decimal_text(number: Decimal | None) -> str | None:
    """Write a number that may be unknown."""
    return None if number is None else decimal_text(number)


@lru_cache(maxsize=4096)
def optional_price_text(price: UsdMicrosPerMtok | None) -> str | None:
    """Write a price that may be unknown."""
    return None if price is None else money.usd_per_mtok(price)


def _optional_decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _optional_price(text: str | None) -> UsdMicrosPerMtok | None:
    return None if text is None else UsdMicrosPerMtok(money.parse_usd(text))
