"""What an owner lets an agent spend, on what and how good, and what all agents together may."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

import msgspec

from ainfera_server import money
from ainfera_server.conversation import Json
from ainfera_server.errors import Invalid
from ainfera_server.money import UsdMicros

SHARE_PLACES_MAX = 6
SHARE_CHARACTERS_MAX = 20

DrainProofStatus = Literal["protected", "unprotected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendPolicy:
    """None means that the owner decided nothing, so nothing is limited or the default holds.

    `session_cap` counts for each session that callers name, `subagent_cap` for each agent below.
    `allowed_models` holds slugs of offers and of models, `allowed_providers` of providers.
    """

    per_call_cap: UsdMicros | None = None
    daily_cap: UsdMicros | None = None
    monthly_cap: UsdMicros | None = None
    session_cap: UsdMicros | None = None
    subagent_cap: UsdMicros | None = None
    min_quality: Decimal | None = None
    allowed_models: tuple[str, ...] | None = None
    allowed_providers: tuple[str, ...] | None = None
    may_exceed_hold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantPolicy:
    """What all agents of a tenant may spend together; None is no limit.

    When wallets are strict, an agent spends what is in its own and never from the pool.
    """

    daily_cap: UsdMicros | None = None
    monthly_cap: UsdMicros | None = None
    wallet_strict_per_agent: bool = False


NOTHING_DECIDED = SpendPolicy()


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The part of a policy that has no column of its own, as it is kept."""

    min_quality: str | None = None
    allowed_models: tuple[str, ...] | None = None
    allowed_providers: tuple[str, ...] | None = None


def drain_proof_status(policy: SpendPolicy) -> DrainProofStatus:
    """Whether a runaway agent can empty its wallet at once.

    Caps on sessions and on agents below do not count: a caller may name another one at any time.
    """
    limits = (policy.per_call_cap, policy.daily_cap, policy.monthly_cap)
    return "unprotected" if all(one is None for one in limits) else "protected"


def facts(policy: SpendPolicy) -> dict[str, Json]:
    """A policy as it is served and recorded: decimals as text, null for what is not decided."""
    return {
        "per_call_cap_usd": _usd(policy.per_call_cap),
        "daily_cap_usd": _usd(policy.daily_cap),
        "monthly_cap_usd": _usd(policy.monthly_cap),
        "session_cap_usd": _usd(policy.session_cap),
        "subagent_cap_usd": _usd(policy.subagent_cap),
        "min_quality": None if policy.min_quality is None else str(policy.min_quality),
        "allowed_models": _listed(policy.allowed_models),
        "allowed_providers": _listed(policy.allowed_providers),
        "may_exceed_hold": policy.may_exceed_hold,
    }


def tenant_facts(policy: TenantPolicy) -> dict[str, Json]:
    """A tenant's policy as it is served and recorded."""
    return {
        "daily_cap_usd": _usd(policy.daily_cap),
        "monthly_cap_usd": _usd(policy.monthly_cap),
        "wallet_strict_per_agent": policy.wallet_strict_per_agent,
    }


def encode(policy: SpendPolicy) -> str:
    """Write what has no column of its own."""
    kept = Kept(
        min_quality=None if policy.min_quality is None else str(policy.min_quality),
        allowed_models=policy.allowed_models,
        allowed_providers=policy.allowed_providers,
    )
    return msgspec.json.encode(kept).decode()


def decode(kept: str) -> Kept:
    """Read what `encode` wrote, now or when it knew fewer names."""
    return msgspec.json.decode(kept, type=Kept)


def parse_share(value: str | float | Decimal, *, param: str) -> Decimal:
    """Read a share of one, such as a quality floor. Raises Invalid."""
    text = str(value)
    try:
        share = Decimal(text) if len(text) <= SHARE_CHARACTERS_MAX else Decimal("NaN")
    except InvalidOperation:
        share = Decimal("NaN")
    is_share = share.is_finite() and 0 <= share <= 1
    if isinstance(value, bool) or not is_share:
        raise Invalid(f"{param} must be a number from 0 to 1.", param=param)
    shown = round(share, SHARE_PLACES_MAX)
    if shown != share:
        raise Invalid(f"{param} has at most {SHARE_PLACES_MAX} decimals.", param=param)
    return shown.normalize() if shown else Decimal(0)


def _usd(amount: UsdMicros | None) -> str | None:
    return None if amount is None else money.usd(amount)


def _listed(names: Sequence[str] | None) -> list[Json] | None:
    return None if names is None else list(names)
