"""The windows of spending at work in a batch: locked rows that change together or not at all."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import assert_never

from ainfera_server.inference.rows import NewWindowRow, WindowRow
from ainfera_server.money import UsdMicros
from ainfera_server.wallet import caps
from ainfera_server.wallet.caps import CapBroken, Window, WindowKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an agent's owner allows, and what of it the whole tenant; None is no limit.

    `today` is the database's own date, for which the tenant has its windows or has not.
    """

    status: str
    today: date
    per_call_cap: UsdMicros | None = None
    daily_cap: UsdMicros | None = None
    monthly_cap: UsdMicros | None = None
    session_cap: UsdMicros | None = None
    subagent_cap: UsdMicros | None = None
    may_exceed_hold: bool = False
    tenant_daily_cap: UsdMicros | None = None
    tenant_monthly_cap: UsdMicros | None = None
    is_strict: bool = False
    has_tenant_windows: bool = True


@dataclass(slots=True, kw_only=True)  # tidy: changes while a batch is decided
class Windows:
    """The locked windows by their keys. A call counts in all of its own or in none.

    Those of `beginning` are written only if something is counted in them: a refusal leaves none.
    """

    locked: dict[WindowKey, Window]
    beginning: dict[WindowKey, NewWindowRow] = field(default_factory=dict[WindowKey, NewWindowRow])
    changed: set[WindowKey] = field(default_factory=set[WindowKey])

    def with_hold(
        self, keys: Iterable[WindowKey], limits: Limits, amount: UsdMicros
    ) -> tuple[Window, ...] | CapBroken:
        """The windows as they would be with so much more set aside, or the first cap broken."""
        counted: list[Window] = []
        for key in keys:
            window = caps.hold(self.locked[key], _cap(limits, key), amount)
            if isinstance(window, CapBroken):
                return window
            counted.append(window)
        return tuple(counted)

    def keep(self, windows: Iterable[Window]) -> None:
        """Have it so."""
        for window in windows:
            self.locked[window.key] = window
            self.changed.add(window.key)

    def release(self, keys: Iterable[WindowKey], held: UsdMicros) -> None:
        """Give back what a call did not spend."""
        self.keep([caps.release(self.locked[key], held) for key in keys])

    def settle(self, keys: Iterable[WindowKey], held: UsdMicros, cost: UsdMicros) -> None:
        """Count what a call really cost."""
        self.keep([caps.settle(self.locked[key], held, cost) for key in keys])

    def name_parent(self, key: WindowKey, parent: str) -> None:
        """Note who stands above a subagent; who said so first is believed."""
        if self.locked[key].parent is None:
            self.keep([replace(self.locked[key], parent=parent)])

    def begun(self) -> list[NewWindowRow]:
        """The windows to begin, as they are now."""
        found: list[NewWindowRow] = []
        for key in self.beginning.keys() & self.changed:
            row, window = self.beginning[key], self.locked[key]
            found.append(
                replace(row, parent=window.parent, posted=window.posted, pending=window.pending)
            )
        return found

    def rows(self) -> list[WindowRow]:
        """The other windows that changed, as they are now."""
        return [
            WindowRow(
                cell=key.cell,
                scope=key.scope,
                scope_key=key.scope_key,
                period=key.period,
                starts=key.starts,
                parent=self.locked[key].parent,
                posted=self.locked[key].posted,
                pending=self.locked[key].pending,
            )
            for key in self.changed
            if key not in self.beginning
        ]


def _cap(limits: Limits, key: WindowKey) -> UsdMicros | None:
    """What the owner allows in this kind of window."""
    is_daily = key.period == "day"
    match key.scope:
        case "agent":
            return limits.daily_cap if is_daily else limits.monthly_cap
        case "session":
            return limits.session_cap
        case "subagent":
            return limits.subagent_cap
        case "tenant":
            return limits.tenant_daily_cap if is_daily else limits.tenant_monthly_cap
        case _:
            assert_never(key.scope)
