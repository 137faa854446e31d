"""Caps are checked on the most that a call may cost, and say what is left and until when."""

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.identifiers import AgentId, TenantId
from ainfera_server.money import UsdMicros
from ainfera_server.wallet import caps
from ainfera_server.wallet.caps import CapBroken, Lineage, Period, Scope, Window, WindowKey
from tests.promises import proves

AGENT = AgentId(UUID(int=0xA))
TENANT = TenantId(UUID(int=0xB00A))
LAST_DAY = date(2026, 12, 31)
AMOUNTS = st.integers(0, 1_000).map(UsdMicros)
NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=6)


def window(scope: Scope = "agent", period: Period = "day") -> Window:
    starts = caps.starts_of(period, LAST_DAY)
    (key,) = (
        one
        for one in keys(Lineage(session="s", nodes=("n",)))
        if (one.scope, one.period, one.starts) == (scope, period, starts)
    )
    return Window(key=key)


def keys(lineage: Lineage | None, *, day: date = LAST_DAY) -> tuple[WindowKey, ...]:
    return caps.windows(tenant_id=TENANT, agent_id=AGENT, day=day, lineage=lineage)


def test_a_call_within_its_cap_is_allowed_to_the_last_micro() -> None:
    assert caps.per_call(UsdMicros(1_000), UsdMicros(1_000)) is None
    assert caps.per_call(None, UsdMicros(10**12)) is None


def test_a_call_above_its_cap_is_refused_with_the_numbers() -> None:
    broken = caps.per_call(UsdMicros(1_000), UsdMicros(1_001))
    assert isinstance(broken, CapBroken)
    assert broken.reason == "per_call_cap_exceeded"
    assert (broken.cap, broken.needed, broken.remaining) == (1_000, 1_001, 1_000)
    assert broken.resets_at is None


def test_a_window_counts_what_still_runs() -> None:
    cap = UsdMicros(100)
    first = caps.hold(window(), cap, UsdMicros(60))
    assert isinstance(first, Window)
    broken = caps.hold(first, cap, UsdMicros(41))
    assert isinstance(broken, CapBroken)
    assert (broken.spent, broken.remaining) == (60, 40)


@pytest.mark.parametrize(
    ("scope", "period", "reason", "resets_at"),
    [
        ("agent", "day", "daily_cap_exceeded", datetime(2027, 1, 1, tzinfo=UTC)),
        ("agent", "month", "monthly_cap_exceeded", datetime(2027, 1, 1, tzinfo=UTC)),
        ("session", "whole", "session_cap_exceeded", None),
        ("subagent", "whole", "subagent_cap_exceeded", None),
        ("tenant", "day", "tenant_daily_cap_exceeded", datetime(2027, 1, 1, tzinfo=UTC)),
        ("tenant", "month", "tenant_monthly_cap_exceeded", datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_each_window_says_whose_cap_it_is_and_when_it_is_whole_again(
    scope: Scope, period: Period, reason: str, resets_at: datetime | None
) -> None:
    broken = caps.hold(window(scope, period), UsdMicros(5), UsdMicros(6))
    assert isinstance(broken, CapBroken)
    assert (broken.reason, broken.resets_at) == (reason, resets_at)


@pytest.mark.parametrize("month", range(1, 13))
def test_a_month_ends_where_the_next_begins(month: int) -> None:
    first = date(2028, month, 1)
    key = replace(window("agent", "month").key, starts=first)
    after = datetime(2028 + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    assert caps.resets_at(key) == after
    assert caps.starts_of("month", first.replace(day=28)) == first


def test_what_a_call_did_not_spend_is_free_again() -> None:
    cap = UsdMicros(100)
    held = caps.hold(window(), cap, UsdMicros(100))
    assert isinstance(held, Window)
    settled = caps.settle(held, UsdMicros(100), UsdMicros(30))
    assert (settled.posted, settled.pending) == (30, 0)
    assert isinstance(caps.hold(settled, cap, UsdMicros(70)), Window)
    assert isinstance(caps.hold(settled, cap, UsdMicros(71)), CapBroken)


def test_a_cap_below_what_is_spent_leaves_nothing_and_owes_nothing() -> None:
    spent = replace(window(), posted=UsdMicros(90), cap=UsdMicros(90))
    broken = caps.hold(spent, UsdMicros(50), UsdMicros(1))
    assert isinstance(broken, CapBroken)
    assert (broken.cap, broken.remaining) == (50, 0)


def test_the_cap_on_the_locked_row_binds_whoever_read_another() -> None:
    binding = replace(window(), cap=UsdMicros(50))
    assert isinstance(caps.hold(binding, None, UsdMicros(51)), CapBroken)
    assert isinstance(caps.hold(binding, UsdMicros(60), UsdMicros(51)), CapBroken)


@proves("no-overspend")
@given(st.lists(AMOUNTS), AMOUNTS)
def test_no_sequence_of_holds_breaks_a_window(amounts: list[UsdMicros], cap: UsdMicros) -> None:
    spent = window()
    for amount in amounts:
        after = caps.hold(spent, cap, amount)
        if isinstance(after, Window):
            spent = after
    assert spent.spent <= cap


def test_a_call_is_checked_against_what_is_nearest_first() -> None:
    found = [(one.scope, one.period) for one in keys(Lineage(session="s", nodes=("n", "up")))]
    assert found == [
        ("agent", "day"),
        ("agent", "month"),
        ("session", "whole"),
        ("subagent", "whole"),
        ("subagent", "whole"),
        ("tenant", "day"),
        ("tenant", "month"),
    ]
    assert [one.scope for one in keys(None)] == ["agent", "agent", "tenant", "tenant"]


def test_what_a_subagent_spends_itself_and_what_is_spent_below_it_are_two_windows() -> None:
    own = set(keys(Lineage(session="s", nodes=("up",))))
    from_below = set(keys(Lineage(session="s", nodes=("n", "up"))))
    shared = {one.scope for one in own & from_below}
    assert shared == {"agent", "tenant", "session"}


@given(NAMES, NAMES, NAMES, NAMES)
def test_no_two_places_in_a_tree_share_a_window(
    session: str, node: str, other_session: str, other_node: str
) -> None:
    trees = [
        set(keys(Lineage(session=caps.segment(one), nodes=(caps.segment(of_it),))))
        for one, of_it in ((session, node), (other_session, other_node))
    ]
    shared = {one.scope for one in trees[0] & trees[1]}
    assert ("session" in shared) == (session == other_session)
    assert ("subagent" in shared) == ((session, node) == (other_session, other_node))


@given(NAMES, st.lists(NAMES))
def test_a_lineage_is_read_as_it_was_kept(session: str, nodes: list[str]) -> None:
    lineage = Lineage(session=session, nodes=tuple(nodes))
    assert caps.decode_lineage(caps.encode_lineage(lineage)) == lineage
