"""Changes of money that are safe to ask for again: one key, one transfer, one answer."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.responses import Response

from ainfera_server.api import answers
from ainfera_server.api.answers import Shown
from ainfera_server.api.given import Caller, Opened
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import TenantId
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Connection
from ainfera_server.wallet import repeats
from ainfera_server.wallet.repeats import Repeatable

Key = Annotated[
    str | None,
    Header(
        alias="idempotency-key",
        description="1 to 255 printable characters. The same key with the same body gives the"
        " first answer for at least a day, and nothing moves twice.",
    ),
]


async def _repeatable(
    request: Request, gateway: Opened, caller: Caller, key: Key = None
) -> Repeatable | None:
    if key is None:
        return None
    tenant_id = caller.tenant_id
    return Repeatable(
        tenant_id=tenant_id,
        scope=repeats.scope(tenant_id=tenant_id, route=request.scope["path"], key=key),
        body_hash=hashlib.sha256(await request.body()).hexdigest(),
        sealing_key=gateway.keyring.sealing_key,
        random=gateway.random,
    )


Repeats = Annotated[Repeatable | None, Depends(_repeatable)]
"""Under which key a request may be repeated; None when it carries none."""


async def answered(
    gateway: Gateway,
    tenant_id: TenantId,
    asked: Repeatable | None,
    change: Callable[[Connection], Awaitable[Shown]],
) -> Response:
    """Carry out a change, or give the answer that it got when it was carried out before."""
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        if asked is None:
            return answers.json(await change(connection), status=201)
        known = await repeats.answered(connection, asked)
        if known is not None:
            return Response(
                known,
                status_code=201,
                media_type="application/json",
                headers={"idempotent-replayed": "true"},
            )
        answer = answers.json(await change(connection), status=201)
        await repeats.keep(connection, asked, bytes(answer.body))
    return answer
