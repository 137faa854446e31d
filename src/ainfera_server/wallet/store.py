"""The queries about money: one function runs one query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import orjson

from ainfera_server import identifiers
from ainfera_server.identifiers import AccountId, AgentId, InferenceId, TenantId, TransferId
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Connection, Row
from ainfera_server.wallet import policy
from ainfera_server.wallet.ledger import Account, AccountKind, Entry, Move
from ainfera_server.wallet.policy import SpendPolicy

QUERIES = queries.load(__name__)
OPEN_ACCOUNT = QUERIES["open_account"]
LOCK_WALLET_AND = QUERIES["lock_wallet_and"]
WRITE_DEPOSIT = QUERIES["write_deposit"]
WRITE_ENTRIES = QUERIES["write_entries"]
WRITE_POSTED = QUERIES["write_posted"]
SPEND_POLICY = QUERIES["spend_policy"]
WRITE_SPEND_POLICY = QUERIES["write_spend_policy"]
WRITE_CAP_OF_DAYS = QUERIES["write_cap_of_days"]
LIFT_CAP_OF_DAYS = QUERIES["lift_cap_of_days"]
WALLET = QUERIES["wallet"]
WALLETS = QUERIES["wallets"]
LEDGER = QUERIES["ledger"]

VERSION_MAX = 2**63 - 1
PAGE_LINES_MAX = 500

DepositKind = Literal["grant", "topup"]
LineKind = Literal["grant", "topup", "debit", "refund"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """Money that goes into a wallet as it is."""

    transfer_id: TransferId
    tenant_id: TenantId
    agent_id: AgentId
    kind: DepositKind
    amount: UsdMicros
    memo: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a wallet's ledger; `amount` is negative when money went out.

    `inference_id` is None unless an inference was paid for.
    """

    entry_id: UUID
    version: int
    amount: UsdMicros
    balance_after: UsdMicros
    kind: LineKind
    memo: str
    transfer_id: TransferId
    inference_id: InferenceId | None
    created_at: datetime


async def open_account(
    connection: Connection,
    account_id: AccountId,
    *,
    tenant_id: TenantId,
    agent_id: AgentId | None,
    kind: AccountKind,
) -> None:
    """Open an empty account; a wallet is an agent's, the others are the tenant's."""
    cell = identifiers.cell_of(account_id)
    await connection.execute(OPEN_ACCOUNT, cell, account_id, tenant_id, agent_id, kind)


async def lock_wallet_and(
    connection: Connection, agent_id: AgentId, *, tenant_id: TenantId, kind: AccountKind
) -> Mapping[AccountKind, Account]:
    """Lock an agent's wallet and one of its tenant's accounts."""
    cell = identifiers.cell_of(agent_id)
    rows = await connection.fetch(LOCK_WALLET_AND, cell, tenant_id, agent_id, kind)
    return {row["kind"]: _account(row) for row in rows}


async def write_deposit(connection: Connection, deposit: Deposit, move: Move) -> None:
    """Write a transfer that is posted as it is made."""
    await connection.execute(
        WRITE_DEPOSIT,
        identifiers.cell_of(deposit.transfer_id),
        deposit.transfer_id,
        deposit.tenant_id,
        deposit.agent_id,
        deposit.kind,
        move.source.account_id,
        move.destination.account_id,
        deposit.amount,
        deposit.created_at.date(),
        deposit.memo,
        deposit.created_at,
    )


async def write_entries(
    connection: Connection, deposit: Deposit, entries: Mapping[UUID, Entry]
) -> None:
    """Write a transfer's entries, by their ids."""
    rows = [_entry_row(deposit, entry_id, entry) for entry_id, entry in entries.items()]
    await connection.execute(WRITE_ENTRIES, _as_json(rows))


async def write_posted(connection: Connection, accounts: Sequence[Account]) -> None:
    """Write the totals of locked accounts."""
    rows = [
        {
            "cell": identifiers.cell_of(account.account_id),
            "account_id": account.account_id,
            "debits_posted": account.debits_posted,
            "credits_posted": account.credits_posted,
            "version": account.version,
        }
        for account in accounts
    ]
    await connection.execute(WRITE_POSTED, _as_json(rows))


