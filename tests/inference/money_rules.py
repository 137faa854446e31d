"""The rules of money as a machine: whatever comes, in whatever order and however often, adds up.

A world keeps the books: in memory, or in a real database. Beside it a model says what every caller
must hear and what must be left. A batch may fail at its end, and each entry may come again later,
as it does when nobody heard the end of a commit.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, ClassVar, Literal, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ainfera_server import identifiers
from ainfera_server.accounts.store import Payer
from ainfera_server.identifiers import AccountId, AgentId, TransferId
from ainfera_server.inference.entries import Entry, Held, Hold, Result, Settled
from ainfera_server.inference.windows import Limits
from ainfera_server.wallet import caps
from ainfera_server.wallet.caps import Period, Scope, Window, WindowKey
from ainfera_server.wallet.ledger import Account
from tests.inference import money_entries, money_model
from tests.inference.money_entries import (
    AgentAllowed,
    Change,
    DaysPass,
    PaidIn,
    TenantAllowed,
    Wish,
)
from tests.inference.money_model import CallOnRecord, Model, No, State, Told

FUNDED = 400

Try = Literal["committed", "rolled back"]
FATES: tuple[tuple[Try, ...], ...] = (
    ("committed",),
    ("rolled back",),
    ("rolled back", "committed"),
    ("committed", "committed"),
)
"""What a batch may go through: nobody may hear that it was committed, and then it comes again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCall:
    """A transfer as it is kept."""

    paid_by: AccountId
    held: int
    posted: int
    state: State
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEntry:
    """An entry as it is kept; `amount` is negative when money went out."""

    account_id: AccountId
    account_version: int
    amount: int
    balance_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All of a world's money."""

    accounts: Mapping[AccountId, Account]
    windows: Mapping[WindowKey, Window]
    calls: Mapping[TransferId, KeptCall]
    entries: tuple[KeptEntry, ...]
    events: int
    """How many there are, none of them twice."""


class World(Protocol):
    """Where the money is. Agents 0 and 1 are one tenant's, agent 2 is another's."""

    payers: tuple[Payer, ...]

    @property
    def today(self) -> date:
        """The day that it is there."""
        ...

    def write(self, entries: list[Entry], *, is_committed: bool) -> list[Result]:
        """Write a batch, or do all of it but the commit."""
        ...

    def pay_in(self, payer: Payer, account_id: AccountId, amount: int) -> None:
        """Put money into a wallet or a pool."""
        ...

    def allow(self, limits: Mapping[AgentId, Limits]) -> None:
        """Have this be what the owners allow, also in the windows that are open."""
        ...

    def passes(self, days: int) -> None:
        """Let time go by."""
        ...

    def seen(self) -> Seen:
        """Look at all of it."""
        ...


