"""Wallets: what is in one, putting money in, and its ledger."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response
from pydantic import BaseModel

from ainfera_server.accounts import absent
from ainfera_server.api import answers, given, ids
from ainfera_server.api.amounts import Amount
from ainfera_server.api.answers import Shown
from ainfera_server.api.given import Caller, Opened
from ainfera_server.identifiers import AgentId
from ainfera_server.postgres import tenancy
from ainfera_server.wallet import actions as wallet_actions
from ainfera_server.wallet import store as wallet_store
from ainfera_server.wallet.ledger import Account
from ainfera_server.wallet.store import Line

PAGE_LINES = 100


class TopUp(BaseModel):
    """Money for a wallet."""

    agent_id: str
    amount_usd: Amount


async def get_wallet(gateway: Opened, caller: Caller, agent_id: str) -> Response:
    """See what is in an agent's wallet, and how much of it is held for calls that run."""
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        wallet = await wallet_store.wallet(connection, wanted)
    if wallet is None:
        raise absent.agent()
    return answers.json({"agent_id": str(wanted), **amounts(wallet)})


async def top_up(gateway: Opened, caller: Caller, body: TopUp) -> Response:
    """Put money into an agent's wallet."""
    wanted = AgentId(ids.parsed(body.agent_id, absent.agent))
    amount = wallet_actions.parse_top_up(body.amount_usd)
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        topped_up = await wallet_actions.top_up(
            connection,
            given.recorder(gateway),
            tenant_id=caller.tenant_id,
            agent_id=wanted,
            amount=amount,
        )
    return answers.json(
        {
            "agent_id": str(topped_up.agent_id),
            "amount_usd": answers.usd(topped_up.amount),
            "new_balance_usd": answers.usd(topped_up.balance),
            "ledger_entry_id": str(topped_up.entry_id),
            "audit_event_id": str(topped_up.event_id),
        },
        status=201,
    )


async def get_ledger(
    gateway: Opened,
    caller: Caller,
    agent_id: str,
    limit: Annotated[int, Query(ge=1, le=wallet_store.PAGE_LINES_MAX)] = PAGE_LINES,
    before: Annotated[int, Query(ge=1, le=wallet_store.VERSION_MAX)] = wallet_store.VERSION_MAX,
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
    return answers.json(
        {
            "agent_id": str(wanted),
            **amounts(wallet),
            "entries": [_line(wanted, line) for line in lines],
        }
    )


def amounts(wallet: Account) -> dict[str, Shown]:
    """What a wallet holds: all of it, what is set aside, and what may still be spent."""
    return {
        "balance_usd": answers.usd(wallet.balance),
        "held_usd": answers.usd(wallet.held),
        "available_usd": answers.usd(wallet.available),
    }


def _line(agent_id: AgentId, line: Line) -> dict[str, Shown]:
    return {
        "id": str(line.entry_id),
        "version": line.version,
        "agent_id": str(agent_id),
        "amount_usd": answers.usd(line.amount),
        "balance_after_usd": answers.usd(line.balance_after),
        "kind": line.kind,
        "memo": line.memo,
        "transfer_id": str(line.transfer_id),
        "inference_id": answers.identifier(line.inference_id),
        "created_at": answers.moment(line.created_at),
    }
