"""The inference's queries: one function runs one query."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, cast
from uuid import UUID

import orjson

from ainfera_server import identifiers
from ainfera_server.audit.chain import Head
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
from ainfera_server.inference.books import Limits, LockedTransfer, NewRows
from ainfera_server.inference.rows import AccountRow, DayRow
from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Connection, Row
from ainfera_server.wallet.caps import SpentDay
from ainfera_server.wallet.ledger import Account

QUERIES = queries.load(__name__)
LOCK_ACCOUNTS = QUERIES["lock_accounts"]
LOCK_TRANSFERS = QUERIES["lock_transfers"]
LIMITS_OF_AGENTS = QUERIES["limits_of_agents"]
OPEN_DAYS = QUERIES["open_days"]
LOCK_DAYS = QUERIES["lock_days"]
BEGIN_IDEMPOTENCY = QUERIES["begin_idempotency"]
IDEMPOTENCY = QUERIES["idempotency"]
FORGET_IDEMPOTENCY = QUERIES["forget_idempotency"]
FORGET_EXPIRED_IDEMPOTENCY = QUERIES["forget_expired_idempotency"]
EXPIRED_HOLDS = QUERIES["expired_holds"]
INFERENCE = QUERIES["inference"]
KNOWN_REFUSALS = QUERIES["known_refusals"]
DECISION = QUERIES["decision"]
RECEIPT = QUERIES["receipt"]

RECENT_EVENTS = 4096
"""More than a batch writes, with what other processes may have written since."""


def as_json(rows: Iterable[object]) -> str:
    """Rows as one parameter; the database reads them by the names of its columns.

    The driver's own UUIDs are a subclass that orjson does not know, hence `default`.
    """
    return orjson.dumps(list(rows), default=str).decode()


async def lock_accounts(
    connection: Connection, wanted: Iterable[AccountId]
) -> dict[AccountId, Account]:
    """Lock accounts, in the order of their ids."""
    keys = as_json(
        {"cell": identifiers.cell_of(one), "account_id": one} for one in sorted(set(wanted))
    )
    return {
        row["account_id"]: Account(
            account_id=row["account_id"],
            kind=row["kind"],
            debits_posted=row["debits_posted"],
            credits_posted=row["credits_posted"],
            debits_pending=row["debits_pending"],
            version=row["version"],
        )
        for row in await connection.fetch(LOCK_ACCOUNTS, keys)
    }


async def lock_transfers(
    connection: Connection, wanted: Iterable[TransferId]
) -> dict[TransferId, LockedTransfer]:
    """Lock those of the transfers that exist."""
    keys = as_json(
        {"cell": identifiers.cell_of(one), "transfer_id": one} for one in sorted(set(wanted))
    )
    return {
        row["transfer_id"]: LockedTransfer(
            agent_id=row["agent_id"],
            wallet_id=row["debit_account_id"],
            counterpart_id=row["credit_account_id"],
            held=row["amount_held"],
            day=row["day"],
            is_pending=row["state"] == "pending",
        )
        for row in await connection.fetch(LOCK_TRANSFERS, keys)
    }


async def limits_of_agents(
    connection: Connection, wanted: Iterable[AgentId]
) -> dict[AgentId, Limits]:
    """What the owners allow."""
    keys = as_json({"cell": identifiers.cell_of(one), "agent_id": one} for one in set(wanted))
    return {
        row["agent_id"]: Limits(
            status=row["status"], per_call_cap=row["per_call_cap"], daily_cap=row["daily_cap"]
        )
        for row in await connection.fetch(LIMITS_OF_AGENTS, keys)
    }


async def open_days(
    connection: Connection, agents: Mapping[AgentId, TenantId], limits: Mapping[AgentId, Limits]
) -> dict[AgentId, SpentDay]:
    """Lock today's row of each agent, made if it was missing."""
    wanted = as_json(
        {
            "cell": identifiers.cell_of(agent_id),
            "agent_id": agent_id,
            "tenant_id": tenant_id,
            "cap": limits[agent_id].daily_cap,
        }
        for agent_id, tenant_id in agents.items()
    )
    return {row["agent_id"]: _day(row) for row in await connection.fetch(OPEN_DAYS, wanted)}


async def lock_days(
    connection: Connection, wanted: Iterable[tuple[AgentId, date]]
) -> dict[tuple[AgentId, date], SpentDay]:
    """Lock the days on which holds were made."""
    keys = as_json(
        {"cell": identifiers.cell_of(agent_id), "agent_id": agent_id, "day": day}
        for agent_id, day in sorted(set(wanted))
    )
    rows = await connection.fetch(LOCK_DAYS, keys)
    return {(row["agent_id"], row["day"]): _day(row) for row in rows}


