"""What a request asks of the offer that answers, from its hints and its agent's own limits."""

import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, cast

from ainfera_server import money
from ainfera_server.money import UsdMicros
from ainfera_server.routing import cells
from ainfera_server.routing.snapshot import Policy, RankingName
from ainfera_server.routing.task_type import TaskType

FLOOR_DEFAULT = Decimal("0.50")
FLOORS_PER_TASK_TYPE: Mapping[TaskType, Decimal] = MappingProxyType(
    {
        TaskType.REASONING: Decimal("0.88"),
        TaskType.CODE: Decimal("0.78"),
        TaskType.TOOL_USE: Decimal("0.78"),
        TaskType.GENERAL: Decimal("0.68"),
        TaskType.CHAT: Decimal("0.58"),
        TaskType.EXTRACTION: Decimal("0.58"),
        TaskType.EMBED: Decimal("0.52"),
    }
)
"""Default floors by kind of work, for a deployment that switches them on."""

QUALITY_TIERS: Mapping[str, Decimal] = MappingProxyType(
    {"good": Decimal("0.50"), "frontier": Decimal("0.85")}
)
PRESET_DEFAULT = "balanced"
DIAL_STEP = Decimal("0.10")
DIAL_MIN = Decimal("0.50")
DIAL_MAX = Decimal("0.85")
DECIMAL_PLACES_MAX = 40
LATENCY_MS_MAX = 24 * 60 * 60 * 1000

NUMBER = re.compile(r"[+-]?(\d{1,60}(\.\d{0,60})?|\.\d{1,60})([eE][+-]?\d{1,3})?", re.ASCII)
STRICT_PRESET = re.compile(rf"{cells.STRICT}[a-z_]{{0,32}}")


class NotAPolicy(ValueError):
    """A hint, a cap or a limit has a value that means nothing; `field` says which."""

    def __init__(self, field: str, allowed: str, value: object) -> None:
        super().__init__(f"{field} must be {allowed}; not {reprlib.repr(value)}")
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLimits:
    """What the agent's owner decided; None means nothing decided.

    `min_quality` is a floor under what requests ask for; the others count where one is silent.
    """

    min_quality: Decimal | None = None
    per_call_cap: UsdMicros | None = None
    latency_cap_ms: int | None = None
    agentic_floor: Decimal | None = None


def build(
    *,
    routing_hint: object,
    caps: object,
    agent: AgentLimits,
    task_type: TaskType,
    dial: Literal["live", "off"],
    floors_per_task_type: Mapping[TaskType, Decimal] | None = None,
    ranking: RankingName = "cheapest",
) -> Policy:
    """Join what the request says with what its agent's owner decided; other keys are ignored.

    Raises NotAPolicy for a value that cannot be what its key says.
    """
    hint = _mapping("routing_hint", routing_hint)
    limits = _mapping("caps", caps)
    min_quality = _min_quality(hint)
    if min_quality is None:
        base = _floor_default(agent, task_type, floors_per_task_type)
        preference = hint.get("routing_preference") if dial == "live" else None
        min_quality = dialled(base, preference)
    if agent.min_quality is not None:
        min_quality = max(min_quality, agent.min_quality)
    budget_cap = _budget_cap(hint, limits)
    latency_cap_ms = _latency_cap_ms(hint, limits)
    return Policy(
        min_quality=min_quality,
        budget_cap=agent.per_call_cap if budget_cap is None else budget_cap,
        latency_cap_ms=agent.latency_cap_ms if latency_cap_ms is None else latency_cap_ms,
        agentic_floor=agent.agentic_floor,
        ranking=ranking,
        preset=_preset(hint),
    )


def dialled(base: Decimal, preference: object) -> Decimal:
    """Move a default floor as the caller prefers; a word we do not know moves nothing.

    A base outside the dial's range stays where it is rather than move the wrong way.
    """
    match preference:
        case "quality":
            return max(base, _within_dial(base + DIAL_STEP))
        case "cost":
            return min(base, _within_dial(base - DIAL_STEP))
        case _:
            return base


