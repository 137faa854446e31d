"""Whatever comes in one batch, in whatever order and however often: the books add up.

A machine plays the database: it gives each batch the rows as they stand, and keeps what the batch
wrote, or nothing when the transaction is told to fail. Each entry may come again later, as it does
when nobody heard the end of a commit.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ainfera_server.accounts.store import Payer
from ainfera_server.audit.chain import GENESIS, Head
from ainfera_server.audit.events import Event, EventType
from ainfera_server.identifiers import (
    AccountId,
    AgentId,
    Cell,
    DecisionId,
    EventId,
    InferenceId,
    TenantId,
    TransferId,
)
from ainfera_server.inference.books import Books, Limits, LockedTransfer
from ainfera_server.inference.entries import (
    Entry,
    Held,
    Hold,
    Refusal,
    Refused,
    Result,
    Settled,
    Settlement,
)
from ainfera_server.inference.rows import (
    EntryRow,
    InferenceEnd,
    InferenceRow,
    OutcomeRow,
)
from ainfera_server.money import UsdMicros
from ainfera_server.wallet.caps import SpentDay
from ainfera_server.wallet.ledger import Account
from tests.accounts import newcomer
from tests.promises import proves

CELL = Cell(7)
TENANT = TenantId(newcomer.new_id(CELL))
REVENUE = AccountId(newcomer.new_id(CELL))
FUNDED = UsdMicros(1_000)
AGENTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One entry of a batch, in the few numbers that matter. `which` chooses an earlier hold."""

    kind: str
    agent: int
    amount: int
    which: int
    is_routed: bool


WISHES = st.builds(
    Wish,
    kind=st.sampled_from(["hold", "next offer", "pay", "release", "expire", "refuse", "again"]),
    agent=st.integers(0, AGENTS - 1),
    amount=st.integers(0, 600),
    which=st.integers(0, 50),
    is_routed=st.booleans(),
)

LIMITS = st.builds(
    Limits,
    status=st.sampled_from(["active", "active", "paused"]),
    per_call_cap=st.none() | st.integers(1, 600).map(UsdMicros),
    daily_cap=st.none() | st.integers(1, 900).map(UsdMicros),
)