async def known_refusals(
    connection: Connection, wanted: Mapping[EventId, AgentId], heads: Mapping[AgentId, Head]
) -> frozenset[UUID]:
    """Those of these events that are written; what a batch wrote is near the end of its chains."""
    keys = as_json(
        {
            "cell": identifiers.cell_of(agent_id),
            "agent_id": agent_id,
            "event_id": event_id,
            "seq": heads[agent_id].seq - RECENT_EVENTS,
        }
        for event_id, agent_id in wanted.items()
    )
    return frozenset(row["event_id"] for row in await connection.fetch(KNOWN_REFUSALS, keys))


async def write_new(connection: Connection, new: NewRows) -> None:
    """Write what a batch decided, table by table, in the order that foreign keys ask for."""
    for query, rows in (
        ("write_inferences", new.inferences),
        ("end_inferences", new.inference_ends),
        ("write_outcomes", new.outcomes),
        ("end_outcomes", new.outcome_ends),
        ("write_transfers", new.transfers),
        ("resolve_transfers", new.resolved),
        ("write_ledger_entries", new.entries),
        ("write_receipts", new.receipts),
        ("keep_answers", new.answers),
    ):
        if rows:
            await connection.execute(QUERIES[query], as_json(cast("Sequence[object]", rows)))


async def write_totals(
    connection: Connection, accounts: Sequence[AccountRow], days: Sequence[DayRow]
) -> None:
    """Write the totals that follow; the database's checks look at each."""
    if accounts:
        await connection.execute(QUERIES["write_accounts"], as_json(accounts))
    if days:
        await connection.execute(QUERIES["write_days"], as_json(days))


async def begin_idempotency(
    connection: Connection, *, scope: str, tenant_id: TenantId, body_hash: str, lifetime_s: float
) -> bool:
    """Take a key; False when somebody has it already."""
    row = await connection.fetchrow(
        BEGIN_IDEMPOTENCY, identifiers.cell_of(tenant_id), scope, tenant_id, body_hash, lifetime_s
    )
    return row is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """What is known of an idempotency key."""

    body_hash: str
    state: Literal["running", "answered"]
    answer_sealed: str | None


async def idempotency(connection: Connection, *, cell: Cell, scope: str) -> KnownKey | None:
    """Look a key up."""
    row = await connection.fetchrow(IDEMPOTENCY, cell, scope)
    if row is None:
        return None
    return KnownKey(
        body_hash=row["body_hash"], state=row["state"], answer_sealed=row["answer_sealed"]
    )


async def forget_idempotency(connection: Connection, *, cell: Cell, scope: str) -> None:
    """Let a key go whose call cost nothing."""
    await connection.execute(FORGET_IDEMPOTENCY, cell, scope)


async def forget_expired_idempotency(connection: Connection) -> None:
    """Delete answers whose time is over."""
    await connection.execute(FORGET_EXPIRED_IDEMPOTENCY)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredHold:
    """A hold that nobody resolved in time."""

    transfer_id: TransferId
    tenant_id: TenantId
    agent_id: AgentId
    wallet_id: AccountId
    revenue_id: AccountId
    inference_id: InferenceId
    decision_id: DecisionId | None
    attempts: str
    created_at: datetime


async def expired_holds(connection: Connection) -> tuple[ExpiredHold, ...]:
    """Find holds past their time."""
    return tuple(
        ExpiredHold(
            transfer_id=row["transfer_id"],
            tenant_id=row["tenant_id"],
            agent_id=row["agent_id"],
            wallet_id=row["debit_account_id"],
            revenue_id=row["credit_account_id"],
            inference_id=row["inference_id"],
            decision_id=row["decision_id"],
            attempts=row["attempts"],
            created_at=row["created_at"],
        )
        for row in await connection.fetch(EXPIRED_HOLDS)
    )


async def inference(connection: Connection, inference_id: UUID) -> Row | None:
    """Read one inference of the tenant in whose transaction this is."""
    return await connection.fetchrow(INFERENCE, identifiers.cell_of(inference_id), inference_id)


async def decision(connection: Connection, either_id: UUID) -> Row | None:
    """Read a decision by its own id or by its inference's."""
    return await connection.fetchrow(DECISION, identifiers.cell_of(either_id), either_id)


async def receipt(connection: Connection, receipt_id: UUID) -> Row | None:
    """Read one receipt."""
    return await connection.fetchrow(RECEIPT, identifiers.cell_of(receipt_id), receipt_id)


def _day(row: Row) -> SpentDay:
    return SpentDay(day=row["day"], cap=row["cap"], posted=row["posted"], pending=row["pending"])
