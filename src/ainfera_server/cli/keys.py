"""Commands about API keys."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from ainfera_server.cli import options

if TYPE_CHECKING:
    from ainfera_server.accounts.api_keys import KeyScope
    from ainfera_server.accounts.store import ListedKey
    from ainfera_server.gateway import Gateway


@click.group()
def keys() -> None:
    """API keys: what a client calls with."""


@keys.command("create")
@options.agent
@click.option(
    "--name",
    default="from the command line",
    show_default=True,
    callback=options.not_empty,
    help="A name for it.",
)
@click.option(
    "--scope",
    type=click.Choice(["owner", "inference"]),
    default="owner",
    show_default=True,
    help="`owner` may change everything; `inference` may ask for its own agent, and read.",
)
@options.data_dir
@options.as_json
def create_key(
    agent: str, name: str, scope: "KeyScope", data_dir: str | None, *, as_json: bool
) -> None:
    """Make a key and print it; it is not stored and cannot be shown again."""
    from ainfera_server.accounts import actions
    from ainfera_server.accounts.actions import CreatedKey
    from ainfera_server.cli import database, found_agents, output
    from ainfera_server.postgres import tenancy

    async def work(gateway: "Gateway") -> CreatedKey:
        found = await found_agents.named(gateway, agent)
        async with tenancy.tenant_transaction(gateway.pools.app, found.tenant_id) as connection:
            return await actions.create_key(
                connection,
                database.minting(gateway),
                agent_id=found.agent_id,
                name=name,
                scope=scope,
            )

    created = database.use(options.settings(data_dir=data_dir), work)
    if as_json:
        output.write([{"api_key": created.presented, **_row(created.listed)}], as_json=True)
    else:
        click.echo(created.presented)


@keys.command("list")
@options.agent
@options.data_dir
@options.as_json
def list_keys(agent: str, data_dir: str | None, *, as_json: bool) -> None:
    """List the keys of the agent's tenant, newest first; never the keys themselves."""
    from ainfera_server.accounts import store
    from ainfera_server.cli import database, found_agents, output
    from ainfera_server.postgres import tenancy

    async def work(gateway: "Gateway") -> "tuple[ListedKey, ...]":
        found = await found_agents.named(gateway, agent)
        async with tenancy.tenant_transaction(gateway.pools.app, found.tenant_id) as connection:
            return await store.api_keys(connection, found.tenant_id)

    listed = database.use(options.settings(data_dir=data_dir), work)
    output.write([_row(one) for one in listed], as_json=as_json)


@keys.command("revoke")
@click.argument("key_id")
@options.data_dir
@options.as_json
def revoke_key(key_id: str, data_dir: str | None, *, as_json: bool) -> None:
    """Withdraw a key by its id; a running server stops believing it within seconds."""
    from ainfera_server.accounts import absent, actions, store
    from ainfera_server.accounts.api_keys import KeyId
    from ainfera_server.cli import database, output
    from ainfera_server.identifiers import Cell
    from ainfera_server.postgres import tenancy

    async def work(gateway: "Gateway") -> "ListedKey":
        try:
            cell = Cell(int(key_id[:2], 16))
        except ValueError:
            raise absent.api_key() from None
        async with tenancy.key_transaction(gateway.pools.app, key_id) as connection:
            known = await store.presented_key(connection, cell, KeyId(key_id))
        if known is None:
            raise absent.api_key()
        async with tenancy.tenant_transaction(gateway.pools.app, known.tenant_id) as connection:
            return await actions.revoke_key(
                connection, database.recorder(gateway), cell=cell, key_id=known.key_id
            )

    revoked = database.use(options.settings(data_dir=data_dir), work)
    output.write([_row(revoked)], as_json=as_json)


def _row(key: "ListedKey") -> Mapping[str, object]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "scope": key.scope,
        "last_four": key.last_four,
        "agent_id": key.agent_id,
        "created_at": key.created_at.isoformat(timespec="seconds"),
        "revoked_at": (
            None if key.revoked_at is None else key.revoked_at.isoformat(timespec="seconds")
        ),
    }
