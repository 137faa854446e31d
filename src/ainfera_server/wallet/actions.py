"""What changes wallets and what they may be used for, each with its event in the same commit.

Every action takes the transaction it is given. Locks are taken in the one order that holds
everywhere: chain heads, accounts, days, the public log.
"""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from ainfera_server import identifiers, money
from ainfera_server.accounts import absent
from ainfera_server.audit import store as audit_store
from ainfera_server.audit.events import Event, EventType
from ainfera_server.audit.recorder import Recorder
from ainfera_server.errors import Invalid
from ainfera_server.identifiers import AccountId, AgentId, EventId, TenantId, TransferId
from ainfera_server.money import NotAnAmount, UsdMicros
from ainfera_server.postgres.pool import Connection
from ainfera_server.wallet import ledger, policy, store
from ainfera_server.wallet.ledger import AccountKind
from ainfera_server.wallet.policy import PolicyChange, SpendPolicy
from ainfera_server.wallet.store import Deposit, DepositKind

TOP_UP_MAX = UsdMicros(100_000 * money.MICROS_PER_USD)

TENANT_ACCOUNTS: tuple[AccountKind, ...] = ("grants", "topups", "revenue")
SOURCES: dict[DepositKind, AccountKind] = {"grant": "grants", "topup": "topups"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposited:
    """Money that is in the wallet now; `event` is its place-to-be in the chain."""

    amount: UsdMicros
    balance: UsdMicros
    entry_id: UUID
    transfer_id: TransferId
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ToppedUp:
    """A top-up that was recorded."""

    agent_id: AgentId
    amount: UsdMicros
    balance: UsdMicros
    entry_id: UUID
    event_id: EventId


async def top_up(
    connection: Connection,
    recorder: Recorder,
    *,
    tenant_id: TenantId,
    agent_id: AgentId,
    amount: UsdMicros,
) -> ToppedUp:
    """Put money into an agent's wallet. Raises NotFound and Invalid."""
    if not 0 < amount <= TOP_UP_MAX:
        raise Invalid(
            f"amount_usd must be more than 0 and at most {money.usd(TOP_UP_MAX)}.",
            param="amount_usd",
        )
    if agent_id not in await audit_store.lock_heads(connection, [agent_id]):
        raise absent.agent()
    deposited = await deposit(
        connection,
        recorder,
        tenant_id=tenant_id,
        agent_id=agent_id,
        amount=amount,
        kind="topup",
    )
    await audit_store.append(connection, [deposited.event], recorder.signer)
    return ToppedUp(
        agent_id=agent_id,
        amount=amount,
        balance=deposited.balance,
        entry_id=deposited.entry_id,
        event_id=deposited.event.event_id,
    )


def parse_top_up(value: str | float | Decimal) -> UsdMicros:
    """Read the amount of a top-up. Raises Invalid."""
    try:
        return money.parse_usd(value)
    except NotAnAmount as problem:
        raise Invalid(f"amount_usd: {problem}", param="amount_usd") from None


async def update_spend_policy(
    connection: Connection,
    recorder: Recorder,
    *,
    tenant_id: TenantId,
    agent_id: AgentId,
    change: PolicyChange,
) -> SpendPolicy:
    """Change what an agent may spend, from now on and for what is left of today.

    The chain's head is locked first: the group commit reads the caps behind the same lock.
    Raises NotFound.
    """
    heads = await audit_store.lock_heads(connection, [agent_id])
    before = await store.spend_policy(connection, agent_id) if heads else None
    if before is None:
        raise absent.agent()
    allowed = policy.changed(before, change)
    await store.write_spend_policy(connection, agent_id, allowed)
    if allowed.daily_cap is None:
        await store.lift_cap_of_days(connection, agent_id)
    else:
        await store.write_cap_of_days(connection, agent_id, allowed.daily_cap)
    event = recorder.event(
        EventType.SPEND_POLICY_UPDATED,
        {"before": policy.facts(before), "after": policy.facts(allowed)},
        tenant_id=tenant_id,
        agent_id=agent_id,
    )
    await audit_store.append(connection, [event], recorder.signer)
    return allowed


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
    agent_id: AgentId,
    amount: UsdMicros,
    kind: DepositKind,
) -> Deposited:
    """Move money into a wallet; the caller appends the event, last in its transaction."""
    cell = identifiers.cell_of(agent_id)
    source_kind = SOURCES[kind]
    locked = await store.lock_wallet_and(
        connection, agent_id, tenant_id=tenant_id, kind=source_kind
    )
    move = ledger.move(locked[source_kind], locked["wallet"], amount)
    made = Deposit(
        transfer_id=TransferId(recorder.new_id(cell)),
        tenant_id=tenant_id,
        agent_id=agent_id,
        kind=kind,
        amount=amount,
        memo="signup credit" if kind == "grant" else "top-up",
        created_at=recorder.now,
    )
    entries = {recorder.new_id(cell): entry for entry in move.entries}
    await store.write_deposit(connection, made, move)
    await store.write_entries(connection, made, entries)
    await store.write_posted(connection, (move.source, move.destination))
    wallet_entry_id = next(
        entry_id
        for entry_id, entry in entries.items()
        if entry.account_id == move.destination.account_id
    )
    return Deposited(
        amount=amount,
        balance=move.destination.balance,
        entry_id=wallet_entry_id,
        transfer_id=made.transfer_id,
        event=recorder.event(
            EventType.WALLET_TOPPED_UP,
            {
                "kind": kind,
                "amount_usd": money.usd(amount),
                "balance_after_usd": money.usd(move.destination.balance),
                "transfer_id": str(made.transfer_id),
                "ledger_entry_id": str(wallet_entry_id),
            },
            tenant_id=tenant_id,
            agent_id=agent_id,
        ),
    )
