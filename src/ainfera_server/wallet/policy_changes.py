"""What an owner asks to change of a policy, read out of a body and applied."""

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import NamedTuple, TypeVar

from ainfera_server import money
from ainfera_server.catalog.offers import Catalog
from ainfera_server.conversation import Json
from ainfera_server.errors import Invalid
from ainfera_server.money import NotAnAmount, UsdMicros
from ainfera_server.wallet import policy as policies
from ainfera_server.wallet.policy import SpendPolicy, TenantPolicy

NAMES_MAX = 200
SHOWN_CHARACTERS_MAX = 80

ReadT = TypeVar("ReadT")


class Unchanged(Enum):
    """Stands for what a change does not mention; None takes a limit away."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED


class Bounds(NamedTuple):
    """Between what a cap is worth having; both ends are allowed."""

    lowest: UsdMicros
    highest: UsdMicros


def _dollars(lowest: str, highest: str) -> Bounds:
    return Bounds(money.parse_usd(lowest), money.parse_usd(highest))


PER_CALL_CAP = _dollars("0.001", "100")
DAILY_CAP = _dollars("0.01", "10000")
MONTHLY_CAP = _dollars("0.01", "300000")
TREE_CAP = _dollars("0.001", "10000")
"""For one session, and for one agent below another in it."""
TENANT_DAILY_CAP = _dollars("0.01", "1000000")
TENANT_MONTHLY_CAP = _dollars("0.01", "30000000")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNames:
    """What a list of names may name; by default nothing."""

    models: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()


NO_NAMES = KnownNames()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """What an owner asks to change of what an agent may spend."""

    per_call_cap: UsdMicros | Unchanged | None = UNCHANGED
    daily_cap: UsdMicros | Unchanged | None = UNCHANGED
    monthly_cap: UsdMicros | Unchanged | None = UNCHANGED
    session_cap: UsdMicros | Unchanged | None = UNCHANGED
    subagent_cap: UsdMicros | Unchanged | None = UNCHANGED
    min_quality: Decimal | Unchanged | None = UNCHANGED
    allowed_models: tuple[str, ...] | Unchanged | None = UNCHANGED
    allowed_providers: tuple[str, ...] | Unchanged | None = UNCHANGED
    may_exceed_hold: bool | Unchanged | None = UNCHANGED


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantPolicyChange:
    """What an owner asks to change of what all agents together may spend."""

    daily_cap: UsdMicros | Unchanged | None = UNCHANGED
    monthly_cap: UsdMicros | Unchanged | None = UNCHANGED
    wallet_strict_per_agent: bool | Unchanged | None = UNCHANGED


def known_names(catalog: Catalog) -> KnownNames:
    """Everything of the catalog that a list may name: offers, models and providers."""
    offers = catalog.offers
    return KnownNames(
        models=frozenset(name for one in offers for name in (one.slug, one.model.slug)),
        providers=frozenset(one.provider for one in (*offers, *catalog.price_lists)),
    )


def require_known_name(asked: Collection[str], known: Collection[str]) -> None:
    """Refuse a change that names nothing but what we do not know: it is a slip. Raises Invalid."""
    unknown = next((name for name in asked if name not in known), None)
    if unknown is None or any(name in known for name in asked):
        return
    shown = unknown[:SHOWN_CHARACTERS_MAX]
    nearest = difflib.get_close_matches(shown, sorted(known), n=1)
    hint = f" The nearest is {nearest[0]!r}." if nearest else ""
    raise Invalid(
        f"Nothing would change: no field is called {shown!r}.{hint}"
        f" There are {', '.join(sorted(known))}.",
        param=shown,
    )


def parse(asked: Mapping[str, Json], known: KnownNames) -> PolicyChange:
    """Read the change out of a body; names we do not know are ignored. Raises Invalid."""
    return PolicyChange(
        per_call_cap=_given(asked, "per_call_cap_usd", _cap_within(PER_CALL_CAP)),
        daily_cap=_given(asked, "daily_cap_usd", _cap_within(DAILY_CAP)),
        monthly_cap=_given(asked, "monthly_cap_usd", _cap_within(MONTHLY_CAP)),
        session_cap=_given(asked, "session_cap_usd", _cap_within(TREE_CAP)),
        subagent_cap=_given(asked, "subagent_cap_usd", _cap_within(TREE_CAP)),
        min_quality=_given(asked, "min_quality", _share),
        allowed_models=_given(asked, "allowed_models", _names_among(known.models, "model")),
        allowed_providers=_given(
            asked, "allowed_providers", _names_among(known.providers, "provider")
        ),
        may_exceed_hold=_given(asked, "may_exceed_hold", _yes_or_no),
    )


def parse_tenant(asked: Mapping[str, Json]) -> TenantPolicyChange:
    """Read the change of a tenant's policy; names we do not know are ignored. Raises Invalid."""
    return TenantPolicyChange(
        daily_cap=_given(asked, "daily_cap_usd", _cap_within(TENANT_DAILY_CAP)),
        monthly_cap=_given(asked, "monthly_cap_usd", _cap_within(TENANT_MONTHLY_CAP)),
        wallet_strict_per_agent=_given(asked, "wallet_strict_per_agent", _yes_or_no),
    )


