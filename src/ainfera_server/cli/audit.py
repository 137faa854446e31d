"""Commands about the audit trail."""

from typing import TYPE_CHECKING

import click

from ainfera_server.cli import options

if TYPE_CHECKING:
    from ainfera_server.audit.chain import Verdict
    from ainfera_server.conversation import Json
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


@audit.command("annex-iv")
@click.argument("agent")
@click.option(
    "--html",
    "html_file",
    type=click.Path(dir_okay=False, writable=True),
    metavar="FILE",
    help="Write a report to read and print there, instead of JSON to the terminal.",
)
@options.data_dir
def annex_iv(agent: str, html_file: str | None, data_dir: str | None) -> None:
    """Export what the EU AI Act asks to be kept about an agent (Article 12, Annex IV).

    AGENT is its id, or its address without the host, `owner/agent`.
    """
    from pathlib import Path

    import orjson

    from ainfera_server.api import annex_iv_page
    from ainfera_server.audit import annex_iv as documents
    from ainfera_server.audit import store
    from ainfera_server.cli import database, found_agents
    from ainfera_server.postgres import tenancy
    from ainfera_server.usage import annex_iv as records

    async def work(gateway: "Gateway") -> "dict[str, Json]":
        found = await found_agents.named(gateway, agent)
        now = gateway.now()
        async with tenancy.tenant_transaction(gateway.pools.app, found.tenant_id) as connection:
            keys = await store.public_key_pems(connection)
            record = await records.record(connection, found.agent_id, public_key_pems=keys, now=now)
        return documents.document(record, generated_at=now, url=gateway.public_url)

    document = database.use(options.settings(data_dir=data_dir), work)
    if html_file is None:
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    else:
        Path(html_file).write_text(annex_iv_page.rendered(document), encoding="utf-8")
