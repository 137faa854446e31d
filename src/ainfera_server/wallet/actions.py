"""What moves money that no call moves, each with its events in the same commit.

Every action takes the transaction it is given. Locks are taken in the one order that holds
everywhere: chain heads, accounts, days, the public log.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from ainfera_server import identifiers, money
from ainfera_server.accounts import absent
from ainfera_server.audit import store as audit_store
from ainfera_server.audit.events import Event, EventType
from ainfera_server.audit.recorder import Recorder
from ainfera_server.conversation import Json
from ainfera_server.errors import InsufficientFunds, Invalid
from ainfera_server.identifiers import AccountId, AgentId, EventId, TenantId, TransferId
from ainfera_server.money import NotAnAmount, UsdMicros
from ainfera_server.postgres.pool import Connection
from ainfera_server.wallet import ledger, policy_store, store
from ainfera_server.wallet.ledger import Account, AccountKind, Move
from ainfera_server.wallet.store import DepositKind, Locked, Posted, PostedKind

TOP_UP_MAX = UsdMicros(100_000 * money.MICROS_PER_USD)

TENANT_ACCOUNTS: tuple[AccountKind, ...] = ("pool", "grants", "topups", "revenue", "provider_cost")
SOURCES: dict[DepositKind, AccountKind] = {"grant": "grants", "topup": "topups"}
MEMOS: dict[DepositKind, str] = {"grant": "signup credit", "topup": "top-up"}

Place = AgentId | None
"""Where money lies: in an agent's wallet, or, with None, in its tenant's shared pool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposited:
    """Money that is there now; `event` is its place-to-be in the chain of an agent."""

    amount: UsdMicros
    balance: UsdMicros
    entry_id: UUID
    transfer_id: TransferId
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ToppedUp:
    """A top-up that was recorded."""

    place: Place
    amount: UsdMicros
    balance: UsdMicros
    entry_id: UUID
    event_id: EventId


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Money that was moved and recorded, in the chain of each agent that it concerns."""

    amount: UsdMicros
    source_balance: UsdMicros
    destination_balance: UsdMicros
    transfer_id: TransferId
    event_ids: tuple[EventId, ...]


async def top_up(
    connection: Connection,
    recorder: Recorder,
    *,
    tenant_id: TenantId,
    place: Place,
    amount: UsdMicros,
) -> ToppedUp:
    """Put money into a wallet or the pool. Raises NotFound and Invalid.

    What happens to the pool is told by the chain of the tenant's first agent.
    """
    _require_movable(amount)
    told = await policy_store.first_agent(connection, tenant_id) if place is None else place
    if told is None:
        raise absent.tenant()
    if told not in await audit_store.lock_heads(connection, [told]):
        raise absent.agent()
    deposited = await deposit(
        connection,
        recorder,
        tenant_id=tenant_id,
        place=place,
        told=told,
        amount=amount,
        kind="topup",
    )
    await audit_store.append(connection, [deposited.event], recorder.signer)
    return ToppedUp(
        place=place,
        amount=amount,
        balance=deposited.balance,
        entry_id=deposited.entry_id,
        event_id=deposited.event.event_id,
    )


async def move(
    connection: Connection,
    recorder: Recorder,
    *,
    tenant_id: TenantId,
    source: Place,
    destination: Place,
    amount: UsdMicros,
) -> Moved:
    """Move what is available between two wallets, or a wallet and the pool.

    Raises NotFound, Invalid and InsufficientFunds.
    """
    _require_movable(amount)
    if source == destination:
        raise Invalid("from and to are the same place, so nothing would move.", param="to")
    told = [agent_id for agent_id in (source, destination) if agent_id is not None]
    heads = await audit_store.lock_heads(connection, told)
    if len(heads) < len(told):
        raise absent.agent()
    locked = await store.lock_accounts(connection, tenant_id, agents=told, kinds=["pool"])
    paying = _at(locked, source)
    if amount > paying.available:
        raise _not_available(paying, amount)
    moved = ledger.move(paying, _at(locked, destination), amount)
    memo = f"from {place_name(source)} to {place_name(destination)}"
    made = _posted(recorder, tenant_id, told[0], kind="move", amount=amount, memo=memo)
    entry_ids = await _write(connection, recorder, made, moved)
    shared: dict[str, Json] = {
        "from": place_name(source),
        "to": place_name(destination),
        "amount_usd": money.usd(amount),
        "transfer_id": str(made.transfer_id),
    }
    sides = {source: moved.source, destination: moved.destination}
    events = [
        recorder.event(
            EventType.WALLET_MONEY_MOVED,
            {
                **shared,
                "balance_after_usd": money.usd(sides[agent_id].balance),
                "ledger_entry_id": str(entry_ids[sides[agent_id].account_id]),
            },
            tenant_id=tenant_id,
            agent_id=agent_id,
        )
        for agent_id in told
    ]
    await audit_store.append(connection, events, recorder.signer)
    return Moved(
        amount=amount,
        source_balance=moved.source.balance,
        destination_balance=moved.destination.balance,
        transfer_id=made.transfer_id,
        event_ids=tuple(event.event_id for event in events),
    )


def place_name(place: Place) -> str:
    """A place as it is written on the wire and in the record."""
    return "pool" if place is None else str(place)


def parse_amount(value: str | float | Decimal) -> UsdMicros:
    """Read the amount of a top-up or a move. Raises Invalid."""
    try:
        return money.parse_usd(value)
    except NotAnAmount as problem:
        raise Invalid(f"amount_usd: {problem}", param="amount_usd") from None


async def open_tenant_accounts(
    connection: Connection, recorder: Recorder, tenant_id: TenantId
) -> None:
    """Open the far sides of a new tenant's transfers."""
    cell = identifiers.cell_of(tenant_id)
    for kind in TENANT_ACCOUNTS:
        account_id = AccountId(recorder.new_id(cell))
        await store.open_account(
            connection, account_id, tenant_id=tenant_id, agent_id=None, kind=kind
        )


