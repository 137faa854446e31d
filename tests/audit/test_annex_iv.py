"""The export for auditors says whose record it is, whether it holds, and where it goes on."""

from dataclasses import replace
from typing import Any

import orjson

from ainfera_server.audit import annex_iv, chain
from ainfera_server.audit.annex_iv import Record
from ainfera_server.audit.chain import Verdict
from tests.audit import auditors_records, test_chain
from tests.audit.auditors_records import MOMENT

URL = "https://gateway.example"
LINKS = test_chain.linked({"n": 0}, {"n": 1})


def document(record: Record) -> Any:
    return annex_iv.document(record, generated_at=MOMENT, url=URL)


def test_the_export_holds_everything_that_annex_iv_asks_for() -> None:
    written = document(auditors_records.record(LINKS))
    assert written["schema"] == "ainfera.annex-iv/2"
    assert set(written) >= {
        *("agent", "tenant", "system_description", "regulation", "generated_at", "policy"),
        *("natural_persons", "period_of_use", "reference_data", "models_used", "uses"),
        *("receipts", "keys", "audit_summary", "log_checkpoint", "verification", "events"),
        *("retention", "not_covered"),
    }
    assert written["audit_summary"] == {
        "event_count": 2,
        "events_by_type": {"agent.registered": 1, "inference.routed": 2},
        "valid": True,
        "failure_seq": None,
        "failure_reason": None,
        "first_event_hash": LINKS[0].event_hash,
        "last_event_hash": LINKS[1].event_hash,
    }
    assert orjson.loads(orjson.dumps(written)) == written


def test_the_export_says_when_the_agent_was_used_and_who_answers_for_it() -> None:
    written = document(auditors_records.record(LINKS))
    assert written["period_of_use"] == {
        "registered_at": "2026-05-06T00:00:00.000000Z",
        "first_use_at": "2026-05-06T01:00:00.000000Z",
        "last_use_at": "2026-05-06T04:00:00.000000Z",
    }
    assert written["natural_persons"] == [
        {
            "role": "owner",
            "handle": "ada",
            "identified_by": "github_user",
            "contact": "ada@example.com",
        }
    ]
    assert (written["uses"]["calls"], written["uses"]["cost_usd"]) == (3, "0.000300")
    newest, older = written["uses"]["newest"]
    assert (newest["ended_at"], newest["cost_usd"]) == (None, None)
    assert (older["ended_at"], older["cost_usd"]) == ("2026-05-06T01:00:00.000000Z", "0.000300")


def test_the_export_of_a_newcomer_says_that_nothing_happened() -> None:
    newcomer = replace(
        auditors_records.record([]),
        **dict.fromkeys(("uses", "newest_uses", "models_used", "receipts", "policy_changes"), ()),
        checkpoint=None,
        verdict=Verdict(valid=True, head=chain.GENESIS),
    )
    written = document(newcomer)
    assert written["period_of_use"]["first_use_at"] is None
    assert written["uses"]["calls"] == written["receipts"]["count"] == 0
    assert written["log_checkpoint"] is None
    assert written["audit_summary"]["last_event_hash"] is None
    assert written["events"] == []
