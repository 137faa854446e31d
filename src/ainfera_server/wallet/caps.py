"""What an owner lets an agent spend: on one call, and on one UTC day.

Both are checked against the most that a call may cost, before it is made.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal

from ainfera_server import money
from ainfera_server.errors import Invalid
from ainfera_server.money import NotAnAmount, UsdMicros

PER_CALL_CAP_MIN = UsdMicros(1_000)
PER_CALL_CAP_MAX = UsdMicros(100 * money.MICROS_PER_USD)
DAILY_CAP_MIN = UsdMicros(10_000)
DAILY_CAP_MAX = UsdMicros(10_000 * money.MICROS_PER_USD)

Reason = Literal["per_call_cap_exceeded", "daily_cap_exceeded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CapBroken:
    """A call may cost more than a cap leaves; `resets_at` is None for a cap that never resets."""

    reason: Reason
    cap: UsdMicros
    spent: UsdMicros
    needed: UsdMicros
    resets_at: datetime | None

    @property
    def remaining(self) -> UsdMicros:
        """The most that a call may cost right now."""
        return UsdMicros(max(self.cap - self.spent, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentDay:
    """What an agent spent on a UTC day, `pending` for calls that still run.

    `cap` is the cap that the database itself enforces for that day; None when there is none.
    """

    day: date
    cap: UsdMicros | None = None
    posted: UsdMicros = UsdMicros(0)
    pending: UsdMicros = UsdMicros(0)

    @property
    def spent(self) -> UsdMicros:
        """What no further call may count on."""
        return UsdMicros(self.posted + self.pending)


def per_call(cap: UsdMicros | None, needed: UsdMicros) -> CapBroken | None:
    """Whether one call may cost too much; None when it may not."""
    if cap is None or needed <= cap:
        return None
    return CapBroken(
        reason="per_call_cap_exceeded",
        cap=cap,
        spent=UsdMicros(0),
        needed=needed,
        resets_at=None,
    )


def hold(today: SpentDay, cap: UsdMicros | None, needed: UsdMicros) -> SpentDay | CapBroken:
    """Count a call against its day, under the cap that the owner set last."""
    assert needed >= 0, "a hold is never negative"
    if cap is not None and today.spent + needed > cap:
        return CapBroken(
            reason="daily_cap_exceeded",
            cap=cap,
            spent=today.spent,
            needed=needed,
            resets_at=resets_at(today.day),
        )
    return replace(today, cap=cap, pending=UsdMicros(today.pending + needed))


def release(that_day: SpentDay, held: UsdMicros) -> SpentDay:
    """Give the day back what a call did not spend."""
    assert 0 <= held <= that_day.pending, "only what was held is released"
    return replace(that_day, pending=UsdMicros(that_day.pending - held))


def settle(that_day: SpentDay, held: UsdMicros, cost: UsdMicros) -> SpentDay:
    """Count what a call really cost on the day that held it, even after midnight."""
    assert 0 <= cost <= held, "a settlement never takes more than was held"
    released = release(that_day, held)
    return replace(released, posted=UsdMicros(released.posted + cost))


def resets_at(day: date) -> datetime:
    """The midnight, in UTC, at which a day's cap is whole again."""
    return datetime.combine(day + timedelta(days=1), time.min, UTC)


def parse_per_call_cap(value: str | float | Decimal, *, param: str) -> UsdMicros:
    """Read a cap on one call. Raises Invalid."""
    return _parse(value, param, PER_CALL_CAP_MIN, PER_CALL_CAP_MAX)


def parse_daily_cap(value: str | float | Decimal, *, param: str) -> UsdMicros:
    """Read a cap on one day. Raises Invalid."""
    return _parse(value, param, DAILY_CAP_MIN, DAILY_CAP_MAX)


def _parse(
    value: str | float | Decimal, param: str, lowest: UsdMicros, highest: UsdMicros
) -> UsdMicros:
    try:
        cap = money.parse_usd(value)
    except NotAnAmount as problem:
        raise Invalid(f"{param}: {problem}", param=param) from None
    if not lowest <= cap <= highest:
        bounds = f"from {money.usd(lowest)} to {money.usd(highest)}"
        raise Invalid(f"{param} must be {bounds} US dollars.", param=param)
    return cap
