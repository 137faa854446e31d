"""Money is neither made nor lost, whatever is held, settled and released in whatever order."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ainfera_server.identifiers import AccountId
from ainfera_server.money import UsdMicros
from ainfera_server.wallet import ledger
from ainfera_server.wallet.ledger import Account, Entry, Shortfall

AMOUNTS = st.integers(0, 1_000).map(UsdMicros)


def account(kind: ledger.AccountKind, number: int, credits_posted: int = 0) -> Account:
    return Account(
        account_id=AccountId(UUID(int=number)),
        kind=kind,
        credits_posted=UsdMicros(credits_posted),
    )


def test_a_hold_takes_from_what_is_available_and_not_from_the_balance() -> None:
    held = ledger.hold(account("wallet", 1, 100), UsdMicros(60))
    assert isinstance(held, Account)
    assert (held.balance, held.held, held.available) == (100, 60, 40)
    assert held.version == 0


def test_a_hold_beyond_what_is_available_is_refused_with_its_numbers() -> None:
    held = ledger.hold(account("wallet", 1, 100), UsdMicros(60))
    assert isinstance(held, Account)
    refused = ledger.hold(held, UsdMicros(41))
    assert refused == Shortfall(needed=UsdMicros(41), available=UsdMicros(40))


def test_the_pool_pays_only_for_what_the_wallet_cannot_and_then_for_all_of_it() -> None:
    wallet, pool = account("wallet", 1, 100), account("pool", 2, 500)
    from_wallet = ledger.hold_from(wallet, pool, UsdMicros(100))
    from_pool = ledger.hold_from(wallet, pool, UsdMicros(101))
    assert isinstance(from_wallet, Account)
    assert (from_wallet.kind, from_wallet.held) == ("wallet", 100)
    assert isinstance(from_pool, Account)
    assert (from_pool.kind, from_pool.held) == ("pool", 101)


@pytest.mark.parametrize(("in_wallet", "in_pool"), [(100, 500), (500, 100)])
def test_neither_wallet_nor_pool_covers_it_and_the_larger_says_what_would_fit(
    in_wallet: int, in_pool: int
) -> None:
    refused = ledger.hold_from(
        account("wallet", 1, in_wallet), account("pool", 2, in_pool), UsdMicros(501)
    )
    assert refused == Shortfall(
        needed=UsdMicros(501), available=UsdMicros(500), reason="wallet_insufficient"
    )


def test_an_agent_that_is_left_to_its_own_wallet_is_told_so() -> None:
    refused = ledger.hold_from(account("wallet", 1, 100), None, UsdMicros(101))
    assert refused == Shortfall(
        needed=UsdMicros(101), available=UsdMicros(100), reason="wallet_insufficient_per_agent"
    )


@pytest.mark.parametrize("kind", ["wallet", "pool"])
def test_nobody_takes_out_what_is_not_there(kind: ledger.AccountKind) -> None:
    with pytest.raises(AssertionError, match="never overdrawn"):
        ledger.debit(account(kind, 1, 100), UsdMicros(101))


def test_a_settlement_takes_the_cost_and_gives_back_the_rest() -> None:
    held = ledger.hold(account("wallet", 1, 100), UsdMicros(60))
    assert isinstance(held, Account)
    after, entry = ledger.settle(held, UsdMicros(60), UsdMicros(25))
    assert (after.balance, after.held, after.available) == (75, 0, 75)
    assert entry == Entry(
        account_id=after.account_id,
        account_version=1,
        side="debit",
        amount=UsdMicros(25),
        balance_after=UsdMicros(75),
    )


def test_a_move_writes_both_sides() -> None:
    move = ledger.move(account("grants", 1), account("wallet", 2), UsdMicros(5))
    assert (move.source.balance, move.destination.balance) == (-5, 5)
    assert [entry.side for entry in move.entries] == ["debit", "credit"]


@given(AMOUNTS, AMOUNTS)
def test_a_hold_that_is_released_leaves_no_trace(balance: UsdMicros, amount: UsdMicros) -> None:
    wallet = account("wallet", 1, balance)
    held = ledger.hold(wallet, amount)
    if isinstance(held, Account):
        assert ledger.release(held, amount) == wallet
    else:
        assert amount > balance


class Wallet(RuleBasedStateMachine):
    """A wallet between its grants and the revenue, driven at random."""

    def __init__(self) -> None:
        super().__init__()
        self.grants = account("grants", 1)
        self.wallet = account("wallet", 2)
        self.revenue = account("revenue", 3)
        self.holds: list[UsdMicros] = []
        self.entries: list[Entry] = []

    @rule(amount=AMOUNTS)
    def deposit(self, amount: UsdMicros) -> None:
        move = ledger.move(self.grants, self.wallet, amount)
        self.grants, self.wallet = move.source, move.destination
        self.entries += move.entries

    @rule(amount=AMOUNTS)
    def hold(self, amount: UsdMicros) -> None:
        held = ledger.hold(self.wallet, amount)
        if isinstance(held, Account):
            self.wallet = held
            self.holds.append(amount)
        else:
            assert amount > self.wallet.available

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        held = self.holds.pop(data.draw(st.integers(0, len(self.holds) - 1)))
        cost = UsdMicros(data.draw(st.integers(0, held)))
        self.wallet, taken = ledger.settle(self.wallet, held, cost)
        self.revenue, given_ = ledger.credit(self.revenue, cost)
        self.entries += [taken, given_]

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        held = self.holds.pop(data.draw(st.integers(0, len(self.holds) - 1)))
        self.wallet = ledger.release(self.wallet, held)

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        assert self.grants.balance + self.wallet.balance + self.revenue.balance == 0

    @invariant()
    def the_wallet_is_never_overdrawn(self) -> None:
        assert self.wallet.available >= 0
        assert self.wallet.held == sum(self.holds)

    @invariant()
    def the_entries_prove_the_balance(self) -> None:
        own = [one for one in self.entries if one.account_id == self.wallet.account_id]
        signed = [one.amount if one.side == "credit" else -one.amount for one in own]
        assert sum(signed) == self.wallet.balance
        assert [one.account_version for one in own] == list(range(1, self.wallet.version + 1))


test_a_wallet_keeps_its_promises_in_any_order = Wallet.TestCase
