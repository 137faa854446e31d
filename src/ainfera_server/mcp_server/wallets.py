"""Tools about money: what is in a wallet, and putting more in."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictFloat, StrictInt, StrictStr

from ainfera_server import money
from ainfera_server.accounts import absent
from ainfera_server.errors import Invalid
from ainfera_server.mcp_server.agents import AGENT_ID, OfAgent
from ainfera_server.mcp_server.asking import Asking
from ainfera_server.mcp_server.tool import Arguments, Result
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import tenancy
from ainfera_server.wallet import actions as wallet_actions
from ainfera_server.wallet import purse
from ainfera_server.wallet.store import AllowanceName

TOP_UP_MIN = UsdMicros(10_000)
TOP_UP_MAX = UsdMicros(500 * money.MICROS_PER_USD)
"""An agent that is talked into a top-up can do less harm than an owner at the API."""


class CapLeft(Result):
    """A cap, what was spent of it and is held, and when it is whole again; null for no cap."""

    cap_usd: str | None
    spent_usd: str
    held_usd: str
    remaining_usd: str | None
    resets_at: str


class WalletFound(Result):
    """What a wallet holds: all of it, what running calls set aside, what may still be spent.

    The pool pays for what the wallet alone cannot, unless wallets are strict.
    """

    agent_id: str
    balance_usd: str
    held_usd: str
    available_usd: str
    pool_available_usd: str
    wallet_strict_per_agent: bool
    caps: dict[AllowanceName, CapLeft]


class TopUp(Arguments):
    """Money for a wallet."""

    amount_usd: StrictStr | StrictInt | StrictFloat = Field(
        description="US dollars, from 0.01 to 500, as decimal text or a number."
    )
    confirm: bool = Field(
        default=False, description="Must be true: this moves money. Ask your user first."
    )
    agent_id: Annotated[UUID | None, AGENT_ID] = None


class ToppedUp(Result):
    """A top-up that was recorded."""

    agent_id: str
    amount_usd: str
    new_balance_usd: str
    ledger_entry_id: str
    audit_event_id: str


async def get_wallet(ask: Asking, asked: OfAgent) -> WalletFound:
    """See what is in a wallet. Raises NotFound."""
    agent_id = ask.agent(asked.agent_id)
    async with tenancy.tenant_transaction(
        ask.gateway.pools.app, ask.caller.tenant_id
    ) as connection:
        found = await purse.read(connection, ask.caller.tenant_id, agent_id)
    if found is None:
        raise absent.agent()
    return WalletFound.model_validate({"agent_id": str(agent_id), **purse.facts(found)})


async def topup_wallet(ask: Asking, asked: TopUp) -> ToppedUp:
    """Put money into a wallet, once that was confirmed. Raises NotFound and Invalid."""
    amount = _amount(asked.amount_usd)
    agent_id = ask.agent(asked.agent_id)
    if not asked.confirm:
        raise Invalid(
            f"This would put {money.usd(amount)} USD into the wallet. Nothing was moved; call again"
            " with confirm set to true if that is wanted.",
            param="confirm",
        )
    async with tenancy.tenant_transaction(
        ask.gateway.pools.app, ask.caller.tenant_id
    ) as connection:
        done = await wallet_actions.top_up(
            connection,
            ask.recorder(),
            tenant_id=ask.caller.tenant_id,
            place=agent_id,
            amount=amount,
        )
    return ToppedUp(
        agent_id=str(agent_id),
        amount_usd=money.usd(done.amount),
        new_balance_usd=money.usd(done.balance),
        ledger_entry_id=str(done.entry_id),
        audit_event_id=str(done.event_id),
    )


def _amount(value: str | float | Decimal) -> UsdMicros:
    amount = wallet_actions.parse_amount(value)
    if not TOP_UP_MIN <= amount <= TOP_UP_MAX:
        bounds = f"from {money.usd(TOP_UP_MIN)} to {money.usd(TOP_UP_MAX)}"
        raise Invalid(f"amount_usd must be {bounds} US dollars.", param="amount_usd")
    return amount
