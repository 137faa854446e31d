"""Files of evidence for tests, with every ending of a call in them, made without a server."""

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
import orjson

from ainfera_server.audit import chain, exporting, receipts, signing
from ainfera_server.audit.chain import GENESIS, Link
from ainfera_server.audit.events import Event, EventType
from ainfera_server.audit.evidence.exhibits import CHAIN_EXPORT, LOG_EXPORT, RECEIPT_DOCUMENT
from ainfera_server.audit.evidence.trust import Keys
from ainfera_server.audit.public_log import log, merkle, notes
from ainfera_server.audit.public_log.log import InclusionProof
from ainfera_server.audit.public_log.notes import Checkpoint
from ainfera_server.audit.receipts import Receipt
from ainfera_server.audit.signing import Signer
from ainfera_server.audit.store import KeptDecision
from ainfera_server.conversation import Json, Usage
from ainfera_server.identifiers import (
    AgentId,
    DecisionId,
    EventId,
    InferenceId,
    ReceiptId,
    TenantId,
    TransferId,
)
from ainfera_server.money import UsdMicros, UsdMicrosPerMtok
from ainfera_server.routing import decide
from ainfera_server.routing import decision as decisions
from ainfera_server.routing import snapshot as snapshots
from tests.routing import anchors

SIGNER = signing.signer(b"e" * 32)
LOG_SIGNER = signing.signer(b"l" * 32)
ORIGIN = "ainfera.example/log"
LOG_KEY = notes.log_key(ORIGIN, LOG_SIGNER).text
KEYS = Keys(pems={SIGNER.key_id: SIGNER.public_key_pem}, log_keys=(LOG_KEY,))
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
STRANGER = "f" * 64

SNAPSHOT = snapshots.encode(anchors.snapshot(anchors.anchors(), anchors.asking()))
DECIDED = decide.decide(snapshots.decode(SNAPSHOT))
DECISION = decisions.encode(DECIDED)
DECISION_HASH = hashlib.sha256(SNAPSHOT + DECISION).hexdigest()
OFFER = str(DECIDED.chosen_model_slug)
SECOND = DECIDED.order[1].model_slug

