"""The export for auditors: one agent's record in the order of the EU AI Act's Annex IV.

It is made of what the chain, the receipts and the accounts hold, and has no prompt and no answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from ainfera_server import money
from ainfera_server.audit import events
from ainfera_server.audit.chain import Link, Verdict
from ainfera_server.conversation import Json
from ainfera_server.identifiers import InferenceId, ReceiptId
from ainfera_server.money import UsdMicros

SCHEMA = "ainfera.annex-iv/2"
REGULATION = "EU AI Act (Regulation (EU) 2024/1689), Article 12 and Annex IV"
SYSTEM_DESCRIPTION = (
    "Ainfera sends each request of the agent to a model offer. A request to choose goes to the"
    " cheapest offer that clears the quality floor and every limit of its owner, by a"
    " deterministic rule; a request for one model goes to that model. Each call is paid from a"
    " prepaid wallet and leaves a signed receipt and hash-chained events."
)
NOT_COVERED: tuple[Mapping[str, Json], ...] = (
    {"annex_iv": "1(a)", "what": "the intended purpose of the system that the agent is part of"},
    {"annex_iv": "2(d)", "what": "how the models behind the offers were trained, and on what"},
    {"annex_iv": "5", "what": "the risk management system of Article 9"},
    {"annex_iv": "7", "what": "the harmonised standards that were applied"},
    {"annex_iv": "8", "what": "the EU declaration of conformity"},
    {"annex_iv": "9", "what": "the post-market monitoring plan of Article 72"},
)
"""What the regulation asks for and only the provider of the whole system can write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """How often something was used, for the first and for the last time."""

    name: str
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """The calls that came to one end: how many, and what they cost."""

    status: str
    calls: int
    cost: UsdMicros
    first_began_at: datetime
    last_began_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One call. What is not known before its end is None."""

    inference_id: InferenceId
    status: str
    model_asked: str
    model_slug: str
    provider: str
    price_book_version: str
    cost: UsdMicros | None
    receipt_id: ReceiptId | None
    began_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruleset:
    """The rules that chose, and how often they did."""

    ruleset_hash: str
    decisions: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key of the server's under this chain; the PEM is None for one that is not on record."""

    key_id: str
    algorithm: str | None
    public_key_pem: str | None
    events: int
    first_seq: int
    last_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """A change of the owner's limits; `payload` is the text of its event."""

    seq: int
    changed_at: datetime
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The newest signed head of the public log."""

    size: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the export is made of; `newest_uses` and `links` are as much as fits.

    `checkpoint` is None before the log has one. `contents` says what is kept of prompts and
    answers.
    """

    agent: Mapping[str, Json]
    tenant: Mapping[str, Json]
    owner_contact: str | None
    registered_at: datetime
    spend_policy: Mapping[str, Json]
    policy_changes: Sequence[PolicyChange]
    models_used: Sequence[Mapping[str, Json]]
    uses: Sequence[Uses]
    newest_uses: Sequence[Use]
    price_books: Sequence[Span]
    rulesets: Sequence[Ruleset]
    receipts: Sequence[Span]
    card_keys: Sequence[Mapping[str, Json]]
    signing_keys: Sequence[SigningKey]
    event_types: Mapping[str, int]
    first_hash: str | None
    last_hash: str | None
    height: int
    verdict: Verdict
    checkpoint: Checkpoint | None
    links: Sequence[Link]
    contents: str


