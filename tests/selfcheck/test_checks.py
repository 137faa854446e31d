"""The self-check finds nothing in whole books, and names what was broken, in its own line."""

from collections.abc import Callable

import psycopg
import pytest

from ainfera_server.errors import StoreUnavailable
from ainfera_server.selfcheck import checks, reading, rules
from ainfera_server.selfcheck.checks import Asked
from ainfera_server.selfcheck.reading import Reader
from ainfera_server.selfcheck.verdicts import Fault
from tests.promises import proves
from tests.selfcheck import clocks
from tests.selfcheck.planted import CHANGED_TILE, PLANTED, Planted

DEEP = Asked(deep=True, clock=clocks.right)
QUICK = Asked(deep=False, clock=clocks.right)


MAY_WATCH, MAY_NOT_WATCH = (
    "do $$ begin if current_setting('server_version_num')::int >= 160000"
    f" then execute 'grant ainfera_ops to ainfera with set {may} granted by ainfera';"
    f" else execute '{before}'; end if; end $$"
    for may, before in (
        ("true", "grant ainfera_ops to ainfera"),
        ("false", "revoke ainfera_ops from ainfera"),
    )
)


@proves("promises-can-be-checked")
def test_books_that_nobody_broke_keep_every_promise(books: str) -> None:
    verdicts = tuple(checks.check(books, DEEP))
    assert {one.promise: one.faults for one in verdicts if not one.holds} == {}
    assert len(verdicts) == len(checks.CHECKS)
    figures = {name: n for one in verdicts for name, n in one.figures.items()}
    assert figures["verified"] == figures["events"] == figures["entries"]
    assert figures["open"] == figures["running"] == 1
    assert figures["receipts"] == 11, "one for each that ended, and one for each refusal"


def test_a_quick_look_checks_the_end_of_everything(books: str) -> None:
    assert all(one.holds for one in checks.check(books, QUICK))


@proves("promises-can-be-checked")
@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.statement[:60])
def test_what_was_broken_is_named_in_its_own_line_and_in_no_other(
    owner_dsn: str, planted: Planted
) -> None:
    broken = _broken(owner_dsn, planted.statement, DEEP)
    assert list(broken) == [planted.promise]
    named = [fault for fault in broken[planted.promise] if fault.rule.startswith(planted.rule)]
    assert len(named) == 1
    assert named[0].count >= 1
    assert named[0].examples


STRANGE_ENDS = (
    CHANGED_TILE,
    "update audit_log set event_hash = seq::text from log_checkpoints where height = size",
)


@pytest.mark.parametrize("statement", STRANGE_ENDS)
def test_a_quick_look_compares_the_newest_head_with_the_tree_and_the_log(
    owner_dsn: str, statement: str
) -> None:
    assert "public log" in _broken(owner_dsn, statement, QUICK)


def test_every_rule_is_broken_by_one_of_these_examples() -> None:
    known = {
        rule.sentence
        for group in vars(rules).values()
        if isinstance(group, tuple)
        for rule in group
    }
    shown = tuple(planted.rule for planted in PLANTED)
    assert [sentence for sentence in known if not sentence.startswith(shown)] == []


def test_a_clock_that_is_an_hour_off_is_named(books: str) -> None:
    asked = Asked(deep=False, clock=clocks.an_hour_late)
    broken = {one.promise: one.faults for one in checks.check(books, asked) if not one.holds}
    (fault,) = broken.pop("clock")
    assert fault.examples == ("+3600.0 s",)
    assert broken == {}


@proves("promises-can-be-checked")
def test_nothing_can_be_written_where_a_check_reads(
    books: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = {**reading.QUERIES, "clock": "update agents set name = 'changed'"}
    monkeypatch.setattr(reading, "QUERIES", writing)
    with pytest.raises(StoreUnavailable, match="read-only transaction"):
        list(checks.check(books, QUICK))


@pytest.mark.parametrize("role", ["ainfera_ops", "ainfera_writer"])
def test_the_role_that_only_watches_is_taken_on_where_the_login_may(
    books: str, administer: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    if role == "ainfera_writer":
        administer(MAY_NOT_WATCH)
    try:
        assert all(one.holds for one in checks.check(books, DEEP))
        asking = {**reading.QUERIES, "clock": "select current_user as who"}
        monkeypatch.setattr(reading, "QUERIES", asking)
        with reading.opened(books) as reader:
            assert reader.row("clock") == {"who": role}
    finally:
        administer(MAY_WATCH)


def _broken(owner_dsn: str, statement: str, asked: Asked) -> dict[str, tuple[Fault, ...]]:
    """Break something as nobody of ours may, with no trigger and no key in force, and look."""
    with psycopg.connect(owner_dsn) as connection:
        connection.execute("set local session_replication_role = replica")
        connection.execute(statement.encode())
        verdicts = tuple(checks.verdicts_of(Reader(connection), asked))
        connection.rollback()
    return {one.promise: one.faults for one in verdicts if not one.holds}
