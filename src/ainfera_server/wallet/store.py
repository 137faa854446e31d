"""The queries about money: one function runs one query."""

from collections.abc import Collection, Mapping, Sequence
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
from ainfera_server.wallet.ledger import Account, AccountKind, Entry, Move

QUERIES = queries.load(__name__)
OPEN_ACCOUNT = QUERIES["open_account"]
LOCK_ACCOUNTS = QUERIES["lock_accounts"]
WRITE_POSTED_TRANSFER = QUERIES["write_posted_transfer"]
WRITE_ENTRIES = QUERIES["write_entries"]
WRITE_POSTED = QUERIES["write_posted"]
WALLET = QUERIES["wallet"]
WALLETS = QUERIES["wallets"]
POOL = QUERIES["pool"]
ALLOWANCES = QUERIES["allowances"]
LEDGER = QUERIES["ledger"]
TAKE_KEY = QUERIES["take_key"]
KEPT_ANSWER = QUERIES["kept_answer"]
KEEP_ANSWER = QUERIES["keep_answer"]

VERSION_MAX = 2**63 - 1
PAGE_LINES_MAX = 500

DepositKind = Literal["grant", "topup"]
PostedKind = Literal["grant", "topup", "move"]
LineKind = Literal["grant", "topup", "move", "debit", "refund"]
AllowanceName = Literal["day", "month", "tenant_day", "tenant_month"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A transfer that is posted as it is made; `agent_id` is whose chain tells of it."""

    transfer_id: TransferId
    tenant_id: TenantId
    agent_id: AgentId
    kind: PostedKind
    amount: UsdMicros
    memo: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """Accounts of one tenant, locked until commit: wallets by their agents, the others by kind."""

    wallets: Mapping[AgentId, Account]
    others: Mapping[AccountKind, Account]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of an account's ledger; `amount` is negative when money went out.

    `agent_id` is whose chain tells of it. `inference_id` is None unless an inference was paid for.
    """

    entry_id: UUID
    agent_id: AgentId
    version: int
    amount: UsdMicros
    balance_after: UsdMicros
    kind: LineKind
    memo: str
    transfer_id: TransferId
    inference_id: InferenceId | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """A stretch of time with what was spent in it, `pending` for calls that still run.

    `cap` is None where nothing is limited.
    """

    name: AllowanceName
    cap: UsdMicros | None
    posted: UsdMicros
    pending: UsdMicros
    resets_at: datetime

    @property
    def remaining(self) -> UsdMicros | None:
        """What is left of the cap; None where nothing is limited."""
        if self.cap is None:
            return None
        return UsdMicros(max(self.cap - self.posted - self.pending, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """What is known of an idempotency key; the answer is None while nobody has heard it."""

    body_hash: str
    answer_sealed: str | None


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


async def lock_accounts(
    connection: Connection,
    tenant_id: TenantId,
    *,
    agents: Collection[AgentId],
    kinds: Collection[AccountKind],
) -> Locked:
    """Lock agents' wallets and the tenant's accounts of some kinds; what is not there is absent."""
    cell = identifiers.cell_of(tenant_id)
    rows = await connection.fetch(LOCK_ACCOUNTS, cell, tenant_id, list(agents), list(kinds))
    return Locked(
        wallets={
            AgentId(row["agent_id"]): _account(row) for row in rows if row["agent_id"] is not None
        },
        others={row["kind"]: _account(row) for row in rows if row["agent_id"] is None},
    )


async def write_posted_transfer(connection: Connection, made: Posted, move: Move) -> None:
    """Write a transfer that is posted as it is made."""
    await connection.execute(
        WRITE_POSTED_TRANSFER,
        identifiers.cell_of(made.transfer_id),
        made.transfer_id,
        made.tenant_id,
        made.agent_id,
        made.kind,
        move.source.account_id,
        move.destination.account_id,
        made.amount,
        made.created_at.date(),
        made.memo,
        made.created_at,
    )


async def write_entries(
    connection: Connection, made: Posted, entries: Mapping[UUID, Entry]
) -> None:
    """Write a transfer's entries, by their ids."""
    rows = [_entry_row(made, entry_id, entry) for entry_id, entry in entries.items()]
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


async def wallet(connection: Connection, agent_id: AgentId) -> Account | None:
    """An agent's wallet as it stands; None when the agent is not there."""
    row = await connection.fetchrow(WALLET, identifiers.cell_of(agent_id), agent_id)
    return None if row is None else _account(row)


async def wallets(connection: Connection, tenant_id: TenantId) -> Mapping[AgentId, Account]:
    """All wallets of a tenant, by agent, the oldest agent first."""
    rows = await connection.fetch(WALLETS, identifiers.cell_of(tenant_id), tenant_id)
    return {AgentId(row["agent_id"]): _account(row) for row in rows}


async def pool(connection: Connection, tenant_id: TenantId) -> Account | None:
    """A tenant's shared pool as it stands; None when the tenant is not there."""
    row = await connection.fetchrow(POOL, identifiers.cell_of(tenant_id), tenant_id)
    return None if row is None else _account(row)


async def allowances(connection: Connection, agent_id: AgentId) -> tuple[Allowance, ...]:
    """What an agent and all agents of its tenant spent today and this month."""
    rows = await connection.fetch(ALLOWANCES, identifiers.cell_of(agent_id), agent_id)
    return tuple(
        Allowance(
            name=row["name"],
            cap=row["cap"],
            posted=row["posted"],
            pending=row["pending"],
            resets_at=row["resets_at"],
        )
        for row in rows
    )


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


async def take_key(
    connection: Connection, scope: str, *, tenant_id: TenantId, body_hash: str, lifetime_s: float
) -> bool:
    """Take an idempotency key for this transaction; False when somebody has it."""
    cell = identifiers.cell_of(tenant_id)
    taken = await connection.fetchval(TAKE_KEY, cell, scope, tenant_id, body_hash, lifetime_s)
    return taken is not None


async def kept_answer(
    connection: Connection, scope: str, *, tenant_id: TenantId
) -> KeptAnswer | None:
    """What is known of an idempotency key; None when nobody has it."""
    row = await connection.fetchrow(KEPT_ANSWER, identifiers.cell_of(tenant_id), scope)
    if row is None:
        return None
    return KeptAnswer(body_hash=row["body_hash"], answer_sealed=row["answer_sealed"])


async def keep_answer(
    connection: Connection, scope: str, *, tenant_id: TenantId, answer_sealed: str
) -> None:
    """Keep an answer for the key that this transaction took."""
    cell = identifiers.cell_of(tenant_id)
    await connection.execute(KEEP_ANSWER, cell, scope, answer_sealed)


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
        agent_id=AgentId(row["agent_id"]),
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
        case "grant" | "topup" | "move":
            return kind
        case _:
            return "debit" if is_debit else "refund"


def _entry_row(made: Posted, entry_id: UUID, entry: Entry) -> Mapping[str, object]:
    return {
        "cell": identifiers.cell_of(entry.account_id),
        "account_id": entry.account_id,
        "account_version": entry.account_version,
        "entry_id": entry_id,
        "tenant_id": made.tenant_id,
        "transfer_id": made.transfer_id,
        "side": entry.side,
        "amount": entry.amount,
        "balance_after": entry.balance_after,
        "created_at": made.created_at,
    }


def _as_json(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as one parameter, read by their columns' names.

    The driver's UUIDs are a class of their own that orjson does not know: `default` writes them.
    """
    return orjson.dumps(rows, default=str).decode()
