"""What the first version of the server recorded is checked as it is, and its decisions replayed.

`first_evidence.golden.json` is what it wrote about an agent with three answers; never change it.
"""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import orjson

from ainfera_server.audit import exporting, receipts
from ainfera_server.audit.chain import Head
from ainfera_server.audit.evidence import verifying
from ainfera_server.audit.evidence.exhibits import CHAIN_EXPORT, RECEIPT_DOCUMENT
from ainfera_server.audit.evidence.findings import Report
from ainfera_server.audit.store import KeptDecision
from ainfera_server.identifiers import AgentId, TenantId
from tests.audit.evidence import evidence
from tests.audit.evidence.evidence import Document
from tests.promises import proves

GOLDEN: Document = json.loads(
    Path(__file__).with_name("first_evidence.golden.json").read_text("utf-8")
)


def decisions() -> list[Any]:
    """The decisions, written down by the rules of today."""
    return [
        msgspec.to_builtins(
            exporting.decision(
                KeptDecision(
                    decision_id=UUID(one["decision_id"]),
                    snapshot=one["snapshot"],
                    ruleset_hash=one["ruleset_hash"],
                )
            )
        )
        for one in GOLDEN["decisions"]
    ]


def frame() -> Document:
    """What both kinds of files have."""
    pems = {
        evidence.SIGNER.key_id: evidence.SIGNER.public_key_pem,
        GOLDEN["events"][0]["key_id"]: GOLDEN["public_key_pem"],
    }
    return {
        "events": GOLDEN["events"],
        **exporting.inclusion(None),
        "public_keys": msgspec.to_builtins(exporting.public_keys(pems)),
        "log_keys": [],
    }


def chain() -> Document:
    """The export that a server of today makes of it."""
    head = Head(seq=len(GOLDEN["events"]), event_hash=GOLDEN["events"][-1]["event_hash"])
    end = exporting.end(
        head,
        agent_id=AgentId(UUID(GOLDEN["agent_id"])),
        tenant_id=TenantId(UUID(GOLDEN["tenant_id"])),
        now=evidence.MOMENT,
        by=evidence.SIGNER,
    )
    return {
        **frame(),
        "format": CHAIN_EXPORT,
        "agent_id": GOLDEN["agent_id"],
        "end": msgspec.to_builtins(end),
        "inclusion_seq": None,
        "receipts": GOLDEN["receipts"],
        "decisions": decisions(),
    }


def document(receipt: Document) -> Document:
    """The receipt as a server of today serves it."""
    said = json.loads(receipt["signed_text"])
    events = [one for one in GOLDEN["events"] if said["inference_id"] in one["payload"]]
    decided = [one for one in decisions() if one["decision_id"] == said["decision_id"]]
    return {
        **frame(),
        "format": RECEIPT_DOCUMENT,
        **said,
        "audit_url": f"https://ainfera.example/v1/audit/{said['agent_id']}",
        "cost_usd": float(said["cost_usd"]),
        "model": said["model_served"],
        **receipt,
        "decision": decided[0] if decided else None,
        "events": events,
    }


def verified(file: Document) -> Report:
    return verifying.verify(orjson.dumps(file))


def not_held(report: Report) -> list[tuple[str, str, str | None]]:
    """Everything but the proof from the log, of which that version had none."""
    checks = [one for one in report.checks if one.name != "inclusion in the log"]
    return [(one.name, one.state, one.sentence) for one in checks if one.state != "holds"]


@proves("receipts-verify-without-us", "decisions-can-be-made-again")
def test_chain_receipts_and_decisions_of_the_first_version_hold() -> None:
    report = verified(chain())
    assert not_held(report) == []
    counts = {one.name: one.count for one in report.checks}
    assert (counts["events"], counts["receipts"], counts["decisions made again"]) == (18, 3, 2)
    for receipt in GOLDEN["receipts"]:
        assert json.loads(receipt["signed_text"])["schema"] != receipts.SCHEMA
        assert not_held(verified(document(receipt))) == []


def test_a_receipt_of_the_first_version_that_costs_something_else_is_found() -> None:
    dearer = {**GOLDEN["receipts"][0], "key_id": evidence.SIGNER.key_id}
    said = json.loads(dearer["signed_text"])
    text = dearer["signed_text"].replace(said["cost_usd"], "0.000001")
    signature = evidence.signing.signature(evidence.SIGNER, text.encode())
    forged = {**dearer, "signed_text": text, "signature": signature}
    (first, *_) = not_held(verified(document(forged)))
    assert first[:2] == ("receipt", "fails")
    assert "usage times prices" in str(first[2])