Document = dict[str, Any]
Story = Sequence[tuple[EventType, dict[str, Json]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """An agent's chain with its receipts, and the log in which it stands among others' events."""

    agent_id: AgentId
    tenant_id: TenantId
    links: tuple[Link, ...]
    receipts: tuple[Receipt, ...]
    entries: tuple[bytes, ...]
    indexes: tuple[int, ...]
    note: str


@cache
def of(length: int, *, agent: int = 7, signer: Signer = SIGNER) -> Evidence:
    """A chain of so many events; one that is asked for again is the same."""
    agent_id, tenant_id = AgentId(UUID(int=agent << 8)), TenantId(UUID(int=(agent << 8) + 1))
    told = itertools.islice(_told(agent_id, tenant_id, length), length)
    links: list[Link] = []
    found: list[Receipt] = []
    head = GENESIS
    for number, (event_type, facts, receipt) in enumerate(told, start=1):
        committed: dict[str, Json] = {}
        if receipt is not None:
            found.append(receipt)
            committed = {"receipt_sha256": receipts.sign(receipt, signer).sha256}
        event = Event(
            event_id=EventId(UUID(int=(number << 64) + agent)),
            tenant_id=tenant_id,
            agent_id=agent_id,
            event_type=event_type,
            facts={**facts, **committed},
            created_at=MOMENT + timedelta(seconds=number),
        )
        links.append(chain.link(head, event, signer))
        head = links[-1].head
    return _logged(agent_id, tenant_id, tuple(links), tuple(found))


def chain_export(evidence: Evidence, *, signer: Signer = SIGNER) -> Document:
    """The export with receipts, as the server writes it."""
    end = exporting.end(
        evidence.links[-1].head,
        agent_id=evidence.agent_id,
        tenant_id=evidence.tenant_id,
        now=MOMENT,
        by=signer,
    )
    last = len(evidence.links) - 1
    document = {
        "format": CHAIN_EXPORT,
        "agent_id": str(evidence.agent_id),
        "public_keys": exporting.public_keys({signer.key_id: signer.public_key_pem}),
        "log_keys": [LOG_KEY],
        "end": end,
        **exporting.inclusion(_proof(evidence, last)),
        "inclusion_seq": last + 1,
        "events": [exporting.event(link) for link in evidence.links],
        "receipts": [_signed(one, signer) for one in evidence.receipts],
        "decisions": [_decision(one) for one in evidence.receipts if one.decision_id],
    }
    return orjson.loads(msgspec.json.encode(document))


def receipt_document(evidence: Evidence, place: int, *, signer: Signer = SIGNER) -> Document:
    """One of the receipts, as the server serves it."""
    receipt = evidence.receipts[place]
    said = orjson.loads(receipts.encode(receipt))
    about = {str(one) for one in (receipt.inference_id, receipt.receipt_id) if one is not None}
    links = [
        link
        for link in evidence.links
        if about & {str(value) for value in orjson.loads(link.payload).values()}
    ]
    document = {
        "format": RECEIPT_DOCUMENT,
        **said,
        "audit_url": f"https://ainfera.example/v1/audit/{evidence.agent_id}",
        "cost_usd": float(said["cost_usd"]),
        "model": said["model_served"],
        **msgspec.to_builtins(_signed(receipt, signer)),
        "decision": _decision(receipt) if receipt.decision_id else None,
        "events": [exporting.event(link) for link in links],
        **exporting.inclusion(_proof(evidence, links[-1].seq - 1)),
        "public_keys": exporting.public_keys({signer.key_id: signer.public_key_pem}),
        "log_keys": [LOG_KEY],
    }
    return orjson.loads(msgspec.json.encode(document))


def log_export(evidence: Evidence) -> Document:
    """The whole log."""
    return {
        "format": LOG_EXPORT,
        "log_keys": [LOG_KEY],
        "checkpoint": evidence.note,
        "entries": [entry.decode() for entry in evidence.entries],
        "leaf_hashes": [merkle.leaf_hash(entry).hex() for entry in evidence.entries],
    }


def _told(
    agent_id: AgentId, tenant_id: TenantId, length: int
) -> Iterator[tuple[EventType, dict[str, Json], Receipt | None]]:
    """Stories, one after the other; what has no room for its whole is a top-up instead."""
    told = 0
    yield EventType.AGENT_REGISTERED, {"handle": "scout"}, None
    for number in itertools.count(1):
        story, receipt = _story(number, agent_id, tenant_id)
        is_too_long = told + 1 + len(story) > length
        if is_too_long:
            yield EventType.WALLET_TOPPED_UP, {"amount_usd": "5.000000", "number": number}, None
            told += 1
            continue
        for event_type, facts in story:
            yield event_type, facts, receipt if event_type == EventType.RECEIPT_CREATED else None
        told += len(story)


def _story(number: int, agent_id: AgentId, tenant_id: TenantId) -> tuple[Story, Receipt]:
    delivered = _delivered(number, agent_id, tenant_id)
    match number % 6:
        case 1:
            return _of_delivery(delivered, [OFFER])
        case 2:
            part = replace(
                delivered, outcome="failed", billing_rule="part_delivered", failure="client_left"
            )
            return _of_delivery(replace(part, offer=SECOND, model_served=SECOND), [OFFER, SECOND])
        case 3:
            return _of_delivery(_pinned(delivered), [OFFER])
        case 4:
            return _of_failure(delivered, EventType.INFERENCE_FAILED)
        case 5:
            return _of_refusal(delivered)
        case _:
            return _of_failure(delivered, EventType.INFERENCE_EXPIRED)


def _delivered(number: int, agent_id: AgentId, tenant_id: TenantId) -> Receipt:
    """17 tokens in and 6 out at 2 and 6 dollars are 70 millionths, and 5 % of that are 4."""
    base = (agent_id.int << 32) + (number << 8)
    return Receipt(
        receipt_id=ReceiptId(UUID(int=base + 1)),
        inference_id=InferenceId(UUID(int=base + 2)),
        decision_id=DecisionId(UUID(int=base + 3)),
        tenant_id=tenant_id,
        agent_id=agent_id,
        outcome="succeeded",
        billing_rule="answer_delivered",
        decision_hash=DECISION_HASH,
        policy_version=DECIDED.policy_version,
        ruleset_hash=DECIDED.ruleset_hash,
        rule_fired=DECIDED.rule_fired,
        propensity="1",
        model_asked="ainfera-inference",
        model_served=OFFER,
        offer=OFFER,
        provider="mistral",
        usage=Usage(input_tokens=17, output_tokens=6, reasoning_tokens=2),
        usage_source="provider",
        prices={"input": UsdMicrosPerMtok(2_000_000), "output": UsdMicrosPerMtok(6_000_000)},
        price_book_version="book",
        cost=UsdMicros(74),
        provider_cost=UsdMicros(70),
        margin=UsdMicros(4),
        margin_rate=Decimal("0.05"),
        held=UsdMicros(20_017),
        paid_from="wallet",
        transfer_id=TransferId(UUID(int=base + 4)),
        prompt_hash=receipts.content_hash(b"salt", b"prompt"),
        response_hash=receipts.content_hash(b"salt", b"answer"),
        created_at=MOMENT + timedelta(seconds=number),
    )


def _pinned(receipt: Receipt) -> Receipt:
    return replace(
        receipt,
        decision_id=None,
        decision_hash=None,
        policy_version=None,
        ruleset_hash=None,
        rule_fired=None,
        propensity=None,
    )


def _undelivered(receipt: Receipt) -> Receipt:
    return replace(
        receipt,
        billing_rule="nothing_delivered",
        model_served=None,
        usage=None,
        usage_source=None,
        prices=None,
        cost=UsdMicros(0),
        provider_cost=UsdMicros(0),
        margin=UsdMicros(0),
        margin_rate=None,
        response_hash=None,
    )


def _of_delivery(receipt: Receipt, offers: Sequence[str]) -> tuple[Story, Receipt]:
    responded: dict[str, Json] = {
        "inference_id": str(receipt.inference_id),
        "provider": receipt.provider,
        "response_hash": receipt.response_hash,
        "usage_source": receipt.usage_source,
        "failure": receipt.failure,
        "input_tokens": 17,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "output_tokens": 6,
    }
    debited: dict[str, Json] = {
        "inference_id": str(receipt.inference_id),
        "transfer_id": str(receipt.transfer_id),
        "amount_usd": "0.000074",
        "held_usd": "0.020017",
    }
    return (
        *_routed(receipt, offers),
        (EventType.PROVIDER_RESPONDED, responded),
        (EventType.LEDGER_DEBITED, debited),
        _created(receipt),
    ), receipt


def _of_failure(delivered: Receipt, event_type: EventType) -> tuple[Story, Receipt]:
    is_failure = event_type == EventType.INFERENCE_FAILED
    receipt = replace(
        _undelivered(delivered),
        outcome="failed" if is_failure else "expired",
        failure="unavailable" if is_failure else "expired",
    )
    told: dict[str, Json] = {
        "inference_id": str(receipt.inference_id),
        "transfer_id": str(receipt.transfer_id),
        "failure": receipt.failure,
    }
    return (*_routed(receipt, [OFFER]), (event_type, told), _created(receipt)), receipt


def _of_refusal(delivered: Receipt) -> tuple[Story, Receipt]:
    receipt = replace(
        _undelivered(delivered),
        inference_id=None,
        outcome="refused",
        billing_rule="refused",
        refusal_reason="daily_cap_exceeded",
        held=None,
        paid_from=None,
        transfer_id=None,
    )
    told: dict[str, Json] = {
        "receipt_id": str(receipt.receipt_id),
        "decision_id": str(receipt.decision_id),
        "reason": receipt.refusal_reason,
    }
    return ((EventType.INFERENCE_REJECTED_CAP_VIOLATION, told), _created(receipt)), receipt


def _routed(receipt: Receipt, offers: Sequence[str]) -> Story:
    told: list[tuple[EventType, dict[str, Json]]] = []
    for before, offer in zip((None, *offers), offers, strict=False):
        facts: dict[str, Json] = {
            "inference_id": str(receipt.inference_id),
            "decision_id": receipt.decision_id and str(receipt.decision_id),
            "decision_hash": receipt.decision_hash,
            "prompt_hash": receipt.prompt_hash,
            "transfer_id": str(receipt.transfer_id),
            "model": offer,
            "fallback_from": before,
        }
        told.append((EventType.INFERENCE_ROUTED, facts))
    return told


def _created(receipt: Receipt) -> tuple[EventType, dict[str, Json]]:
    facts: dict[str, Json] = {"receipt_id": str(receipt.receipt_id)}
    if receipt.inference_id is not None:
        facts["inference_id"] = str(receipt.inference_id)
    return EventType.RECEIPT_CREATED, facts


def _logged(
    agent_id: AgentId, tenant_id: TenantId, links: tuple[Link, ...], found: tuple[Receipt, ...]
) -> Evidence:
    """The log has an event of somebody else's behind each of the agent's."""
    strangers = (
        f'{{"agent":"{STRANGER}","event_hash":"{number:064x}","seq":{number}}}'.encode()
        for number in itertools.count(1)
    )
    own = (log.entry(agent_id, link.seq, link.event_hash) for link in links)
    entries = tuple(one for pair in zip(own, strangers, strict=False) for one in pair)
    root = merkle.root([merkle.leaf_hash(entry) for entry in entries])
    checkpoint = Checkpoint(origin=ORIGIN, size=len(entries), root=root)
    return Evidence(
        agent_id=agent_id,
        tenant_id=tenant_id,
        links=links,
        receipts=found,
        entries=entries,
        indexes=tuple(range(0, len(entries), 2)),
        note=notes.signed(checkpoint, LOG_SIGNER).decode(),
    )


def _proof(evidence: Evidence, place: int) -> InclusionProof:
    index = evidence.indexes[place]
    leaves = [merkle.leaf_hash(entry) for entry in evidence.entries]
    return InclusionProof(
        log_index=index,
        tree_size=len(leaves),
        hashes=merkle.inclusion_proof(leaves, index=index),
        checkpoint=evidence.note,
    )


def _signed(receipt: Receipt, signer: Signer) -> Mapping[str, str]:
    signed = receipts.sign(receipt, signer)
    return {"signed_text": signed.body, "key_id": signed.key_id, "signature": signed.signature}


def _decision(receipt: Receipt) -> object:
    assert receipt.decision_id is not None, "only a routed call has a decision"
    kept = KeptDecision(
        decision_id=receipt.decision_id,
        snapshot=SNAPSHOT.decode(),
        ruleset_hash=str(receipt.ruleset_hash),
    )
    return exporting.decision(kept)
