"""Wallets and the pool behind them: what is in them, putting money in, moving it, and ledgers."""

from typing import Annotated, Literal

from fastapi import Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from ainfera_server.accounts import absent
from ainfera_server.api import answers, given, ids, repeated
from ainfera_server.api.amounts import Amount
from ainfera_server.api.answers import Shown
from ainfera_server.api.given import Caller, Opened
from ainfera_server.api.repeated import Repeats
from ainfera_server.errors import Invalid
from ainfera_server.identifiers import AgentId
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Connection
from ainfera_server.wallet import actions as wallet_actions
from ainfera_server.wallet import purse
from ainfera_server.wallet import store as wallet_store
from ainfera_server.wallet.actions import Place
from ainfera_server.wallet.store import Line

PAGE_LINES = 100
POOL = wallet_actions.place_name(None)

Limit = Annotated[int, Query(ge=1, le=wallet_store.PAGE_LINES_MAX)]
Before = Annotated[int, Query(ge=1, le=wallet_store.VERSION_MAX)]


class TopUp(BaseModel):
    """Money for a wallet, or for the pool."""

    agent_id: str | None = Field(None, description="Whose wallet; or else `wallet` is `pool`.")
    wallet: Literal["pool"] | None = Field(None, description="`pool`, in place of an agent.")
    amount_usd: Amount


class Move(BaseModel):
    """Money from one place to another."""

    source: str = Field(alias="from", description="An agent's id, or `pool`.")
    to: str = Field(description="An agent's id, or `pool`.")
    amount_usd: Amount


async def get_wallet(gateway: Opened, caller: Caller, agent_id: str) -> Response:
    """See what an agent can pay with, what calls hold of it, and what its caps leave."""
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        found = await purse.read(connection, caller.tenant_id, wanted)
    if found is None:
        raise absent.agent()
    return answers.json({"agent_id": str(wanted), **purse.facts(found)})


async def get_pool(gateway: Opened, caller: Caller) -> Response:
    """See what is in the pool that your agents share, and what calls hold of it."""
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        pool = await wallet_store.pool(connection, caller.tenant_id)
    if pool is None:
        raise absent.tenant()
    return answers.json({"wallet": POOL, **purse.amounts(pool)})


async def top_up(gateway: Opened, caller: Caller, body: TopUp, repeats: Repeats) -> Response:
    """Put money into an agent's wallet, or into the pool that your agents share."""
    place = _place_of(body)
    amount = wallet_actions.parse_amount(body.amount_usd)

    async def change(connection: Connection) -> Shown:
        done = await wallet_actions.top_up(
            connection,
            given.recorder(gateway),
            tenant_id=caller.tenant_id,
            place=place,
            amount=amount,
        )
        return {
            "agent_id": answers.identifier(place),
            "wallet": wallet_actions.place_name(place),
            "amount_usd": answers.usd(done.amount),
            "new_balance_usd": answers.usd(done.balance),
            "ledger_entry_id": str(done.entry_id),
            "audit_event_id": str(done.event_id),
        }

    return await repeated.answered(gateway, caller.tenant_id, repeats, change)


async def move(gateway: Opened, caller: Caller, body: Move, repeats: Repeats) -> Response:
    """Move money that is available between two wallets, or between a wallet and the pool."""
    source, destination = _place(body.source), _place(body.to)
    amount = wallet_actions.parse_amount(body.amount_usd)

    async def change(connection: Connection) -> Shown:
        done = await wallet_actions.move(
            connection,
            given.recorder(gateway),
            tenant_id=caller.tenant_id,
            source=source,
            destination=destination,
            amount=amount,
        )
        return {
            "from": wallet_actions.place_name(source),
            "to": wallet_actions.place_name(destination),
            "amount_usd": answers.usd(done.amount),
            "from_balance_usd": answers.usd(done.source_balance),
            "to_balance_usd": answers.usd(done.destination_balance),
            "transfer_id": str(done.transfer_id),
            "audit_event_ids": [str(event_id) for event_id in done.event_ids],
        }

    return await repeated.answered(gateway, caller.tenant_id, repeats, change)


async def get_ledger(
    gateway: Opened,
    caller: Caller,
    agent_id: str,
    limit: Limit = PAGE_LINES,
    before: Before = wallet_store.VERSION_MAX,
) -> Response:
    """Read a wallet's ledger, newest first; `before` a line's `version` gives the next page."""
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        wallet = await wallet_store.wallet(connection, wanted)
        if wallet is None:
            raise absent.agent()
        lines = await wallet_store.ledger(
            connection, wallet.account_id, limit=limit, before_version=before
        )
    entries = [{**_line(line), "agent_id": str(wanted)} for line in lines]
    return answers.json({"agent_id": str(wanted), **purse.amounts(wallet), "entries": entries})


async def get_pool_ledger(
    gateway: Opened,
    caller: Caller,
    limit: Limit = PAGE_LINES,
    before: Before = wallet_store.VERSION_MAX,
) -> Response:
    """Read the pool's ledger, newest first; each line names the agent that it was for."""
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        pool = await wallet_store.pool(connection, caller.tenant_id)
        if pool is None:
            raise absent.tenant()
        lines = await wallet_store.ledger(
            connection, pool.account_id, limit=limit, before_version=before
        )
    entries = [_line(line) for line in lines]
    return answers.json({"wallet": POOL, **purse.amounts(pool), "entries": entries})


def _place_of(body: TopUp) -> Place:
    if (body.agent_id is None) == (body.wallet is None):
        raise Invalid("Name an agent_id, or the wallet `pool`, and not both.", param="agent_id")
    if body.agent_id is None:
        return None
    return AgentId(ids.parsed(body.agent_id, absent.agent))


def _place(text: str) -> Place:
    return None if text == POOL else AgentId(ids.parsed(text, absent.agent))


def _line(line: Line) -> dict[str, Shown]:
    return {
        "id": str(line.entry_id),
        "version": line.version,
        "agent_id": str(line.agent_id),
        "amount_usd": answers.usd(line.amount),
        "balance_after_usd": answers.usd(line.balance_after),
        "kind": line.kind,
        "memo": line.memo,
        "transfer_id": str(line.transfer_id),
        "inference_id": answers.identifier(line.inference_id),
        "created_at": answers.moment(line.created_at),
    }
