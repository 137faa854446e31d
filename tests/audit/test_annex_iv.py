"""The export for auditors says whose record it is, whether it holds, and where it goes on."""

from datetime import UTC, datetime

import orjson

from ainfera_server.audit import annex_iv, chain
from ainfera_server.audit.annex_iv import Record
from ainfera_server.audit.chain import Link, Verdict
from tests.audit import test_chain

MOMENT = datetime(2026, 5, 6, tzinfo=UTC)


def record(links: list[Link], *, shown: int) -> Record:
    verdict = test_chain.verify(links) if links else Verdict(valid=True, head=chain.GENESIS)
    return Record(
        agent={"agent_id": "a"},
        tenant={"tenant_id": "t"},
        policy={"per_call_cap_usd": None},
        models_used=({"slug": "m", "calls": 2},),
        verdict=verdict,
        first_hash=links[0].event_hash if links else None,
        last_hash=links[-1].event_hash if links else None,
        links=links[:shown],
    )


def test_the_export_holds_everything_that_annex_iv_asks_for() -> None:
    links = test_chain.linked({"n": 0}, {"n": 1})
    document = annex_iv.document(record(links, shown=2), generated_at=MOMENT)
    assert set(document) >= {
        "schema",
        "generated_at",
        "agent",
        "tenant",
        "system_description",
        "policy",
        "models_used",
        "audit_summary",
        "events",
        "retention",
        "regulation",
    }
    assert document["audit_summary"] == {
        "event_count": 2,
        "valid": True,
        "failure_seq": None,
        "failure_reason": None,
        "first_hash": links[0].event_hash,
        "last_hash": links[1].event_hash,
    }
    assert document["next_since_seq"] is None
    assert orjson.loads(orjson.dumps(document)) == document


def test_a_long_export_says_where_it_goes_on() -> None:
    links = test_chain.linked({"n": 0}, {"n": 1}, {"n": 2})
    document = annex_iv.document(record(links, shown=2), generated_at=MOMENT)
    assert document["next_since_seq"] == 2


def test_an_agent_without_events_has_an_export_too() -> None:
    document = annex_iv.document(record([], shown=0), generated_at=MOMENT)
    assert document["events"] == []
    assert document["next_since_seq"] is None
