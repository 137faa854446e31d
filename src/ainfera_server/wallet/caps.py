"""What an owner lets an agent spend: on one call, in a window of time, and down a tree of agents.

All are checked against the most that a call may cost, before it is made. A call counts in several
windows at once: its agent's and its tenant's day and month, and, if it says where in a tree of
agents it stands, its session and its subagent. What a subagent's own subagents spend counts in a
window beside its own, with the same cap: so that one that runs away stops, its siblings with it,
and never the one above.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, assert_never
from uuid import UUID

import orjson

from ainfera_server import identifiers
from ainfera_server.identifiers import AgentId, Cell, TenantId
from ainfera_server.money import UsdMicros

Scope = Literal["agent", "tenant", "session", "subagent"]
Period = Literal["day", "month", "whole"]
Reason = Literal[
    "per_call_cap_exceeded",
    "daily_cap_exceeded",
    "monthly_cap_exceeded",
    "session_cap_exceeded",
    "subagent_cap_exceeded",
    "tenant_daily_cap_exceeded",
    "tenant_monthly_cap_exceeded",
]

SUBAGENTS_MAX = 32
"""How many levels of a tree are counted; a session's own cap holds below them too."""

ALWAYS = date.min
"""Where a window without an end starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """Where in a tree of agents a call stands: in a session, and there perhaps below its root.

    `node` is None for the root itself, `parent` when the caller did not name it.
    """

    session: str
    node: str | None = None
    parent: str | None = None

    @property
    def parent_segment(self) -> str | None:
        """The named parent as part of a key; nobody stands above himself."""
        return None if self.parent is None or self.parent == self.node else segment(self.parent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """A subagent and those known to stand above it, nearest first; none for a session's root.

    All names are segments of keys.
    """

    session: str
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowKey:
    """Names a window: whose it is, how long it lasts and the day on which it starts."""

    cell: Cell
    scope: Scope
    scope_key: str
    period: Period
    starts: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What was spent in a window, `pending` for calls that still run.

    `cap` is the one that the database itself enforces, None when there is none. `parent` is the
    segment of the subagent above, None when nobody named it or the window is no subagent's.
    """

    key: WindowKey
    parent: str | None = None
    cap: UsdMicros | None = None
    posted: UsdMicros = UsdMicros(0)
    pending: UsdMicros = UsdMicros(0)

    @property
    def spent(self) -> UsdMicros:
        """What no further call may count on."""
        return UsdMicros(self.posted + self.pending)


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


def segment(name: str) -> str:
    """A session's or a subagent's name as part of a key, where a slash stands between two."""
    return name.replace("%", "%25").replace("/", "%2F")


def encode_lineage(lineage: Lineage) -> str:
    """A lineage as it is kept beside the transfer that counted in it."""
    return orjson.dumps([lineage.session, *lineage.nodes]).decode()


def decode_lineage(kept: str) -> Lineage:
    """A lineage as it was kept."""
    session, *nodes = orjson.loads(kept)
    return Lineage(session=session, nodes=tuple(nodes))


def tree(agent_id: AgentId, session: str) -> str:
    """What the keys of all subagents of a session begin with; `session` is a segment."""
    return f"{agent_id}/{session}/"


def windows(
    *, tenant_id: TenantId, agent_id: AgentId, day: date, lineage: Lineage | None
) -> tuple[WindowKey, ...]:
    """The windows that a call on this day counts in, in the order in which they are checked."""
    return (
        *_of_time("agent", agent_id, day),
        *(() if lineage is None else _of_tree(agent_id, lineage)),
        *_of_time("tenant", tenant_id, day),
    )


def own_window(agent_id: AgentId, lineage: Lineage) -> WindowKey:
    """The window of what a subagent itself spends; it keeps who stands above."""
    return _whole("subagent", agent_id, f"{tree(agent_id, lineage.session)}{lineage.nodes[0]}")


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


def hold(window: Window, cap: UsdMicros | None, needed: UsdMicros) -> Window | CapBroken:
    """Count a call in a window. `cap` is what the owner set last; the window's own binds too.

    They differ while a cap is below what is spent: the window's stops at what is spent.
    """
    assert needed >= 0, "a hold is never negative"
    in_force = _tighter(window.cap, cap)
    if in_force is not None and window.spent + needed > in_force:
        return CapBroken(
            reason=_reason(window.key),
            cap=in_force,
            spent=window.spent,
            needed=needed,
            resets_at=resets_at(window.key),
        )
    return replace(window, pending=UsdMicros(window.pending + needed))


def release(window: Window, held: UsdMicros) -> Window:
    """Give a window back what a call did not spend."""
    assert 0 <= held <= window.pending, "only what was held is released"
    return replace(window, pending=UsdMicros(window.pending - held))


def settle(window: Window, held: UsdMicros, cost: UsdMicros) -> Window:
    """Count what a call really cost in the window that held it, even after its end."""
    assert 0 <= cost <= held, "a settlement never takes more than was held"
    released = release(window, held)
    return replace(released, posted=UsdMicros(released.posted + cost))


def starts_of(period: Period, day: date) -> date:
    """The first day of the window that a day falls into."""
    match period:
        case "day":
            return day
        case "month":
            return day.replace(day=1)
        case "whole":
            return ALWAYS
        case _:
            assert_never(period)


def resets_at(key: WindowKey) -> datetime | None:
    """The midnight, in UTC, at which a cap is whole again; None when it never is."""
    match key.period:
        case "day":
            first = key.starts + timedelta(days=1)
        case "month":
            first = (key.starts + timedelta(days=31)).replace(day=1)
        case "whole":
            return None
        case _:
            assert_never(key.period)
    return datetime.combine(first, time.min, UTC)


def _of_time(scope: Scope, whose: UUID, day: date) -> Sequence[WindowKey]:
    periods: tuple[Period, ...] = ("day", "month")
    return [
        WindowKey(
            cell=identifiers.cell_of(whose),
            scope=scope,
            scope_key=str(whose),
            period=period,
            starts=starts_of(period, day),
        )
        for period in periods
    ]


def _of_tree(agent_id: AgentId, lineage: Lineage) -> Iterator[WindowKey]:
    """The session, the subagent itself, and what stands below each of those above it."""
    yield _whole("session", agent_id, f"{agent_id}/{lineage.session}")
    if lineage.nodes:
        yield own_window(agent_id, lineage)
    for node in lineage.nodes[1:]:
        yield _whole("subagent", agent_id, f"{tree(agent_id, lineage.session)}{node}/")


def _whole(scope: Scope, agent_id: AgentId, scope_key: str) -> WindowKey:
    return WindowKey(
        cell=identifiers.cell_of(agent_id),
        scope=scope,
        scope_key=scope_key,
        period="whole",
        starts=ALWAYS,
    )


def _tighter(one: UsdMicros | None, other: UsdMicros | None) -> UsdMicros | None:
    caps = [cap for cap in (one, other) if cap is not None]
    return min(caps, default=None)


def _reason(key: WindowKey) -> Reason:
    match key.scope:
        case "agent":
            return "daily_cap_exceeded" if key.period == "day" else "monthly_cap_exceeded"
        case "session":
            return "session_cap_exceeded"
        case "subagent":
            return "subagent_cap_exceeded"
        case "tenant":
            is_daily = key.period == "day"
            return "tenant_daily_cap_exceeded" if is_daily else "tenant_monthly_cap_exceeded"
        case _:
            assert_never(key.scope)
