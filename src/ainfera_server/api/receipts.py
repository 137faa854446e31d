"""Receipts: the signed proof of one inference."""

from typing import cast

import orjson
from fastapi.responses import Response

from ainfera_server.accounts import absent
from ainfera_server.api import answers, ids
from ainfera_server.api.answers import Shown
from ainfera_server.api.given import Caller, Opened
from ainfera_server.gateway import Gateway
from ainfera_server.inference import store as inference_store
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Row


async def get_receipt(gateway: Opened, caller: Caller, receipt_id: str) -> Response:
    """Read a receipt: what it says, the exact text that was signed, and the signature."""
    wanted = ids.parsed(receipt_id, absent.receipt)
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        row = await inference_store.receipt(connection, wanted)
    if row is None:
        raise absent.receipt()
    return answers.json(_receipt(gateway, row))


def _receipt(gateway: Gateway, row: Row) -> dict[str, Shown]:
    """A receipt; the published client reads `cost_usd` as a number."""
    body: str = row["body"]
    said = cast("dict[str, Shown]", orjson.loads(body))
    return {
        **said,
        "audit_url": f"{gateway.public_url}/v1/audit/{row['agent_id']}",
        "cost_usd": float(str(said["cost_usd"])),
        "model": said["model_served"],
        "signed_text": body,
        "key_id": row["key_id"],
        "signature": row["signature"],
    }
