"""Commands about the audit trail."""

from typing import TYPE_CHECKING

import click

from ainfera_server.cli import options

if TYPE_CHECKING:
    from ainfera_server.audit.chain import Verdict
    from ainfera_server.gateway import Gateway


@click.group()
def audit() -> None:
    """The audit trail: what happened, provably."""


@audit.command("verify")
@click.argument("agent")
@options.data_dir
@options.as_json
def verify(agent: str, data_dir: str | None, *, as_json: bool) -> None:
    """Check an agent's whole chain; exit code 4 when it does not hold.

    AGENT is its id, or its address without the host, `owner/agent`.
    """
    from ainfera_server.accounts import absent
    from ainfera_server.audit import store
    from ainfera_server.cli import database, found_agents, output
    from ainfera_server.cli.failures import NOT_VERIFIED, Failure
    from ainfera_server.postgres import tenancy

    async def work(gateway: "Gateway") -> "Verdict":
        found = await found_agents.named(gateway, agent)
        async with tenancy.tenant_transaction(gateway.pools.app, found.tenant_id) as connection:
            keys = await store.public_key_pems(connection)
            verdict = await store.verify(connection, found.agent_id, keys)
        if verdict is None:
            raise absent.agent()
        return verdict

    verdict = database.use(options.settings(data_dir=data_dir), work)
    row: dict[str, object] = {
        "valid": verdict.valid,
        "event_count": verdict.event_count,
        "head_hash": verdict.head.event_hash,
        "failure_seq": verdict.failure_seq,
        "failure_reason": verdict.failure_reason,
    }
    output.write([row], as_json=as_json)
    if not verdict.valid:
        raise Failure(
            f"The chain does not hold from event {verdict.failure_seq} on: "
            f"{verdict.failure_reason}.",
            exit_code=NOT_VERIFIED,
        )