async def spend_policy(connection: Connection, agent_id: AgentId) -> SpendPolicy | None:
    """What an owner allows an agent; None when the agent is not there."""
    row = await connection.fetchrow(SPEND_POLICY, identifiers.cell_of(agent_id), agent_id)
    return (
        None
        if row is None
        else policy.decode(
            row["spend_policy"], per_call_cap=row["per_call_cap"], daily_cap=row["daily_cap"]
        )
    )


async def write_spend_policy(
    connection: Connection, agent_id: AgentId, allowed: SpendPolicy
) -> None:
    """Say what an agent may spend from now on."""
    await connection.execute(
        WRITE_SPEND_POLICY,
        identifiers.cell_of(agent_id),
        agent_id,
        allowed.per_call_cap,
        allowed.daily_cap,
        policy.encode(allowed),
    )


async def write_cap_of_days(connection: Connection, agent_id: AgentId, cap: UsdMicros) -> None:
    """Have the database enforce another cap from today on."""
    await connection.execute(WRITE_CAP_OF_DAYS, identifiers.cell_of(agent_id), agent_id, cap)


async def lift_cap_of_days(connection: Connection, agent_id: AgentId) -> None:
    """Have the database enforce no cap from today on."""
    await connection.execute(LIFT_CAP_OF_DAYS, identifiers.cell_of(agent_id), agent_id)


async def wallet(connection: Connection, agent_id: AgentId) -> Account | None:
    """An agent's wallet as it stands; None when the agent is not there."""
    row = await connection.fetchrow(WALLET, identifiers.cell_of(agent_id), agent_id)
    return None if row is None else _account(row)


async def wallets(connection: Connection, tenant_id: TenantId) -> Mapping[AgentId, Account]:
    """All wallets of a tenant, by agent, the oldest agent first."""
    rows = await connection.fetch(WALLETS, identifiers.cell_of(tenant_id), tenant_id)
    return {AgentId(row["agent_id"]): _account(row) for row in rows}


async def ledger(
    connection: Connection,
    account_id: AccountId,
    *,
    limit: int,
    before_version: int = VERSION_MAX,
) -> tuple[Line, ...]:
    """A page of an account's ledger, newest first."""
    assert 1 <= limit <= PAGE_LINES_MAX, "a page has a limit"
    cell = identifiers.cell_of(account_id)
    rows = await connection.fetch(LEDGER, cell, account_id, before_version, limit)
    return tuple(_line(row) for row in rows)


def _account(row: Row) -> Account:
    return Account(
        account_id=AccountId(row["account_id"]),
        kind=row["kind"],
        debits_posted=row["debits_posted"],
        credits_posted=row["credits_posted"],
        debits_pending=row["debits_pending"],
        version=row["version"],
    )


def _line(row: Row) -> Line:
    is_debit = row["side"] == "debit"
    inference_id: UUID | None = row["inference_id"]
    return Line(
        entry_id=row["entry_id"],
        version=row["account_version"],
        amount=UsdMicros(-row["amount"] if is_debit else row["amount"]),
        balance_after=row["balance_after"],
        kind=_line_kind(row["kind"], is_debit=is_debit),
        memo=row["memo"],
        transfer_id=TransferId(row["transfer_id"]),
        inference_id=None if inference_id is None else InferenceId(inference_id),
        created_at=row["created_at"],
    )


def _line_kind(kind: str, *, is_debit: bool) -> LineKind:
    match kind:
        case "grant" | "topup":
            return kind
        case _:
            return "debit" if is_debit else "refund"


def _entry_row(deposit: Deposit, entry_id: UUID, entry: Entry) -> Mapping[str, object]:
    return {
        "cell": identifiers.cell_of(entry.account_id),
        "account_id": entry.account_id,
        "account_version": entry.account_version,
        "entry_id": entry_id,
        "tenant_id": deposit.tenant_id,
        "transfer_id": deposit.transfer_id,
        "side": entry.side,
        "amount": entry.amount,
        "balance_after": entry.balance_after,
        "created_at": deposit.created_at,
    }


def _as_json(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as one parameter, read by their columns' names.

    The driver's UUIDs are a class of their own that orjson does not know: `default` writes them.
    """
    return orjson.dumps(rows, default=str).decode()
