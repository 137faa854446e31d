"""Whatever comes in one batch, in whatever order and however often: the books add up.

Here the database is played: the books get the rows as they stand, and what they made of them is
kept, or nothing of it.
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis.stateful import run_state_machine_as_test

from ainfera_server.accounts.store import Payer
from ainfera_server.audit.chain import GENESIS, Head
from ainfera_server.identifiers import (
    AccountId,
    AgentId,
    TransferId,
)
from ainfera_server.inference import counted
from ainfera_server.inference.books import Books, LockedTransfer
from ainfera_server.inference.entries import Entry, Extension, Hold, Refusal, Result, Settlement
from ainfera_server.inference.rows import EntryRow
from ainfera_server.inference.windows import Limits
from ainfera_server.money import UsdMicros
from ainfera_server.wallet import caps, ledger
from ainfera_server.wallet.caps import Lineage, Window, WindowKey
from ainfera_server.wallet.ledger import Account
from tests.accounts import newcomer
from tests.inference import money_entries, money_rules, nightly
from tests.inference.money_entries import NOTHING_DECIDED
from tests.inference.money_rules import KeptCall, KeptEntry, MoneyRules, Seen, State, World
from tests.promises import proves


class InMemory:
    """The database as it stands."""

    def __init__(self) -> None:
        self.payers = money_entries.payers()
        self.today = newcomer.NOW.date()
        self._accounts = dict(_empty_accounts(self.payers))
        self._limits = {one.agent_id: NOTHING_DECIDED for one in self.payers}
        self._heads: dict[AgentId, Head] = dict.fromkeys(self._limits, GENESIS)
        self._windows: dict[WindowKey, Window] = {}
        self._transfers: dict[TransferId, LockedTransfer] = {}
        self._ends: dict[TransferId, tuple[State, int]] = {}
        self._entries: list[KeptEntry] = []
        self._events: dict[UUID, str] = {}

    def write(self, entries: list[Entry], *, is_committed: bool) -> list[Result]:
        """Decide a batch, and keep what it came to."""
        holds = [one for one in entries if isinstance(one, Hold)]
        limits = {key: replace(one, today=self.today) for key, one in self._limits.items()}
        lineages = {
            one.inference.transfer_id: self._climbed(one) for one in holds if one.branch is not None
        }
        windows = dict(self._windows)
        for key in (key for one in self.payers for key in self._of_today(one)):
            if key.scope == "tenant":
                windows.setdefault(key, self._with_cap(Window(key=key)))
        books = Books(
            signer=newcomer.SIGNER,
            heads=dict(self._heads),
            limits=limits,
            accounts=dict(self._accounts),
            windows=counted.begun(holds, lineages, limits, windows),
            lineages=lineages,
            transfers=dict(self._transfers),
            known_refusals=dict(self._events),
        )
        results = [_told(books, one) for one in entries]
        if is_committed:
            self._keep(books)
        return results

    def pay_in(self, payer: Payer, account_id: AccountId, amount: int) -> None:
        """Move money in from outside."""
        topups = self._accounts.setdefault(
            AccountId(payer.tenant_id),
            Account(account_id=AccountId(payer.tenant_id), kind="topups"),
        )
        move = ledger.move(topups, self._accounts[account_id], UsdMicros(amount))
        self._accounts |= {one.account_id: one for one in (move.source, move.destination)}
        self._entries += [_kept(one) for one in move.entries]

    def allow(self, limits: Mapping[AgentId, Limits]) -> None:
        """Change the caps of all windows with those that they were copied from."""
        self._limits |= limits
        self._windows = {key: self._with_cap(one) for key, one in self._windows.items()}

    def passes(self, days: int) -> None:
        """Turn the page."""
        self.today += timedelta(days=days)

    def seen(self) -> Seen:
        """Everything as it is kept."""
        return Seen(
            accounts=self._accounts,
            windows=self._windows,
            calls={key: self._call(key, one) for key, one in self._transfers.items()},
            entries=tuple(self._entries),
            events=len(self._events),
        )

    def _keep(self, books: Books) -> None:
        begun, touched = books.windows.beginning, books.windows.changed
        self._windows = {
            key: self._with_cap(one) if key in begun else one
            for key, one in books.windows.locked.items()
            if key in touched or key not in begun
        }
        self._accounts, self._heads = books.accounts, books.heads
        self._transfers = books.transfers
        self._entries += [_kept(one) for one in books.new.entries]
        links = {link.event_id: link.payload for link in books.new.links}
        assert len(links) == len(books.new.links), "no event is there twice"
        assert links.keys().isdisjoint(self._events), "no event comes a second time"
        self._events |= links
        for row in books.new.resolved:
            transfer_id = TransferId(row.transfer_id)
            assert transfer_id not in self._ends, "a hold ends once"
            self._ends[transfer_id] = (row.state, row.amount_posted or 0)

    def _call(self, transfer_id: TransferId, transfer: LockedTransfer) -> KeptCall:
        state, posted = self._ends.get(transfer_id, ("pending", 0))
        return KeptCall(
            paid_by=transfer.payer_id,
            held=transfer.held,
            posted=posted,
            state=state,
            day=transfer.day,
        )

    def _climbed(self, hold: Hold) -> Lineage:
        """Climb from window to window, as the database's query does."""
        branch, agent_id = hold.branch, hold.payer.agent_id
        assert branch is not None, "only a call in a tree is looked for"
        session = caps.segment(branch.session)
        if branch.node is None:
            return Lineage(session=session)
        nodes = (caps.segment(branch.node),)
        own = self._windows.get(_own(agent_id, session, nodes[0]))
        above = branch.parent_segment if own is None or own.parent is None else own.parent
        while above is not None and above not in nodes:
            window = self._windows.get(_own(agent_id, session, above))
            if window is None:
                break
            nodes, above = (*nodes, above), window.parent
        return Lineage(session=session, nodes=nodes)

    def _of_today(self, payer: Payer) -> tuple[WindowKey, ...]:
        return caps.windows(
            tenant_id=payer.tenant_id, agent_id=payer.agent_id, day=self.today, lineage=None
        )

    def _with_cap(self, window: Window) -> Window:
        """The window with its cap as it is copied; one below what is spent stops at that."""
        key = window.key
        limits = next(
            self._limits[one.agent_id]
            for one in self.payers
            if key.scope_key.startswith((str(one.agent_id), str(one.tenant_id)))
        )
        cap = {
            ("agent", "day"): limits.daily_cap,
            ("agent", "month"): limits.monthly_cap,
            ("session", "whole"): limits.session_cap,
            ("subagent", "whole"): limits.subagent_cap,
            ("tenant", "day"): limits.tenant_daily_cap,
            ("tenant", "month"): limits.tenant_monthly_cap,
        }[key.scope, key.period]
        return replace(window, cap=None if cap is None else UsdMicros(max(cap, window.spent)))


