"""The export for auditors over HTTP: as JSON, or as a report to read and print."""

from typing import Annotated, Literal, cast

from fastapi import Query, Request
from fastapi.responses import Response

from ainfera_server.accounts import absent
from ainfera_server.api import annex_iv_page, answers, audit, ids
from ainfera_server.api.answers import Shown
from ainfera_server.api.given import Caller, Opened
from ainfera_server.audit import annex_iv
from ainfera_server.identifiers import AgentId
from ainfera_server.postgres import tenancy
from ainfera_server.usage import annex_iv as records

Format = Literal["json", "html"]


async def export(
    request: Request,
    gateway: Opened,
    caller: Caller,
    agent_id: str,
    form: Annotated[Format | None, Query(alias="format")] = None,
) -> Response:
    """Export what the EU AI Act asks to be kept about an agent (Article 12, Annex IV).

    `format=html`, or a browser that asks for HTML, gets a report that can be printed.
    """
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    now = gateway.now()
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        record = await records.record(
            connection,
            wanted,
            public_key_pems=await audit.public_key_pems(connection, gateway),
            now=now,
        )
    document = annex_iv.document(record, generated_at=now, url=gateway.public_url)
    if (form or _accepted(request)) == "json":
        return answers.json(cast("dict[str, Shown]", document))
    page = annex_iv_page.rendered(document)
    return Response(page, media_type="text/html", headers=dict(annex_iv_page.HEADERS))


def _accepted(request: Request) -> Format:
    return "html" if "text/html" in request.headers.get("accept", "") else "json"
