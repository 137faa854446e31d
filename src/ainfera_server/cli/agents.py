"""Commands about agents."""

import click

from ainfera_server.cli import options


@click.group()
def agents() -> None:
    """Agents: who acts and pays."""


@agents.command("list")
@options.data_dir
@options.as_json
def list_agents(data_dir: str | None, *, as_json: bool) -> None:
    """List the agents of every tenant, oldest first."""
    from ainfera_server.cli import database, found_agents, output

    found = database.use(options.settings(data_dir=data_dir), found_agents.every_agent)
    rows = [
        {
            "agent_id": one.agent_id,
            "address": one.address,
            "name": one.name,
            "status": one.status,
            "tenant_id": one.tenant_id,
            "created_at": one.created_at.isoformat(timespec="seconds"),
        }
        for one in found
    ]
    output.write(rows, as_json=as_json)
