"""Receipts: the signed proof of one inference or refusal, with all that it takes to check it."""

from collections.abc import Mapping
from typing import cast
from uuid import UUID

import msgspec
import orjson
from fastapi.responses import Response

from ainfera_server import identifiers
from ainfera_server.accounts import absent
from ainfera_server.api import audit, ids
from ainfera_server.api.given import Caller, Opened
from ainfera_server.audit import exporting
from ainfera_server.audit import store as audit_store
from ainfera_server.audit.chain import Link
from ainfera_server.audit.events import EventType
from ainfera_server.audit.evidence import exhibits
from ainfera_server.audit.evidence.exhibits import DecisionTexts
from ainfera_server.audit.public_log import log_store
from ainfera_server.audit.public_log.log import InclusionProof
from ainfera_server.conversation import Json
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId
from ainfera_server.inference import store as inference_store
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Connection, Row


async def get_receipt(gateway: Opened, caller: Caller, receipt_id: str) -> Response:
    """Read a receipt: what it says, the text that was signed, and what proves it offline."""
    wanted = ids.parsed(receipt_id, absent.receipt)
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        row = await inference_store.receipt(connection, wanted)
        if row is None:
            raise absent.receipt()
        document = {**_shown(gateway, row), **await _evidence(connection, gateway, row)}
    return Response(msgspec.json.encode(document), media_type="application/json")


def _shown(gateway: Gateway, row: Row) -> Mapping[str, Json]:
    """What a receipt says, for easy reading; the published client reads `cost_usd` as a number."""
    said = cast("dict[str, Json]", orjson.loads(row["body"]))
    return {
        "format": exhibits.RECEIPT_DOCUMENT,
        **said,
        "audit_url": f"{gateway.public_url}/v1/audit/{row['agent_id']}",
        "cost_usd": float(str(said["cost_usd"])),
        "model": said["model_served"],
    }


async def _evidence(connection: Connection, gateway: Gateway, row: Row) -> Mapping[str, object]:
    agent_id = AgentId(row["agent_id"])
    about = [one for one in (row["inference_id"], row["receipt_id"]) if one is not None]
    links = await audit_store.links_about(connection, agent_id, about)
    identity = await log_store.identity(connection)
    return {
        "signed_text": row["body"],
        "key_id": row["key_id"],
        "signature": row["signature"],
        "decision": await _decision(connection, row["decision_id"]),
        "events": [exporting.event(link) for link in links],
        **exporting.inclusion(await _proof(connection, agent_id, links)),
        "public_keys": exporting.public_keys(await audit.public_key_pems(connection, gateway)),
        "log_keys": [] if identity is None else [identity.verifier_key],
    }


async def _decision(connection: Connection, decision_id: UUID | None) -> DecisionTexts | None:
    """The decision behind a receipt; None for a call that named its model."""
    if decision_id is None:
        return None
    cell = identifiers.cell_of(decision_id)
    (kept,) = await audit_store.decision_snapshots(connection, cell, [decision_id])
    return exporting.decision(kept)


async def _proof(
    connection: Connection, agent_id: AgentId, links: tuple[Link, ...]
) -> InclusionProof | None:
    """That the log has the event that commits to the receipt; None while nothing covers it."""
    created = [link for link in links if link.event_type == EventType.RECEIPT_CREATED]
    if not created:
        return None
    height = await audit_store.place_in_log(connection, agent_id, created[-1].seq)
    return (await log_store.proofs(connection, [height]))[height]