class Ledger(RuleBasedStateMachine):
    """The database as it stands, and every entry that was ever handed in."""

    def __init__(self) -> None:
        super().__init__()
        self.payers = tuple(_payer() for _ in range(AGENTS))
        wallets = (Account(account_id=one.wallet_id, kind="wallet") for one in self.payers)
        self.accounts = {one.account_id: replace(one, credits_posted=FUNDED) for one in wallets}
        self.accounts[REVENUE] = Account(account_id=REVENUE, kind="revenue")
        self.limits = {
            one.agent_id: Limits(status="active", per_call_cap=None, daily_cap=None)
            for one in self.payers
        }
        self.heads: dict[AgentId, Head] = dict.fromkeys(self.limits, GENESIS)
        self.transfers: dict[TransferId, LockedTransfer] = {}
        self.days: dict[tuple[AgentId, date], SpentDay] = {}
        self.today = newcomer.NOW.date()
        self.entries: list[EntryRow] = []
        self.resolved: Counter[TransferId] = Counter()
        self.costs: Counter[tuple[AgentId, date]] = Counter()
        self.events: Counter[EventId] = Counter()
        self.holds: list[Hold] = []
        self.handed_in: list[Entry] = []

    @rule(wishes=st.lists(WISHES, min_size=1, max_size=8), is_committed=st.booleans())
    def a_batch_comes(self, wishes: list[Wish], *, is_committed: bool) -> None:
        before = tuple(self.handed_in)
        entries: list[Entry] = []
        for wish in wishes:
            again = before[-1 - wish.which :][:1] if wish.kind == "again" else ()
            entries += self._entries(wish) or (one for one in again if one not in entries)
        books = self._opened_books()
        results = [_told(books, entry) for entry in entries]
        self._no_hold_breaks_a_cap(books, entries, results)
        if is_committed:
            self._keep(books)

    @rule(agent=st.integers(0, AGENTS - 1), limits=LIMITS)
    def an_owner_changes_what_an_agent_may_spend(self, agent: int, limits: Limits) -> None:
        self.limits[self.payers[agent].agent_id] = limits

    @rule()
    def midnight_comes(self) -> None:
        self.today += timedelta(days=1)

    @invariant()
    def money_is_neither_made_nor_lost(self) -> None:
        assert sum(one.balance for one in self.accounts.values()) == FUNDED * AGENTS
        for account_id, account in self.accounts.items():
            own = [one for one in self.entries if one.account_id == account_id]
            assert [one.account_version for one in own] == list(range(1, account.version + 1))
            debits = sum(one.amount for one in own if one.side == "debit")
            assert debits == account.debits_posted

    @invariant()
    def no_wallet_is_overdrawn(self) -> None:
        for payer in self.payers:
            assert self.accounts[payer.wallet_id].available >= 0

    @invariant()
    def wallets_and_days_hold_what_open_transfers_hold(self) -> None:
        pending = [one for one in self.transfers.values() if one.is_pending]
        for payer in self.payers:
            own = sum(one.held for one in pending if one.wallet_id == payer.wallet_id)
            assert self.accounts[payer.wallet_id].held == own
        for (agent_id, day), spent in self.days.items():
            of_day = [one for one in pending if (one.agent_id, one.day) == (agent_id, day)]
            assert spent.pending == sum(one.held for one in of_day)
            assert spent.posted == self.costs[agent_id, day]

    @invariant()
    def nothing_is_there_twice(self) -> None:
        assert max(self.resolved.values(), default=1) == 1
        assert max(self.events.values(), default=1) == 1

    def _entries(self, wish: Wish) -> list[Entry]:
        """An entry as a gateway would hand it in; nothing when there is nothing to choose from."""
        payer = self.payers[wish.agent]
        if wish.kind == "again":
            return []
        if wish.kind == "refuse":
            return [self._handed(_refusal(payer))]
        if wish.kind == "hold":
            return [self._handed(_hold(payer, wish, earlier=None))]
        if wish.kind == "next offer":
            known = [one for one in self.holds if one.inference.transfer_id in self.transfers]
            return [
                self._handed(_hold(earlier.payer, wish, earlier=earlier))
                for earlier in known[-1 - wish.which :][:1]
            ]
        return [
            self._handed(_settlement(earlier, wish))
            for earlier in self.holds[-1 - wish.which :][:1]
        ]

    def _handed(self, entry: Entry) -> Entry:
        self.handed_in.append(entry)
        self.holds += [entry] if isinstance(entry, Hold) else []
        return entry

    def _opened_books(self) -> Books:
        for payer in self.payers:
            key = (payer.agent_id, self.today)
            self.days.setdefault(key, SpentDay(day=self.today))
        return Books(
            signer=newcomer.SIGNER,
            heads=dict(self.heads),
            limits=dict(self.limits),
            accounts=dict(self.accounts),
            days=dict(self.days),
            today=dict.fromkeys(self.limits, self.today),
            transfers=dict(self.transfers),
            known_refusals=frozenset(self.events),
        )

    def _no_hold_breaks_a_cap(
        self, books: Books, entries: list[Entry], results: list[Result]
    ) -> None:
        """After a batch that made a new hold the day is within the cap that its owner set."""
        for entry, result in zip(entries, results, strict=True):
            if not isinstance(entry, Hold) or not isinstance(result, Held):
                continue
            if entry.inference.transfer_id in self.transfers:
                continue
            limits = self.limits[entry.payer.agent_id]
            assert limits.status == "active"
            assert limits.per_call_cap is None or (
                entry.inference.amount_held <= limits.per_call_cap
            )
            spent = books.days[entry.payer.agent_id, result.day].spent
            assert limits.daily_cap is None or spent <= limits.daily_cap

    def _keep(self, books: Books) -> None:
        """Write what the batch decided, as the queries do."""
        changed = {row.account_id for row in books.account_rows()}
        assert all(
            books.accounts[one] == self.accounts[one] for one in set(self.accounts) - changed
        ), "what changed is written"
        self.accounts, self.days = books.accounts, books.days
        self.transfers, self.heads = books.transfers, books.heads
        self.entries += books.new.entries
        self.resolved.update(TransferId(row.transfer_id) for row in books.new.resolved)
        for row in books.new.resolved:
            transfer = self.transfers[TransferId(row.transfer_id)]
            self.costs[transfer.agent_id, transfer.day] += row.amount_posted or 0
        self.events.update(link.event_id for link in books.new.links)


def _told(books: Books, entry: Entry) -> Result:
    match entry:
        case Hold():
            result = books.hold(entry)
            assert isinstance(result, Held | Refused)
            return result
        case Settlement():
            known = books.transfers.get(entry.transfer_id)
            result = books.settle(entry)
            assert result == Settled(was_open=known is not None and known.is_pending)
            return result
        case Refusal():
            return books.refuse(entry)