class InMemoryRules(MoneyRules):
    """The rules, and no database."""

    def new_world(self) -> World:
        return InMemory()


@proves("money-is-exact", "no-overspend", "no-free-or-double-charge")
def test_whatever_comes_in_whatever_order_the_books_add_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_state_machine_as_test(InMemoryRules, settings=nightly.sizes(examples=300, steps=30))
    with capsys.disabled():
        sys.stdout.write(money_rules.report(InMemoryRules, "in memory"))


def _empty_accounts(payers: tuple[Payer, ...]) -> Mapping[AccountId, Account]:
    found: dict[AccountId, Account] = {}
    for payer in payers:
        kinds: tuple[tuple[AccountId, ledger.AccountKind], ...] = (
            (payer.wallet_id, "wallet"),
            (payer.pool_id, "pool"),
            (payer.provider_cost_id, "provider_cost"),
            (payer.revenue_id, "revenue"),
        )
        found |= {key: Account(account_id=key, kind=kind) for key, kind in kinds}
    return found


def _told(books: Books, entry: Entry) -> Result:
    match entry:
        case Hold():
            return books.hold(entry)
        case Settlement():
            return books.settle(entry)
        case Extension():
            return books.extend(entry)
        case Refusal():
            return books.refuse(entry)


def _own(agent_id: AgentId, session: str, node: str) -> WindowKey:
    return caps.own_window(agent_id, Lineage(session=session, nodes=(node,)))


def _kept(entry: EntryRow | ledger.Entry) -> KeptEntry:
    return KeptEntry(
        account_id=AccountId(entry.account_id),
        account_version=entry.account_version,
        amount=entry.amount if entry.side == "credit" else -entry.amount,
        balance_after=entry.balance_after,
    )