def changed(policy: SpendPolicy, change: PolicyChange) -> SpendPolicy:
    """The policy after a change."""
    return SpendPolicy(
        per_call_cap=_after(policy.per_call_cap, change.per_call_cap),
        daily_cap=_after(policy.daily_cap, change.daily_cap),
        monthly_cap=_after(policy.monthly_cap, change.monthly_cap),
        session_cap=_after(policy.session_cap, change.session_cap),
        subagent_cap=_after(policy.subagent_cap, change.subagent_cap),
        min_quality=_after(policy.min_quality, change.min_quality),
        allowed_models=_after(policy.allowed_models, change.allowed_models),
        allowed_providers=_after(policy.allowed_providers, change.allowed_providers),
        may_exceed_hold=_after(policy.may_exceed_hold, change.may_exceed_hold) is True,
    )


def changed_tenant(policy: TenantPolicy, change: TenantPolicyChange) -> TenantPolicy:
    """A tenant's policy after a change."""
    is_strict = _after(policy.wallet_strict_per_agent, change.wallet_strict_per_agent)
    return TenantPolicy(
        daily_cap=_after(policy.daily_cap, change.daily_cap),
        monthly_cap=_after(policy.monthly_cap, change.monthly_cap),
        wallet_strict_per_agent=is_strict is True,
    )


def _after(before: ReadT | None, change: ReadT | Unchanged | None) -> ReadT | None:
    return before if isinstance(change, Unchanged) else change


def _given(
    asked: Mapping[str, Json], param: str, read: Callable[[Json, str], ReadT]
) -> ReadT | Unchanged | None:
    if param not in asked:
        return UNCHANGED
    value = asked[param]
    return None if value is None else read(value, param)


def _cap_within(bounds: Bounds) -> Callable[[Json, str], UsdMicros]:
    def read(value: Json, param: str) -> UsdMicros:
        try:
            cap = money.parse_usd(_number(value, param))
        except NotAnAmount as problem:
            raise Invalid(f"{param}: {problem}", param=param) from None
        if not bounds.lowest <= cap <= bounds.highest:
            allowed = f"from {money.usd(bounds.lowest)} to {money.usd(bounds.highest)}"
            raise Invalid(f"{param} must be {allowed} US dollars.", param=param)
        return cap

    return read


def _share(value: Json, param: str) -> Decimal:
    return policies.parse_share(_number(value, param), param=param)


def _names_among(known: Collection[str], what: str) -> Callable[[Json, str], tuple[str, ...]]:
    """Read a list of names; one that nothing has is more likely a slip than a wish."""

    def read(value: Json, param: str) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise Invalid(
                f"{param} must be a list of at least one {what}, or null for no limit.",
                param=param,
            )
        if len(value) > NAMES_MAX:
            raise Invalid(f"{param} may name at most {NAMES_MAX} {what}s.", param=param)
        return tuple(dict.fromkeys(_name(one, param, known, what) for one in value))

    return read


def _name(value: Json, param: str, known: Collection[str], what: str) -> str:
    if not isinstance(value, str):
        raise Invalid(f"{param} must hold the names of {what}s as text.", param=param)
    if value in known:
        return value
    shown = value[:SHOWN_CHARACTERS_MAX]
    nearest = difflib.get_close_matches(shown, sorted(known), n=1)
    hint = f" The nearest is {nearest[0]!r}." if nearest else ""
    raise Invalid(
        f"{param}: no {what} is called {shown!r}.{hint} GET /v1/{what}s lists them.", param=param
    )


def _yes_or_no(value: Json, param: str) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"{param} must be true or false.", param=param)
    return value


def _number(value: Json, param: str) -> str | float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Invalid(f"{param} must be a number, or a number as text.", param=param)
    return value