@proves("money-is-exact", "no-overspend", "no-free-or-double-charge")
def test_whatever_comes_in_whatever_order_the_books_add_up() -> None:
    Ledger.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
    Ledger.TestCase().runTest()


def _payer() -> Payer:
    return Payer(
        tenant_id=TENANT,
        agent_id=AgentId(newcomer.new_id(CELL)),
        wallet_id=AccountId(newcomer.new_id(CELL)),
        revenue_id=REVENUE,
    )


def _event(payer: Payer, event_type: EventType) -> Event:
    return newcomer.recorder().event(
        event_type, {}, tenant_id=payer.tenant_id, agent_id=payer.agent_id
    )


def _hold(payer: Payer, wish: Wish, *, earlier: Hold | None) -> Hold:
    """The first hold of a routed call brings the outcome; one for a later offer replaces it."""
    if earlier is not None:
        inference_id = InferenceId(earlier.inference.inference_id)
        decision_id = earlier.inference.decision_id
    else:
        inference_id = InferenceId(newcomer.new_id(CELL))
        decision_id = newcomer.new_id(CELL) if wish.is_routed else None
    is_first = earlier is None and decision_id is not None
    return Hold(
        payer=payer,
        inference=InferenceRow(
            cell=CELL,
            inference_id=inference_id,
            tenant_id=payer.tenant_id,
            agent_id=payer.agent_id,
            decision_id=decision_id,
            transfer_id=TransferId(newcomer.new_id(CELL)),
            status="running",
            dialect="native",
            is_streamed=False,
            model_asked="ainfera-inference",
            model_slug="a-model",
            offer_slug="a-model",
            provider="somebody",
            task_type="chat",
            task_type_source="default",
            policy_version=None,
            coverage_cell="chat:a-model:balanced",
            price_book_version="book",
            amount_held=wish.amount,
            attempts="[]",
            created_at=newcomer.NOW,
        ),
        outcome=_outcome(payer, DecisionId(decision_id), inference_id)
        if is_first and decision_id is not None
        else None,
        replaces=None if earlier is None else earlier.inference.transfer_id,
        expires_at=newcomer.NOW,
        routed=_event(payer, EventType.INFERENCE_ROUTED),
        refused_event_id=EventId(newcomer.new_id(CELL)),
    )


def _outcome(payer: Payer, decision_id: DecisionId, inference_id: InferenceId | None) -> OutcomeRow:
    return OutcomeRow(
        cell=CELL,
        id=decision_id,
        tenant_id=payer.tenant_id,
        agent_id=payer.agent_id,
        request_id="req",
        inference_id=inference_id,
        task_type="chat",
        task_type_source="default",
        cell_key=None,
        decision_rule="cheapest_clearing_floor",
        chosen_model_id=None,
        chosen_model_slug=None,
        policy_version="p",
        ruleset_hash="r",
        q_prior_used=None,
        m_allowed_set="[]",
        candidates="[]",
        snapshot="{}",
        seed=None,
        cost_projected=None,
        exploration=False,
        decision_type="deterministic",
        created_at=newcomer.NOW,
    )


def _refusal(payer: Payer) -> Refusal:
    return Refusal(
        payer=payer,
        outcome=_outcome(payer, DecisionId(newcomer.new_id(CELL)), None),
        event=_event(payer, EventType.INFERENCE_REJECTED_FLOOR),
    )


def _settlement(hold: Hold, wish: Wish) -> Settlement:
    """What an attempt or the sweeper hands in: never more than was held."""
    row = hold.inference
    cost = wish.amount % (row.amount_held + 1) if wish.kind == "pay" else None
    return Settlement(
        payer=hold.payer,
        transfer_id=row.transfer_id,
        cost=None if cost is None else UsdMicros(cost),
        end=InferenceEnd(
            cell=CELL,
            inference_id=row.inference_id,
            status="failed" if cost is None else "succeeded",
            attempts="[]",
            completed_at=newcomer.NOW,
        ),
        outcome=None,
        receipt=None,
        entry_ids=(newcomer.new_id(CELL), newcomer.new_id(CELL)),
        events=(_event(hold.payer, EventType.LEDGER_DEBITED),),
        answer=None,
        is_expiry=wish.kind == "expire",
    )
