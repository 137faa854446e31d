"""What an owner lets an agent spend, and on what quality, as one value and its changes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Literal

import orjson

from ainfera_server import money
from ainfera_server.conversation import Json
from ainfera_server.errors import Invalid
from ainfera_server.money import UsdMicros
from ainfera_server.wallet import caps

SHARE_PLACES_MAX = 6
SHARE_CHARACTERS_MAX = 20

DrainProofStatus = Literal["protected", "unprotected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendPolicy:
    """None means that the owner decided nothing, so nothing is limited or the default holds."""

    per_call_cap: UsdMicros | None = None
    daily_cap: UsdMicros | None = None
    min_quality: Decimal | None = None


NOTHING_DECIDED = SpendPolicy()


class Unchanged(Enum):
    """Stands for what a change does not mention; None takes a limit away."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """What an owner asks to change."""

    per_call_cap: UsdMicros | Unchanged | None = UNCHANGED
    daily_cap: UsdMicros | Unchanged | None = UNCHANGED
    min_quality: Decimal | Unchanged | None = UNCHANGED


def parse_change(asked: Mapping[str, Json]) -> PolicyChange:
    """Read the change out of a body; names we do not know are ignored. Raises Invalid."""
    change = PolicyChange()
    if "per_call_cap_usd" in asked:
        change = replace(change, per_call_cap=_per_call_cap(asked["per_call_cap_usd"]))
    if "daily_cap_usd" in asked:
        change = replace(change, daily_cap=_daily_cap(asked["daily_cap_usd"]))
    if "min_quality" in asked:
        change = replace(change, min_quality=_min_quality(asked["min_quality"]))
    return change


def changed(policy: SpendPolicy, change: PolicyChange) -> SpendPolicy:
    """The policy after a change."""
    return SpendPolicy(
        per_call_cap=(
            policy.per_call_cap if change.per_call_cap is UNCHANGED else change.per_call_cap
        ),
        daily_cap=policy.daily_cap if change.daily_cap is UNCHANGED else change.daily_cap,
        min_quality=policy.min_quality if change.min_quality is UNCHANGED else change.min_quality,
    )


def drain_proof_status(policy: SpendPolicy) -> DrainProofStatus:
    """Whether a runaway agent can empty its wallet at once."""
    has_cap = policy.per_call_cap is not None or policy.daily_cap is not None
    return "protected" if has_cap else "unprotected"


def facts(policy: SpendPolicy) -> dict[str, Json]:
    """A policy as it is served and recorded: decimals as text, null for what is not decided."""
    return {
        "per_call_cap_usd": None if policy.per_call_cap is None else money.usd(policy.per_call_cap),
        "daily_cap_usd": None if policy.daily_cap is None else money.usd(policy.daily_cap),
        "min_quality": None if policy.min_quality is None else str(policy.min_quality),
    }


def encode(policy: SpendPolicy) -> str:
    """The part of a policy that has no column of its own, as it is kept."""
    kept = {} if policy.min_quality is None else {"min_quality": str(policy.min_quality)}
    return orjson.dumps(kept).decode()


def decode(
    kept: str, *, per_call_cap: UsdMicros | None, daily_cap: UsdMicros | None
) -> SpendPolicy:
    """A policy as it was kept."""
    min_quality: str | None = orjson.loads(kept).get("min_quality")
    return SpendPolicy(
        per_call_cap=per_call_cap,
        daily_cap=daily_cap,
        min_quality=None if min_quality is None else Decimal(min_quality),
    )


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


def _per_call_cap(value: Json) -> UsdMicros | None:
    param = "per_call_cap_usd"
    return None if value is None else caps.parse_per_call_cap(_number(value, param), param=param)


def _daily_cap(value: Json) -> UsdMicros | None:
    param = "daily_cap_usd"
    return None if value is None else caps.parse_daily_cap(_number(value, param), param=param)


def _min_quality(value: Json) -> Decimal | None:
    param = "min_quality"
    return None if value is None else parse_share(_number(value, param), param=param)


def _number(value: Json, param: str) -> str | float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Invalid(f"{param} must be a number, or a number as text.", param=param)
    return value
