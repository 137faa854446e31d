"""Commands about wallets."""

from typing import TYPE_CHECKING

import click

from ainfera_server.cli import options

if TYPE_CHECKING:
    from ainfera_server.gateway import Gateway
    from ainfera_server.wallet.ledger import Account


@click.group()
def wallet() -> None:
    """Wallets: what agents pay with."""


@wallet.command("show")
@options.agent
@options.data_dir
@options.as_json
def show_wallet(agent: str, data_dir: str | None, *, as_json: bool) -> None:
    """Show what an agent has, in US dollars."""
    from ainfera_server import money
    from ainfera_server.accounts import absent
    from ainfera_server.cli import database, found_agents, output
    from ainfera_server.postgres import tenancy
    from ainfera_server.wallet import store

    async def work(gateway: "Gateway") -> "Account":
        found = await found_agents.named(gateway, agent)
        async with tenancy.tenant_transaction(gateway.pools.app, found.tenant_id) as connection:
            account = await store.wallet(connection, found.agent_id)
        if account is None:
            raise absent.agent()
        return account

    account = database.use(options.settings(data_dir=data_dir), work)
    row = {
        "agent": agent,
        "balance_usd": money.usd(account.balance),
        "held_usd": money.usd(account.held),
        "available_usd": money.usd(account.available),
    }
    output.write([row], as_json=as_json)


@wallet.command("top-up")
@click.argument("amount_usd")
@options.agent
@options.data_dir
@options.as_json
def top_up(amount_usd: str, agent: str, data_dir: str | None, *, as_json: bool) -> None:
    """Put US dollars into an agent's wallet, such as 5 or 0.50."""
    from ainfera_server import money
    from ainfera_server.cli import database, found_agents, output
    from ainfera_server.postgres import tenancy
    from ainfera_server.wallet import actions
    from ainfera_server.wallet.actions import ToppedUp

    amount = actions.parse_top_up(amount_usd)

    async def work(gateway: "Gateway") -> ToppedUp:
        found = await found_agents.named(gateway, agent)
        async with tenancy.tenant_transaction(gateway.pools.app, found.tenant_id) as connection:
            return await actions.top_up(
                connection,
                database.recorder(gateway),
                tenant_id=found.tenant_id,
                agent_id=found.agent_id,
                amount=amount,
            )

    done = database.use(options.settings(data_dir=data_dir), work)
    row = {
        "agent": agent,
        "amount_usd": money.usd(done.amount),
        "balance_usd": money.usd(done.balance),
        "event_id": done.event_id,
    }
    output.write([row], as_json=as_json)
