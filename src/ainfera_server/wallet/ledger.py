"""How money moves between accounts, as rules on states: nothing here touches a database.

A wallet is a liability: credits put money in, debits take it out, and what is pending is set aside.
Behind the wallets of a tenant's agents stands its pool, which is one too. `available` never goes
below zero in either; the tenant's other accounts are the far side of a transfer and may be
negative.
"""

from dataclasses import dataclass, replace
from typing import Literal

from ainfera_server.identifiers import AccountId
from ainfera_server.money import UsdMicros

AccountKind = Literal["wallet", "pool", "grants", "topups", "revenue", "provider_cost"]
OF_CALLERS: tuple[AccountKind, ...] = ("wallet", "pool")
"""Where callers' own money lies."""

Side = Literal["debit", "credit"]
Lacking = Literal["wallet_insufficient", "wallet_insufficient_per_agent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account as it stands; `version` counts its entries."""

    account_id: AccountId
    kind: AccountKind
    debits_posted: UsdMicros = UsdMicros(0)
    credits_posted: UsdMicros = UsdMicros(0)
    debits_pending: UsdMicros = UsdMicros(0)
    version: int = 0

    @property
    def balance(self) -> UsdMicros:
        """What is in it, held money included."""
        return UsdMicros(self.credits_posted - self.debits_posted)

    @property
    def held(self) -> UsdMicros:
        """What is set aside for calls that run."""
        return self.debits_pending

    @property
    def available(self) -> UsdMicros:
        """What may still be held."""
        return UsdMicros(self.balance - self.debits_pending)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One side of a posted transfer, in the account's own numbering."""

    account_id: AccountId
    account_version: int
    side: Side
    amount: UsdMicros
    balance_after: UsdMicros


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """The wallet cannot cover it, nor can the pool, unless only the wallet may be asked."""

    needed: UsdMicros
    available: UsdMicros
    reason: Lacking = "wallet_insufficient"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Two accounts after money moved between them, and an entry for each."""

    source: Account
    destination: Account
    entries: tuple[Entry, Entry]


def hold(wallet: Account, amount: UsdMicros) -> Account | Shortfall:
    """Set money aside for the most that a call may cost."""
    assert amount >= 0, "a hold is never negative"
    if amount > wallet.available:
        return Shortfall(needed=amount, available=wallet.available)
    return replace(wallet, debits_pending=UsdMicros(wallet.debits_pending + amount))


def hold_from(wallet: Account, pool: Account | None, amount: UsdMicros) -> Account | Shortfall:
    """Set money aside in the wallet, or all of it in the pool when the wallet alone is too small.

    `pool` is None when each agent is left to its own wallet. Tells which account it became.
    """
    held = hold(wallet, amount)
    if isinstance(held, Account):
        return held
    if pool is None:
        return replace(held, reason="wallet_insufficient_per_agent")
    from_pool = hold(pool, amount)
    if isinstance(from_pool, Account):
        return from_pool
    return replace(held, available=max(wallet.available, pool.available))


def release(wallet: Account, held: UsdMicros) -> Account:
    """Give back what was set aside."""
    assert 0 <= held <= wallet.debits_pending, "only what was held is released"
    return replace(wallet, debits_pending=UsdMicros(wallet.debits_pending - held))


def settle(wallet: Account, held: UsdMicros, cost: UsdMicros) -> tuple[Account, Entry]:
    """Take the cost out of what was set aside, and give back the rest."""
    assert 0 <= cost <= held, "a settlement never takes more than was held"
    return debit(release(wallet, held), cost)


def debit(account: Account, amount: UsdMicros) -> tuple[Account, Entry]:
    """Take money out."""
    assert amount >= 0, "an entry is never negative"
    after = replace(
        account,
        debits_posted=UsdMicros(account.debits_posted + amount),
        version=account.version + 1,
    )
    may_be_negative = after.kind not in OF_CALLERS
    assert may_be_negative or after.available >= 0, "a wallet is never overdrawn"
    return after, _entry(after, "debit", amount)


def credit(account: Account, amount: UsdMicros) -> tuple[Account, Entry]:
    """Put money in."""
    assert amount >= 0, "an entry is never negative"
    after = replace(
        account,
        credits_posted=UsdMicros(account.credits_posted + amount),
        version=account.version + 1,
    )
    return after, _entry(after, "credit", amount)


def move(source: Account, destination: Account, amount: UsdMicros) -> Move:
    """Move money that was not held: a grant or a top-up."""
    assert source.account_id != destination.account_id, "money moves between two accounts"
    source, taken = debit(source, amount)
    destination, given = credit(destination, amount)
    return Move(source=source, destination=destination, entries=(taken, given))


def _entry(after: Account, side: Side, amount: UsdMicros) -> Entry:
    return Entry(
        account_id=after.account_id,
        account_version=after.version,
        side=side,
        amount=amount,
        balance_after=after.balance,
    )
