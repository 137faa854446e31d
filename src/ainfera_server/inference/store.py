"""The inference's queries: one function runs one query."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast
from uuid import UUID

import orjson

from ainfera_server import identifiers
from ainfera_server.accounts.store import Payer
from ainfera_server.audit.chain import Head
from ainfera_server.identifiers import (
    AccountId,
    AgentId,
    Cell,
    EventId,
    TenantId,
    TransferId,
)
from ainfera_server.inference.books import LockedTransfer, NewRows
from ainfera_server.inference.endings import Abandoned
from ainfera_server.inference.rows import AccountRow, KeptAnswer, NewWindowRow
from ainfera_server.inference.windows import Limits, Windows
from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Connection, Row
from ainfera_server.wallet import caps
from ainfera_server.wallet.caps import Window, WindowKey
from ainfera_server.wallet.ledger import Account

QUERIES = queries.load(__name__)
LOCK_ACCOUNTS = QUERIES["lock_accounts"]
LOCK_TRANSFERS = QUERIES["lock_transfers"]
LIMITS_OF_AGENTS = QUERIES["limits_of_agents"]
LINEAGES = QUERIES["lineages"]
LOCK_WINDOWS = QUERIES["lock_windows"]
OPEN_WINDOWS = QUERIES["open_windows"]
BEGIN_IDEMPOTENCY = QUERIES["begin_idempotency"]
IDEMPOTENCY = QUERIES["idempotency"]
KEEP_ANSWER = QUERIES["keep_answer"]
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
            tenant_id=row["tenant_id"],
            agent_id=row["agent_id"],
            payer_id=row["debit_account_id"],
            counterpart_id=row["credit_account_id"],
            held=row["amount_held"],
            day=row["day"],
            lineage=None if row["subagents"] is None else caps.decode_lineage(row["subagents"]),
            is_pending=row["state"] == "pending",
        )
        for row in await connection.fetch(LOCK_TRANSFERS, keys)
    }


async def limits_of_agents(
    connection: Connection, wanted: Iterable[AgentId]
) -> dict[AgentId, Limits]:
    """What the owners allow, and the database's date."""
    keys = as_json({"cell": identifiers.cell_of(one), "agent_id": one} for one in set(wanted))
    return {
        row["agent_id"]: Limits(
            status=row["status"],
            today=row["today"],
            per_call_cap=row["per_call_cap"],
            daily_cap=row["daily_cap"],
            monthly_cap=row["monthly_cap"],
            session_cap=row["session_cap"],
            subagent_cap=row["subagent_cap"],
            may_exceed_hold=row["may_exceed_hold"],
            tenant_daily_cap=row["tenant_daily_cap"],
            tenant_monthly_cap=row["tenant_monthly_cap"],
            is_strict=row["wallet_strict_per_agent"],
            has_tenant_windows=row["has_tenant_windows"],
        )
        for row in await connection.fetch(LIMITS_OF_AGENTS, keys)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a call says that it stands, as segments of keys; `parent` is None when it is silent."""

    cell: Cell
    transfer_id: TransferId
    tree: str
    node: str
    parent: str | None


async def lineages(
    connection: Connection, wanted: Iterable[Standing]
) -> dict[TransferId, tuple[str, ...]]:
    """Each call's subagent and those known to stand above it, nearest first.

    The heads of chains are locked: nobody adds a subagent to these trees meanwhile.
    """
    rows = await connection.fetch(LINEAGES, as_json(wanted), caps.SUBAGENTS_MAX)
    return {row["transfer_id"]: tuple(row["nodes"]) for row in rows}


async def open_windows(connection: Connection, rows: Iterable[NewWindowRow]) -> None:
    """Begin windows of tenants, with the caps in force."""
    await connection.execute(OPEN_WINDOWS, as_json(rows))


async def lock_windows(
    connection: Connection, wanted: Iterable[WindowKey]
) -> dict[WindowKey, Window]:
    """Lock those of the windows that are there."""
    rows = await connection.fetch(LOCK_WINDOWS, as_json(set(wanted)))
    found = (_window(row) for row in rows)
    return {window.key: window for window in found}


async def known_refusals(
    connection: Connection, wanted: Mapping[EventId, AgentId], heads: Mapping[AgentId, Head]
) -> Mapping[UUID, str]:
    """What those of these events say that are written, near the ends of their chains."""
    keys = as_json(
        {
            "cell": identifiers.cell_of(agent_id),
            "agent_id": agent_id,
            "event_id": event_id,
            "seq": heads[agent_id].seq - RECENT_EVENTS,
        }
        for event_id, agent_id in wanted.items()
    )
    rows = await connection.fetch(KNOWN_REFUSALS, keys)
    return {row["event_id"]: row["payload"] for row in rows}


async def write_new(connection: Connection, new: NewRows) -> None:
    """Write what a batch decided, table by table, in the order that foreign keys ask for."""
    for query, rows in (
        ("write_inferences", new.inferences),
        ("end_inferences", new.inference_ends),
        ("write_outcomes", new.outcomes),
        ("end_outcomes", new.outcome_ends),
        ("write_transfers", new.transfers),
        ("extend_transfers", list(new.extended.values())),
        ("resolve_transfers", new.resolved),
        ("write_ledger_entries", new.entries),
        ("write_receipts", new.receipts),
    ):
        if rows:
            await connection.execute(QUERIES[query], as_json(cast("Sequence[object]", rows)))
    if new.answers:
        await _keep_answers(connection, new.answers)


async def _keep_answers(connection: Connection, answers: Sequence[KeptAnswer]) -> None:
    """One by one: an answer may have megabytes, and a statement has only so much time."""
    rows = [(one.cell, one.scope, one.sealed, one.lifetime) for one in answers]
    await connection.executemany(KEEP_ANSWER, rows)


async def write_totals(
    connection: Connection, accounts: Sequence[AccountRow], windows: Windows
) -> None:
    """Write the totals that follow; the database's checks look at each."""
    for query, rows in (
        ("write_accounts", accounts),
        ("begin_windows", windows.begun()),
        ("write_windows", windows.rows()),
    ):
        if rows:
            await connection.execute(QUERIES[query], as_json(cast("Sequence[object]", rows)))


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
    state: Literal["running", "answered", "deleted"]
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


async def forget_expired_idempotency(connection: Connection) -> int:
    """Delete some of the answers whose time is over; tells how many."""
    status = await connection.execute(FORGET_EXPIRED_IDEMPOTENCY)
    return int(status.rpartition(" ")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredHold:
    """A hold that nobody resolved in time, and what is known of its call."""

    payer: Payer
    known: Abandoned


async def expired_holds(connection: Connection) -> tuple[ExpiredHold, ...]:
    """Find holds past their time."""
    return tuple(
        ExpiredHold(
            payer=Payer(
                tenant_id=row["tenant_id"],
                agent_id=row["agent_id"],
                wallet_id=row["wallet_id"],
                pool_id=row["pool_id"],
                provider_cost_id=row["provider_cost_id"],
                revenue_id=row["revenue_id"],
            ),
            known=Abandoned(
                tenant_id=row["tenant_id"],
                agent_id=row["agent_id"],
                inference_id=row["inference_id"],
                decision_id=row["decision_id"],
                policy_version=row["policy_version"],
                model_asked=row["model_asked"],
                offer=row["offer_slug"],
                provider=row["provider"],
                price_book_version=row["price_book_version"],
                attempts=row["attempts"],
                held=row["amount_held"],
                paid_from=row["paid_from"],
                transfer_id=row["transfer_id"],
            ),
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


def _window(row: Row) -> Window:
    key = WindowKey(
        cell=row["cell"],
        scope=row["scope"],
        scope_key=row["scope_key"],
        period=row["period"],
        starts=row["starts"],
    )
    return Window(
        key=key,
        parent=row["parent"],
        cap=row["cap"],
        posted=row["posted"],
        pending=row["pending"],
    )
