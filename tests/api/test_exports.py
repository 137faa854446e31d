"""Receipts, chains and the log as files: what the server says of itself holds without it."""

import json

import httpx
import pytest

from ainfera_server.audit.evidence import trust, verifying
from ainfera_server.audit.evidence.findings import Report
from ainfera_server.audit.evidence.trust import Keys
from tests import lived_server
from tests.conftest import Look
from tests.promises import proves
from tests.running_server import RunningServer
from tests.scripted_provider import ScriptedProvider


@pytest.fixture
def lived(
    server: RunningServer, scripted_provider: ScriptedProvider, database: str
) -> RunningServer:
    """A server with an agent to whom everything has happened."""
    lived_server.live(server, scripted_provider, database)
    return server


def published_keys(server: RunningServer) -> Keys:
    return trust.read([lived_server.keys(server)])


def faults(report: Report) -> list[str]:
    """What does not hold, and what could not be checked, in words."""
    return [
        f"{one.name}: {one.state}: {one.record}: {one.sentence}"
        for one in report.checks
        if one.state != "holds"
    ]


@proves(
    "receipts-verify-without-us",
    "decisions-can-be-made-again",
    "every-ending-has-a-receipt",
    "evidence-travels",
)
def test_every_ending_leaves_a_receipt_that_holds_offline(lived: RunningServer, look: Look) -> None:
    keys = published_keys(lived)
    rows = look("select receipt_id, body from receipts")
    for row in rows:
        document = lived.get(f"/v1/receipts/{row['receipt_id']}")
        report = verifying.verify(document.content, brought=keys)
        assert faults(report) == []
        assert document.json()["schema"] == "ainfera.receipt/2"
    said = [json.loads(row["body"]) for row in rows]
    assert sorted((one["outcome"], one["billing_rule"]) for one in said) == [
        ("failed", "nothing_delivered"),
        ("failed", "nothing_delivered"),
        ("refused", "refused"),
        ("refused", "refused"),
        ("succeeded", "answer_delivered"),
        ("succeeded", "answer_delivered"),
        ("succeeded", "answer_delivered"),
    ]
    assert {one["refusal_reason"] for one in said} == {
        None,
        "no_candidate_clears_floor",
        "wallet_insufficient",
    }


@proves("tampering-is-named", "evidence-travels")
def test_the_chain_of_an_agent_holds_offline_with_every_receipt_and_decision(
    lived: RunningServer,
) -> None:
    keys = published_keys(lived)
    events = lived.get(f"/v1/audit/{lived.agent.agent_id}").json()["events"]
    report = verifying.verify(lived_server.export(lived), brought=keys)
    assert faults(report) == []
    counts = {one.name: one.count for one in report.checks}
    assert counts["events"] == counts["end of the chain"] == len(events)
    assert counts["inclusion in the log"] == len(events)
    assert counts["receipts"] == lived_server.RECEIPTS
    assert counts["decisions"] == counts["decisions made again"] == 4
    assert faults(verifying.verify(lived_server.export(lived, ""), brought=keys)) == []


@proves("tampering-is-named", "evidence-travels")
def test_the_whole_log_holds_offline_and_counts_every_chain(lived: RunningServer) -> None:
    log = lived_server.log_export(lived)
    keys = published_keys(lived)
    assert faults(verifying.verify(log, brought=keys)) == []
    report = verifying.verify(lived_server.export(lived), brought=keys, log=log)
    assert faults(report) == []
    assert report.checks[-1].count == len(json.loads(log)["entries"])


def test_without_keys_of_ones_own_the_report_says_whose_they_are(lived: RunningServer) -> None:
    report = verifying.verify(lived_server.export(lived))
    assert report.holds
    assert "came from the file itself" in str(report.checks[0].sentence)
    (key,) = json.loads(lived_server.keys(lived))["keys"]
    brought = trust.read([key["public_key_pem"].encode()])
    assert brought.fingerprints[0] in str(report.checks[0].sentence)


def test_an_event_that_no_checkpoint_covers_is_told_to_be_open(
    server: RunningServer,
) -> None:
    receipt_id = server.post("/v1/inference", lived_server.ASKED).headers["x-ainfera-receipt-id"]
    answer = server.get(f"/v1/receipts/{receipt_id}")
    assert answer.json()["inclusion"] is None
    report = verifying.verify(answer.content)
    assert report.holds
    assert [one.name for one in report.checks if one.state == "open"] == ["inclusion in the log"]
    assert httpx.get(f"{server.url}/v1/log/export").status_code == 404


def test_another_tenants_chain_and_receipt_are_not_there(lived: RunningServer) -> None:
    stranger = lived.sign_up("stranger").headers
    receipt_id = lived.post("/v1/inference", lived_server.NEVER).json()["detail"]["receipt_id"]
    for path in (f"/v1/audit/{lived.agent.agent_id}/export", f"/v1/receipts/{receipt_id}"):
        assert httpx.get(lived.url + path, headers=stranger).status_code == 404
        assert httpx.get(lived.url + path).status_code == 401


@pytest.mark.parametrize("path", ["/v1/inference", "/v1/chat/completions", "/v1/messages"])
def test_a_refusal_names_its_receipt_in_body_and_headers(server: RunningServer, path: str) -> None:
    for body in (lived_server.NEVER, lived_server.DEAR):
        refused = server.post(path, body)
        named = refused.headers["x-ainfera-receipt-id"]
        assert refused.json()["detail"]["receipt_id"] == named
        receipt = server.get(f"/v1/receipts/{named}").json()
        assert (receipt["outcome"], receipt["cost_usd"]) == ("refused", 0)
        assert (receipt["receipt_id"], receipt["inference_id"]) == (named, None)
