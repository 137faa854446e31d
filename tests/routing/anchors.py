"""The five anchor models with the priors and prices of May 2026, on which the figures rest."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from ainfera_server import money
from ainfera_server.money import UsdMicrosPerMtok
from ainfera_server.routing.snapshot import Candidate, Policy, Snapshot
from ainfera_server.routing.task_type import TaskType, TaskTypeSource

MISTRAL, GEMINI, GPT = "mistral-large-3", "gemini-3-1-pro", "gpt-5-5"
GROK, OPUS = "grok-4", "claude-opus-4-7"


def price(dollars: str) -> UsdMicrosPerMtok:
    return UsdMicrosPerMtok(money.parse_usd(dollars))


def candidate(
    slug: str, brand: str, price_in: str, price_out: str, q_prior: str, provider: str | None = None
) -> Candidate:
    return Candidate(
        model_id=f"offer-of-{slug}",
        model_slug=slug,
        brand_slug=brand,
        provider_slug=provider or brand,
        q_prior=Decimal(q_prior),
        price_in=price(price_in),
        price_out=price(price_out),
        m_allowed=True,
    )


ANCHORS: Mapping[str, Candidate] = {
    OPUS: candidate(OPUS, "anthropic", "15", "75", "0.95"),
    GPT: candidate(GPT, "openai", "5", "15", "0.93"),
    GEMINI: candidate(GEMINI, "google", "1.25", "10", "0.90", "gemini"),
    GROK: candidate(GROK, "xai", "5", "15", "0.86"),
    MISTRAL: candidate(MISTRAL, "mistral", "2", "6", "0.80"),
}


def anchors(**changed: Mapping[str, object]) -> tuple[Candidate, ...]:
    """All five; `mistral_large_3={"m_allowed": None}` changes one."""
    named = {slug.replace("_", "-"): fields for slug, fields in changed.items()}
    return tuple(replace(one, **named.get(slug, {})) for slug, one in ANCHORS.items())


def asking(floor: str = "0.50", **limits: object) -> Policy:
    return replace(Policy(min_quality=Decimal(floor)), **limits)


def snapshot(candidates: tuple[Candidate, ...], policy: Policy) -> Snapshot:
    """A request of 1000 estimated tokens with 1024 reserved for the answer."""
    return Snapshot(
        task_type=TaskType.GENERAL,
        task_type_source=TaskTypeSource.DEFAULT,
        tenant_id="tenant",
        input_tokens_estimate=1000,
        max_tokens_reserved=1024,
        candidates=candidates,
        policy=policy,
        catalog_version="2026-05",
    )
