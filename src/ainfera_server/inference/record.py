"""How the journal's batches become one transaction: lock in one order, decide, write."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import assert_never

from ainfera_server.audit import store as audit_store
from ainfera_server.audit.signing import Signer
from ainfera_server.contents import store as contents_store
from ainfera_server.errors import AinferaError
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AccountId, AgentId, EventId, TransferId
from ainfera_server.inference import counted, refusals, store
from ainfera_server.inference.books import Books, LockedTransfer
from ainfera_server.inference.entries import (
    Entry,
    Extended,
    Extension,
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


async def extend(gateway: Gateway, entry: Extension) -> Extended:
    """Set aside more for a call that costs more, durably, where that is allowed."""
    result = await gateway.finish(gateway.journal.write(entry))
    assert isinstance(result, Extended), "a hold grows or stays as it was"
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
        await store.write_totals(connection, books.account_rows(), books.windows)
        await contents_store.write_contents(connection, books.new.contents)
        await audit_store.write_links(connection, books.new.links)
        return results

    return write


def _fold(books: Books, entry: Entry) -> Result:
    match entry:
        case Hold():
            return books.hold(entry)
        case Settlement():
            return books.settle(entry)
        case Extension():
            return books.extend(entry)
        case Refusal():
            return books.refuse(entry)
        case _:
            assert_never(entry)


async def _open_books(connection: Connection, entries: Sequence[Entry], signer: Signer) -> Books:
    """Lock everything the batch touches: chains, transfers, accounts, windows."""
    agents = {entry.payer.agent_id for entry in entries}
    spends = [entry for entry in entries if isinstance(entry, Hold | Extension)]
    holds = [entry for entry in spends if isinstance(entry, Hold)]
    heads = await audit_store.lock_heads(connection, agents)
    lineages = await counted.lineages(connection, holds)
    transfers = await _known_transfers(connection, entries)
    accounts = await store.lock_accounts(connection, _accounts(entries, transfers))
    spenders = {entry.payer.agent_id for entry in spends}
    limits = await store.limits_of_agents(connection, spenders) if spenders else {}
    windows = await counted.windows(connection, holds, lineages, limits, transfers.values())
    return Books(
        signer=signer,
        heads=heads,
        limits=limits,
        accounts=accounts,
        windows=windows,
        lineages=lineages,
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
            case Settlement() | Extension():
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
            case Settlement() | Extension():
                pass
            case _:
                assert_never(entry)
    return found


def _accounts(
    entries: Iterable[Entry], transfers: Mapping[TransferId, LockedTransfer]
) -> set[AccountId]:
    """Whoever may pay for a hold, whoever paid for one that ends, and who then gets the money."""
    wanted = {one.payer_id for one in transfers.values() if one.is_pending}
    for entry in entries:
        match entry:
            case Hold():
                wanted |= {entry.payer.wallet_id, entry.payer.pool_id}
            case Settlement(cost=int()):
                wanted |= _earners(entry, transfers.get(entry.transfer_id))
            case Settlement() | Extension() | Refusal():
                pass
            case _:
                assert_never(entry)
    return wanted


def _earners(entry: Settlement, transfer: LockedTransfer | None) -> set[AccountId]:
    earners = {entry.payer.provider_cost_id}
    if transfer is not None:
        earners.add(transfer.counterpart_id)
    if entry.margin > 0:
        earners.add(entry.payer.revenue_id)
    return earners
