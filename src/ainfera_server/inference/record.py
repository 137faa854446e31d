"""How the journal's batches become one transaction: lock in one order, decide, write."""

from collections.abc import Callable, Iterable, Sequence
from typing import assert_never

from ainfera_server.audit import store as audit_store
from ainfera_server.audit.signing import Signer
from ainfera_server.errors import AinferaError
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AccountId, AgentId, EventId, TransferId
from ainfera_server.inference import refusals, store
from ainfera_server.inference.books import Books, LockedTransfer
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
from ainfera_server.journal import Write
from ainfera_server.money import UsdMicros
from ainfera_server.postgres.pool import Connection


async def hold(
    gateway: Gateway, entry: Hold, *, alternative: Callable[[UsdMicros], str | None]
) -> Held:
    """Set money aside, durably. Raises a MoneyRefused, which is recorded by then.

    `alternative` names the model that a caller could afford with so much.
    """
    result = await gateway.finish(gateway.journal.write(entry))
    if isinstance(result, Refused):
        problem = refusals.error(
            result.why, model=entry.inference.model_slug, alternative=alternative
        )
        gateway.metrics.refusals.labels(problem.code).inc()
        raise problem
    assert isinstance(result, Held), "a hold is held or refused"
    return result


async def settle(gateway: Gateway, entry: Settlement) -> Settled:
    """Post or release a hold, durably, also when the caller has gone."""
    result = await gateway.finish(gateway.journal.write(entry))
    assert isinstance(result, Settled), "a settlement is settled"
    if result.was_open and entry.cost is not None:
        gateway.metrics.spend_usd_micros.inc(entry.cost)
    return result


async def refuse(gateway: Gateway, entry: Refusal, problem: AinferaError) -> None:
    """Record a call that nobody may answer."""
    await gateway.finish(gateway.journal.write(entry))
    gateway.metrics.refusals.labels(problem.code).inc()


def writes(signer: Signer) -> Write[Entry, Result]:
    """What the journal is given: a batch in, its results out, in an open transaction."""

    async def write(
        connection: Connection, entries: Sequence[Entry], attempt: int
    ) -> Sequence[Result]:
        books = await _open_books(connection, entries, signer)
        if attempt > 1:
            books.known_refusals = await store.known_refusals(
                connection, _refusals(entries), books.heads
            )
        results = [_fold(books, entry) for entry in entries]
        await store.write_new(connection, books.new)
        await store.write_totals(connection, books.account_rows(), books.day_rows())
        await audit_store.write_links(connection, books.new.links)
        return results

    return write


def _fold(books: Books, entry: Entry) -> Result:
    match entry:
        case Hold():
            return books.hold(entry)
        case Settlement():
            return books.settle(entry)
        case Refusal():
            return books.refuse(entry)
        case _:
            assert_never(entry)


async def _open_books(connection: Connection, entries: Sequence[Entry], signer: Signer) -> Books:
    """Lock everything the batch touches: chains, transfers, accounts, days."""
    agents = {entry.payer.agent_id: entry.payer.tenant_id for entry in entries}
    holds = [entry for entry in entries if isinstance(entry, Hold)]
    heads = await audit_store.lock_heads(connection, agents)
    transfers = await _known_transfers(connection, entries)
    payers = {entry.payer.agent_id: entry.payer.tenant_id for entry in holds}
    limits = await store.limits_of_agents(connection, payers) if holds else {}
    accounts = await store.lock_accounts(connection, _accounts(holds, transfers.values()))
    todays = await store.open_days(connection, payers, limits) if holds else {}
    today = {agent_id: one.day for agent_id, one in todays.items()}
    days = {(agent_id, one.day): one for agent_id, one in todays.items()}
    earlier = {(one.agent_id, one.day) for one in transfers.values() if one.is_pending} - set(days)
    if earlier:
        days |= await store.lock_days(connection, earlier)
    return Books(
        signer=signer,
        heads=heads,
        limits=limits,
        accounts=accounts,
        days=days,
        today=today,
        transfers=transfers,
    )


async def _known_transfers(
    connection: Connection, entries: Iterable[Entry]
) -> dict[TransferId, LockedTransfer]:
    wanted: set[TransferId] = set()
    for entry in entries:
        match entry:
            case Hold():
                wanted.add(entry.inference.transfer_id)
                if entry.replaces is not None:
                    wanted.add(entry.replaces)
            case Settlement():
                wanted.add(entry.transfer_id)
            case Refusal():
                pass
            case _:
                assert_never(entry)
    return await store.lock_transfers(connection, wanted) if wanted else {}


def _refusals(entries: Iterable[Entry]) -> dict[EventId, AgentId]:
    """The events that tell of refusals, should there be any."""
    found: dict[EventId, AgentId] = {}
    for entry in entries:
        match entry:
            case Hold():
                found[entry.refused_event_id] = entry.payer.agent_id
            case Refusal():
                found[entry.event.event_id] = entry.payer.agent_id
            case Settlement():
                pass
            case _:
                assert_never(entry)
    return found


def _accounts(holds: Iterable[Hold], transfers: Iterable[LockedTransfer]) -> set[AccountId]:
    wanted = {entry.payer.wallet_id for entry in holds}
    for transfer in transfers:
        if transfer.is_pending:
            wanted |= {transfer.wallet_id, transfer.counterpart_id}
    return wanted