def _within_dial(floor: Decimal) -> Decimal:
    return min(max(floor, DIAL_MIN), DIAL_MAX)


def _floor_default(
    agent: AgentLimits, task_type: TaskType, floors: Mapping[TaskType, Decimal] | None
) -> Decimal:
    """The agent's own floor, else that of the kind of work, else everybody's."""
    if agent.min_quality is not None:
        return agent.min_quality
    return FLOOR_DEFAULT if floors is None else floors.get(task_type, FLOOR_DEFAULT)


def _min_quality(hint: Mapping[str, object]) -> Decimal | None:
    """The floor the request names, by its name of today or its older one; None when it does not."""
    for key in ("min_quality", "quality_floor"):
        value = hint.get(key)
        if value is not None:
            return _quality(f"routing_hint.{key}", value)
    return None


def _quality(field: str, value: object) -> Decimal:
    if isinstance(value, str) and value in QUALITY_TIERS:
        return QUALITY_TIERS[value]
    number = _number(value)
    if number is None or not 0 <= number <= 1:
        tiers = " or ".join(repr(tier) for tier in QUALITY_TIERS)
        raise NotAPolicy(field, f"a number from 0 to 1, or {tiers}", value)
    return number


def _budget_cap(hint: Mapping[str, object], caps: Mapping[str, object]) -> UsdMicros | None:
    """The tightest of the caps given, so that no name of it is ever overstepped."""
    given = (
        ("routing_hint.budget_cap_usd", hint.get("budget_cap_usd")),
        ("routing_hint.max_cost_usd", hint.get("max_cost_usd")),
        ("caps.budget", caps.get("budget")),
    )
    return min((_usd(field, value) for field, value in given if value is not None), default=None)


def _usd(field: str, value: object) -> UsdMicros:
    """Costs are whole millionths of a dollar, so a finer part of a cap never decides anything."""
    number = _number(value)
    dollars_max = money.AMOUNT_MAX // money.MICROS_PER_USD
    if number is None or not 0 <= number <= dollars_max:
        raise NotAPolicy(field, f"an amount of US dollars from 0 to {dollars_max}", value)
    numerator, denominator = number.as_integer_ratio()
    return UsdMicros(numerator * money.MICROS_PER_USD // denominator)


def _latency_cap_ms(hint: Mapping[str, object], caps: Mapping[str, object]) -> int | None:
    """The tightest of the caps given."""
    given = (
        ("routing_hint.latency_cap_ms", hint.get("latency_cap_ms")),
        ("caps.latency_ms", caps.get("latency_ms")),
    )
    return min((_ms(field, value) for field, value in given if value is not None), default=None)


def _ms(field: str, value: object) -> int:
    """Latencies are whole milliseconds, so a part of one in a cap never decides anything."""
    number = _number(value)
    if number is None or not 1 <= number <= LATENCY_MS_MAX:
        raise NotAPolicy(field, f"a number of milliseconds from 1 to {LATENCY_MS_MAX}", value)
    return int(number)


def _preset(hint: Mapping[str, object]) -> str:
    """A preset only gives the policy its name, so one that we do not know is ignored."""
    for key in ("policy_name", "preset"):
        name = hint.get(key)
        if isinstance(name, str) and (name in cells.BANDS or STRICT_PRESET.fullmatch(name)):
            return name
    return PRESET_DEFAULT


def _mapping(field: str, value: object) -> Mapping[str, object]:
    """An object of the request's JSON; absent is empty."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return cast("Mapping[str, object]", value)
    raise NotAPolicy(field, "an object", value)


def _number(value: object) -> Decimal | None:
    """Read a plain number or its text exactly; None when it is neither, or is not finite.

    A float is read as its shortest text, because that is what its sender wrote. The pattern bounds
    digits and exponent: a number of ten characters could otherwise unfold into gigabytes.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    text = value if isinstance(value, str) else str(value)
    if not NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    is_bounded = isinstance(exponent, int) and exponent >= -DECIMAL_PLACES_MAX
    return number if is_bounded else None