def document(record: Record, *, generated_at: datetime, url: str) -> dict[str, Json]:
    """Write the export; what does not fit is at `events_url`, below the server's `url`."""
    agent_id = record.agent["agent_id"]
    return {
        "schema": SCHEMA,
        "generated_at": events.timestamp(generated_at),
        "regulation": REGULATION,
        "system_description": SYSTEM_DESCRIPTION,
        "agent": dict(record.agent),
        "tenant": dict(record.tenant),
        "natural_persons": _persons(record),
        "period_of_use": _period(record),
        "policy": {
            "spend": dict(record.spend_policy),
            "spend_history": [_policy_change(one) for one in record.policy_changes],
            "routing": {"name": "quality_floor_then_min_cost", "semver": "1.0.0"},
        },
        "reference_data": {
            "price_books": [_span(one, "version", "calls") for one in record.price_books],
            "routing_rules": [_ruleset(one) for one in record.rulesets],
        },
        "models_used": [dict(one) for one in record.models_used],
        "uses": _uses(record),
        "receipts": {
            "count": sum(one.count for one in record.receipts),
            "by_signing_key": [_span(one, "key_id", "receipts") for one in record.receipts],
        },
        "keys": {
            "cards": [dict(one) for one in record.card_keys],
            "signing": [_signing_key(one) for one in record.signing_keys],
        },
        "audit_summary": _summary(record),
        "log_checkpoint": _checkpoint(record),
        "verification": {
            "chain_url": f"{url}/v1/audit/{agent_id}/verify",
            "export_url": f"{url}/v1/audit/{agent_id}/export",
            "public_keys_url": f"{url}/.well-known/ainfera-public-key.json",
            "command": "ainfera-server verify FILE",
        },
        "events": [event(one) for one in record.links],
        "events_url": f"{url}/v1/audit/{agent_id}",
        "retention": {
            "prompts_and_answers": record.contents,
            "events_and_receipts": "append-only, kept until the operator removes the database",
        },
        "not_covered": [dict(one) for one in NOT_COVERED],
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
        "created_at": events.timestamp(link.created_at),
    }


def _persons(record: Record) -> list[Json]:
    """Whom to ask: the record knows the owner, and nobody who only uses the agent."""
    return [
        {
            "role": "owner",
            "handle": record.tenant["owner_handle"],
            "identified_by": record.tenant["owner_source"],
            "contact": record.owner_contact,
        }
    ]


def _period(record: Record) -> dict[str, Json]:
    began = [one.first_began_at for one in record.uses]
    last_began = [one.last_began_at for one in record.uses]
    return {
        "registered_at": events.timestamp(record.registered_at),
        "first_use_at": events.timestamp(min(began)) if began else None,
        "last_use_at": events.timestamp(max(last_began)) if last_began else None,
    }


def _uses(record: Record) -> dict[str, Json]:
    return {
        "calls": sum(one.calls for one in record.uses),
        "cost_usd": money.usd(UsdMicros(sum(one.cost for one in record.uses))),
        "by_status": [
            {"status": one.status, "calls": one.calls, "cost_usd": money.usd(one.cost)}
            for one in record.uses
        ],
        "newest": [_use(one) for one in record.newest_uses],
    }


def _use(one: Use) -> dict[str, Json]:
    return {
        "inference_id": str(one.inference_id),
        "began_at": events.timestamp(one.began_at),
        "ended_at": None if one.ended_at is None else events.timestamp(one.ended_at),
        "status": one.status,
        "model_asked": one.model_asked,
        "model_served": one.model_slug,
        "provider": one.provider,
        "price_book_version": one.price_book_version,
        "cost_usd": None if one.cost is None else money.usd(one.cost),
        "receipt_id": None if one.receipt_id is None else str(one.receipt_id),
    }


def _policy_change(one: PolicyChange) -> dict[str, Json]:
    said: Mapping[str, Json] = orjson.loads(one.payload)
    return {
        "seq": one.seq,
        "changed_at": events.timestamp(one.changed_at),
        "before": said.get("before"),
        "after": said.get("after"),
    }


def _span(one: Span, name: str, counted: str) -> dict[str, Json]:
    return {
        name: one.name,
        counted: one.count,
        "first_at": events.timestamp(one.first_at),
        "last_at": events.timestamp(one.last_at),
    }


def _ruleset(one: Ruleset) -> dict[str, Json]:
    return {
        "ruleset_hash": one.ruleset_hash,
        **_span(one.decisions, "policy_version", "decisions"),
    }


def _signing_key(one: SigningKey) -> dict[str, Json]:
    return {
        "kid": one.key_id,
        "alg": one.algorithm,
        "public_key_pem": one.public_key_pem,
        "events": one.events,
        "first_seq": one.first_seq,
        "last_seq": one.last_seq,
    }


def _summary(record: Record) -> dict[str, Json]:
    return {
        "event_count": record.height,
        "events_by_type": dict(record.event_types),
        "first_event_hash": record.first_hash,
        "last_event_hash": record.last_hash,
        "valid": record.verdict.valid,
        "failure_seq": record.verdict.failure_seq,
        "failure_reason": record.verdict.failure_reason,
    }


def _checkpoint(record: Record) -> dict[str, Json] | None:
    found = record.checkpoint
    return None if found is None else {"size": found.size, "note": found.note}
