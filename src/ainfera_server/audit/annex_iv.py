"""The export for auditors: one agent's record in the order of the EU AI Act, Annex IV.

It is made of what the chain and the accounts hold, and holds no prompt and no answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from ainfera_server.audit import events
from ainfera_server.audit.chain import Link, Verdict
from ainfera_server.conversation import Json

SCHEMA = "ainfera.annex_iv"
SCHEMA_VERSION = "1.0"
REGULATION = "Regulation (EU) 2024/1689 (AI Act), Article 12 and Annex IV"
SYSTEM_DESCRIPTION = (
    "Ainfera sends each inference of the agent to the cheapest offer that clears the quality floor "
    "within the owner's budget, or to the model that the agent names; pays for it from a prepaid "
    "wallet; and records decision, payment and answer as signed, hash-chained events."
)
RETENTION = (
    "Events, receipts and ledger entries are kept without end and are never changed. "
    "The chain holds hashes, ids and amounts; prompts and answers are not part of it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the document is made of: `links` are a page of the chain, `verdict` is on all of it.

    `first_hash` and `last_hash` are None for an empty chain.
    """

    agent: Mapping[str, Json]
    tenant: Mapping[str, Json]
    policy: Mapping[str, Json]
    models_used: Sequence[Mapping[str, Json]]
    verdict: Verdict
    first_hash: str | None
    last_hash: str | None
    links: Sequence[Link]


def document(record: Record, *, generated_at: datetime) -> dict[str, Json]:
    """Write the export."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "regulation": REGULATION,
        "generated_at": events.timestamp(generated_at),
        "agent": dict(record.agent),
        "tenant": dict(record.tenant),
        "system_description": SYSTEM_DESCRIPTION,
        "policy": dict(record.policy),
        "models_used": [dict(model) for model in record.models_used],
        "audit_summary": _summary(record),
        "events": [event(link) for link in record.links],
        "next_since_seq": _next_since_seq(record),
        "retention": RETENTION,
    }


def event(link: Link) -> dict[str, Json]:
    """A link as it is served, its payload parsed."""
    return {
        "id": str(link.event_id),
        "agent_id": str(link.agent_id),
        "seq": link.seq,
        "event_type": link.event_type,
        "payload": orjson.loads(link.payload),
        "previous_hash": link.previous_hash,
        "prev_hash": link.previous_hash,
        "event_hash": link.event_hash,
        "key_id": link.key_id,
        "signature": link.signature,
        "signature_status": "signed",
        "created_at": events.timestamp(link.created_at),
    }


def _summary(record: Record) -> dict[str, Json]:
    return {
        "event_count": record.verdict.event_count,
        "valid": record.verdict.valid,
        "failure_seq": record.verdict.failure_seq,
        "failure_reason": record.verdict.failure_reason,
        "first_hash": record.first_hash,
        "last_hash": record.last_hash,
    }


def _next_since_seq(record: Record) -> int | None:
    """Where the next page of events begins; None when this one reaches the end."""
    if not record.links or record.links[-1].seq >= record.verdict.event_count:
        return None
    return record.links[-1].seq