async def open_wallet(
    connection: Connection, recorder: Recorder, *, tenant_id: TenantId, agent_id: AgentId
) -> None:
    """Open a new agent's wallet, empty."""
    account_id = AccountId(recorder.new_id(identifiers.cell_of(agent_id)))
    await store.open_account(
        connection, account_id, tenant_id=tenant_id, agent_id=agent_id, kind="wallet"
    )


async def deposit(
    connection: Connection,
    recorder: Recorder,
    *,
    tenant_id: TenantId,
    place: Place,
    told: AgentId,
    amount: UsdMicros,
    kind: DepositKind,
) -> Deposited:
    """Move money in; the caller appends the event to the chain of `told`, last of all."""
    locked = await store.lock_accounts(
        connection,
        tenant_id,
        agents=[] if place is None else [place],
        kinds=[SOURCES[kind], *([] if place is not None else ["pool"])],
    )
    moved = ledger.move(locked.others[SOURCES[kind]], _at(locked, place), amount)
    made = _posted(recorder, tenant_id, told, kind=kind, amount=amount, memo=MEMOS[kind])
    entry_ids = await _write(connection, recorder, made, moved)
    entry_id = entry_ids[moved.destination.account_id]
    return Deposited(
        amount=amount,
        balance=moved.destination.balance,
        entry_id=entry_id,
        transfer_id=made.transfer_id,
        event=recorder.event(
            EventType.WALLET_TOPPED_UP,
            {
                "kind": kind,
                "wallet": place_name(place),
                "amount_usd": money.usd(amount),
                "balance_after_usd": money.usd(moved.destination.balance),
                "transfer_id": str(made.transfer_id),
                "ledger_entry_id": str(entry_id),
            },
            tenant_id=tenant_id,
            agent_id=told,
        ),
    )


def _posted(
    recorder: Recorder,
    tenant_id: TenantId,
    told: AgentId,
    *,
    kind: PostedKind,
    amount: UsdMicros,
    memo: str,
) -> Posted:
    return Posted(
        transfer_id=TransferId(recorder.new_id(identifiers.cell_of(tenant_id))),
        tenant_id=tenant_id,
        agent_id=told,
        kind=kind,
        amount=amount,
        memo=memo,
        created_at=recorder.now,
    )


def _not_available(paying: Account, amount: UsdMicros) -> InsufficientFunds:
    available, needed = money.usd(paying.available), money.usd(amount)
    return InsufficientFunds(
        f"{available} USD are available there, and {needed} USD were to be moved."
        " What running calls hold stays until they end.",
        remaining_usd=available,
        needed_usd=needed,
    )


async def _write(
    connection: Connection, recorder: Recorder, made: Posted, moved: Move
) -> Mapping[AccountId, UUID]:
    """Write a transfer with its entries and the totals; the ids of the entries, by account."""
    cell = identifiers.cell_of(made.tenant_id)
    entries = {recorder.new_id(cell): entry for entry in moved.entries}
    await store.write_posted_transfer(connection, made, moved)
    await store.write_entries(connection, made, entries)
    await store.write_posted(connection, (moved.source, moved.destination))
    return {entry.account_id: entry_id for entry_id, entry in entries.items()}


def _at(locked: Locked, place: Place) -> Account:
    return locked.others["pool"] if place is None else locked.wallets[place]


def _require_movable(amount: UsdMicros) -> None:
    if not 0 < amount <= TOP_UP_MAX:
        raise Invalid(
            f"amount_usd must be more than 0 and at most {money.usd(TOP_UP_MAX)}.",
            param="amount_usd",
        )