class MoneyRules(RuleBasedStateMachine):
    """One world and its model. What was tried is counted for all of a class."""

    operations: ClassVar[int]
    heard: ClassVar[Counter[str]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.operations, cls.heard = 0, Counter()

    def new_world(self) -> World:
        """A world with empty accounts, in which nothing happened."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.world = self.new_world()
        self.payers = self.world.payers
        accounts = {one.wallet_id for one in self.payers} | {one.pool_id for one in self.payers}
        self.model = Model(
            today=self.world.today,
            limits={one.agent_id: money_entries.NOTHING_DECIDED for one in self.payers},
            paid_in=dict.fromkeys(accounts, 0),
        )
        self.holds: list[Hold] = []
        self.handed_in: list[Entry] = []
        for payer in self.payers:
            self._pay_in(payer, payer.wallet_id, FUNDED)
            self._pay_in(payer, payer.pool_id, FUNDED)

    @initialize(allowed=money_entries.FIRST_OF_ALL)
    def owners_allow_so_much(self, allowed: Mapping[str, Any]) -> None:
        self._allow(list(self.model.limits), allowed)

    @rule(wishes=money_entries.WISHES, fate=st.sampled_from(FATES))
    def a_batch_comes(self, wishes: list[Wish], fate: tuple[Try, ...]) -> None:
        entries: list[Entry] = []
        for wish in wishes:
            entries += [one for one in self._entries(wish, entries) if one not in entries]
        self.handed_in += [one for one in entries if one not in self.handed_in]
        self.holds += [one for one in entries if isinstance(one, Hold) and one not in self.holds]
        for one_try in fate:
            type(self).operations += len(entries)
            self._hand_in(entries, is_committed=one_try == "committed")

    @rule(change=money_entries.CHANGES)
    def something_changes(self, change: Change) -> None:
        type(self).operations += 1
        match change:
            case PaidIn():
                payer = self.payers[change.agent]
                is_pool = change.into == "pool"
                self._pay_in(payer, payer.pool_id if is_pool else payer.wallet_id, change.amount)
            case AgentAllowed():
                agent_id = self.payers[change.agent].agent_id
                self._allow([agent_id], change.allowed)
            case TenantAllowed():
                tenant_id = self.payers[change.agent].tenant_id
                theirs = [one.agent_id for one in self.payers if one.tenant_id == tenant_id]
                self._allow(theirs, change.allowed)
            case DaysPass():
                self.world.passes(change.days)
                self.model.today = self.world.today

    @invariant()
    def all_adds_up(self) -> None:
        seen = self.world.seen()
        self._entries_prove_the_accounts(seen)
        self._accounts_hold_what_open_calls_hold(seen)
        self._calls_are_what_callers_heard(seen)
        self._windows_count_every_call_and_nothing_else(seen)

    def _entries_prove_the_accounts(self, seen: Seen) -> None:
        """All entries add up to nothing, and each account's to its balance, one by one."""
        assert sum(one.amount for one in seen.entries) == 0
        for account_id, account in seen.accounts.items():
            own = sorted(
                (one for one in seen.entries if one.account_id == account_id),
                key=lambda one: one.account_version,
            )
            assert [one.account_version for one in own] == list(range(1, account.version + 1))
            balance = 0
            for one in own:
                balance += one.amount
                assert one.balance_after == balance
            assert account.balance == balance

    def _accounts_hold_what_open_calls_hold(self, seen: Seen) -> None:
        for account_id in self.model.paid_in:
            account = seen.accounts[account_id]
            open_calls = [
                one
                for one in self.model.calls.values()
                if one.paid_by == account_id and one.state == "pending"
            ]
            assert account.held == sum(one.held for one in open_calls)
            assert account.available == self.model.available(account_id) >= 0

    def _calls_are_what_callers_heard(self, seen: Seen) -> None:
        """A refusal left no money row, a replay left no second one."""
        expected = {
            transfer_id: KeptCall(
                paid_by=one.paid_by,
                held=one.held,
                posted=one.posted,
                state=one.state,
                day=one.day,
            )
            for transfer_id, one in self.model.calls.items()
        }
        assert seen.calls == expected
        assert all(one.posted <= one.held for one in seen.calls.values())

    def _windows_count_every_call_and_nothing_else(self, seen: Seen) -> None:
        expected = _windows(self.model.calls.values())
        for key, window in seen.windows.items():
            assert key.scope == "tenant" or key in expected, "a refusal begins no window"
            assert (window.posted, window.pending) == expected.pop(key, (0, 0))
            assert window.cap is None or window.spent <= window.cap
        assert not expected, "whatever is counted has a window"

    def _hand_in(self, entries: list[Entry], *, is_committed: bool) -> None:
        events = self.world.seen().events
        model = self.model.copy()
        results = self.world.write(entries, is_committed=is_committed)
        told = [money_model.in_few_words(one) for one in results]
        expected = model.told(entries)
        assert told == expected, f"{told} instead of {expected}"
        self.heard.update(_in_a_word(one) for one in told)
        if not is_committed:
            assert self.world.seen().events == events
            return
        self.model = model

    def _entries(self, wish: Wish, batch: list[Entry]) -> list[Entry]:
        """An entry as a gateway would hand it in; nothing when there is nothing to choose from."""
        payer = self.payers[wish.agent]
        match wish.kind:
            case "again":
                return self.handed_in[-1 - wish.which :][:1]
            case "refuse":
                return [money_entries.refusal(payer)]
            case "hold":
                return [money_entries.hold(payer, wish, earlier=None)]
            case "next offer":
                return [
                    money_entries.hold(one.payer, wish, earlier=one)
                    for one in self._open_to_another_offer(batch)[-1 - wish.which :][:1]
                ]
            case "extend":
                return [
                    money_entries.extension(one, wish, self._held(one))
                    for one in self._mostly_open(wish)[-1 - wish.which :][:1]
                ]
            case "pay" | "release" | "expire":
                return [
                    money_entries.settlement(one, wish, self._held(one))
                    for one in self._mostly_open(wish)[-1 - wish.which :][:1]
                ]

    def _open_to_another_offer(self, batch: list[Entry]) -> list[Hold]:
        """A call has one offer after the other, while the money for the last one was there."""
        asked = {one.inference.inference_id for one in batch if isinstance(one, Hold)}
        newest = {one.inference.inference_id: one for one in self.holds}
        return [
            one
            for inference_id, one in newest.items()
            if one.inference.transfer_id in self.model.calls and inference_id not in asked
        ]

    def _mostly_open(self, wish: Wish) -> list[Hold]:
        """Holds that may be resolved, and at times any that was ever asked for."""
        if wish.which % 5 == 0:
            return self.holds
        known = ((one, self.model.calls.get(one.inference.transfer_id)) for one in self.holds)
        return [one for one, call in known if call is not None and call.state == "pending"]

    def _held(self, hold: Hold) -> int:
        known = self.model.calls.get(hold.inference.transfer_id)
        return hold.inference.amount_held if known is None else known.held

    def _pay_in(self, payer: Payer, account_id: AccountId, amount: int) -> None:
        self.world.pay_in(payer, account_id, amount)
        self.model.paid_in[account_id] += amount

    def _allow(self, agents: Iterable[AgentId], allowed: Mapping[str, Any]) -> None:
        changed = {one: replace(self.model.limits[one], **allowed) for one in agents}
        self.model.limits |= changed
        self.world.allow(changed)


def report(rules: type[MoneyRules], where: str) -> str:
    """What was tried, in a few lines."""
    heard = ", ".join(f"{number} {word}" for word, number in rules.heard.most_common())
    return f"\n{rules.operations} operations on the books {where}: {heard}\n"


def _in_a_word(told: Told) -> str:
    match told:
        case No():
            return told.reason
        case Held():
            return f"held by {told.paid_from}"
        case Settled(was_open=True):
            return "settled"
        case _:
            return "the rest"


def _windows(calls: Iterable[CallOnRecord]) -> dict[WindowKey, tuple[int, int]]:
    """What each window must count, by the names that windows have."""
    found: dict[WindowKey, tuple[int, int]] = {}
    for call in calls:
        for key in _keys(call):
            posted, pending = found.get(key, (0, 0))
            held = call.held if call.state == "pending" else 0
            found[key] = (posted + call.posted, pending + held)
    return found


def _keys(call: CallOnRecord) -> list[WindowKey]:
    agent_id, tenant_id = call.payer.agent_id, call.payer.tenant_id
    month, always = call.day.replace(day=1), date(1, 1, 1)
    named: list[tuple[Scope, str, Period, date]] = [
        ("agent", str(agent_id), "day", call.day),
        ("agent", str(agent_id), "month", month),
        ("tenant", str(tenant_id), "day", call.day),
        ("tenant", str(tenant_id), "month", month),
    ]
    if call.session is not None:
        session = f"{agent_id}/{caps.segment(call.session)}"
        named.append(("session", session, "whole", always))
        for number, name in enumerate(call.above):
            place = f"{session}/{caps.segment(name)}" + ("/" if number else "")
            named.append(("subagent", place, "whole", always))
    return [
        WindowKey(
            cell=identifiers.cell_of(agent_id),
            scope=scope,
            scope_key=scope_key,
            period=period,
            starts=starts,
        )
        for scope, scope_key, period, starts in named
    ]
