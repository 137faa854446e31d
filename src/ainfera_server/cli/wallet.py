"""Commands about wallets, and the pool that a tenant's agents share."""

from typing import TYPE_CHECKING

import click

from ainfera_server.cli import options

if TYPE_CHECKING:
    from ainfera_server.cli.found_agents import Found
    from ainfera_server.gateway import Gateway
    from ainfera_server.wallet.actions import Moved, ToppedUp
    from ainfera_server.wallet.purse import Purse

POOL = "pool"


@click.group()
def wallet() -> None:
    """Wallets: what agents pay with."""


@wallet.command("show")
@options.agent
@options.data_dir
@options.as_json
def show_wallet(agent: str, data_dir: str | None, *, as_json: bool) -> None:
    """Show what an agent has, in US dollars, and what is in the pool behind it."""
    from ainfera_server import money
    from ainfera_server.accounts import absent
    from ainfera_server.cli import database, found_agents, output
    from ainfera_server.postgres import tenancy
    from ainfera_server.wallet import purse

    async def work(gateway: "Gateway") -> "Purse":
        found = await found_agents.named(gateway, agent)
        async with tenancy.tenant_transaction(gateway.pools.app, found.tenant_id) as connection:
            has = await purse.read(connection, found.tenant_id, found.agent_id)
        if has is None:
            raise absent.agent()
        return has

    has = database.use(options.settings(data_dir=data_dir), work)
    row = {
        "agent": agent,
        **purse.amounts(has.wallet),
        "pool_available_usd": money.usd(has.pool.available),
    }
    output.write([row], as_json=as_json)


@wallet.command("top-up")
@click.argument("amount_usd")
@options.agent
@click.option("--pool", "is_for_pool", is_flag=True, help="Into the pool that stands behind it.")
@options.data_dir
@options.as_json
def top_up(
    amount_usd: str, agent: str, data_dir: str | None, *, is_for_pool: bool, as_json: bool
) -> None:
    """Put US dollars into an agent's wallet, such as 5 or 0.50."""
    from ainfera_server import money
    from ainfera_server.cli import database, found_agents, output
    from ainfera_server.postgres import tenancy
    from ainfera_server.wallet import actions

    amount = actions.parse_amount(amount_usd)

    async def work(gateway: "Gateway") -> "ToppedUp":
        found = await found_agents.named(gateway, agent)
        async with tenancy.tenant_transaction(gateway.pools.app, found.tenant_id) as connection:
            return await actions.top_up(
                connection,
                database.recorder(gateway),
                tenant_id=found.tenant_id,
                place=None if is_for_pool else found.agent_id,
                amount=amount,
            )

    done = database.use(options.settings(data_dir=data_dir), work)
    row = {
        "agent": agent,
        "wallet": POOL if is_for_pool else agent,
        "amount_usd": money.usd(done.amount),
        "balance_usd": money.usd(done.balance),
        "event_id": done.event_id,
    }
    output.write([row], as_json=as_json)


@wallet.command("move")
@click.argument("amount_usd")
@click.option(
    "--from", "source", required=True, metavar="AGENT", help="An agent, or `pool`: who gives."
)
@click.option(
    "--to", "destination", required=True, metavar="AGENT", help="An agent, or `pool`: who gets."
)
@options.data_dir
@options.as_json
def move(
    amount_usd: str, source: str, destination: str, data_dir: str | None, *, as_json: bool
) -> None:
    """Move US dollars between two wallets of a tenant, or between a wallet and the pool behind it.

    What running calls hold stays until they end.
    """
    from ainfera_server import money
    from ainfera_server.accounts import absent
    from ainfera_server.cli import database, output
    from ainfera_server.errors import Invalid
    from ainfera_server.postgres import tenancy
    from ainfera_server.wallet import actions

    amount = actions.parse_amount(amount_usd)

    async def work(gateway: "Gateway") -> "Moved":
        places = [await _place(gateway, source), await _place(gateway, destination)]
        agents = [place for place in places if place is not None]
        if not agents:
            raise Invalid("One of --from and --to is an agent; its tenant's pool is meant.")
        if len({place.tenant_id for place in agents}) > 1:
            raise absent.agent()
        tenant_id = agents[0].tenant_id
        giving, getting = (None if place is None else place.agent_id for place in places)
        async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
            return await actions.move(
                connection,
                database.recorder(gateway),
                tenant_id=tenant_id,
                source=giving,
                destination=getting,
                amount=amount,
            )

    done = database.use(options.settings(data_dir=data_dir), work)
    row = {
        "from": source,
        "to": destination,
        "amount_usd": money.usd(done.amount),
        "from_balance_usd": money.usd(done.source_balance),
        "to_balance_usd": money.usd(done.destination_balance),
        "transfer_id": done.transfer_id,
    }
    output.write([row], as_json=as_json)


async def _place(gateway: "Gateway", name: str) -> "Found | None":
    """The agent that is meant; None for the pool."""
    from ainfera_server.cli import found_agents

    return None if name == POOL else await found_agents.named(gateway, name)
