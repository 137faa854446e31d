"""What an owner can read of an agent: its calls, decisions, money, events and counts."""

import base64
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ainfera
import httpx
import pytest
from ainfera.audit import AuditEvent
from ainfera.verify import verify_chain

from ainfera_server.api import inferences
from ainfera_server.audit import signing
from tests.api import worlds
from tests.promises import proves
from tests.running_server import RunningServer, json_of

QUESTION = {"role": "user", "content": "A question that nobody should find again."}
ROUTED = {"model": "ainfera-inference", "messages": [QUESTION], "max_tokens": 20}
Look = Callable[[str], list[dict[str, Any]]]


def infer(server: RunningServer, **more: object) -> Any:
    return json_of(server.post("/v1/inference", {**ROUTED, **more}))


def events_of(server: RunningServer) -> list[Any]:
    return json_of(server.get(f"/v1/audit/{server.agent.agent_id}"))["events"]


def test_an_inference_can_be_looked_at_with_its_provider_and_its_cell(
    server: RunningServer,
) -> None:
    answered = infer(server, task_type="code")
    found = json_of(server.get(f"/v1/inferences/{answered['inference_id']}"))
    assert found["provider"] == answered["provider"]
    assert found["model_used"] == answered["model_used"]
    assert found["status"] == "succeeded"
    assert found["cost_usd"] == answered["cost_usd"]
    assert found["receipt_id"] == answered["receipt_id"]
    assert (found["task_type"], found["task_type_source"]) == ("code", "caller")
    assert found["cell"] == f"code:{answered['model_used']}:balanced"
    assert found["policy_version"].startswith("balanced@1.0.0+")


@proves("refusals-name-every-candidate")
def test_a_refused_call_can_be_read_by_its_decision_and_names_everybody(
    server: RunningServer, look: Look
) -> None:
    refused = json_of(
        server.post("/v1/inference", {**ROUTED, "routing_hint": {"min_quality": 1}}), 422
    )
    decision_id = refused["detail"]["decision_id"]
    decision = json_of(server.get(f"/v1/inferences/{decision_id}/decision"))
    assert decision["inference_id"] is None
    assert decision["chosen_model_slug"] is None
    assert decision["outcome_status"] == "rejected_floor"
    assert decision["cost_actual"] is None
    assert all(one["drop_reason"] for one in decision["candidates"])
    assert len(decision["dashboard_candidates"]) == len(decision["candidates"])
    assert all(one["excluded"] for one in decision["dashboard_candidates"])
    (stored,) = look("select candidates from routing_outcomes")
    assert decision["candidates"] == json.loads(stored["candidates"])


def test_a_decision_is_found_by_either_id_and_its_candidates_are_the_stored_bytes(
    server: RunningServer, look: Look
) -> None:
    inference_id = infer(server)["inference_id"]
    by_inference = server.get(f"/v1/inferences/{inference_id}/decision")
    decision = json_of(by_inference)
    by_decision = server.get(f"/v1/inferences/{decision['decision_id']}/decision")
    assert by_decision.content == by_inference.content
    (stored,) = look("select candidates from routing_outcomes")
    assert f'"candidates":{stored["candidates"]},'.encode() in by_inference.content
    chosen = [one["model_slug"] for one in decision["dashboard_candidates"] if one["chosen"]]
    assert chosen == [decision["chosen_model_slug"]]
    assert decision["outcome_status"] == "succeeded"
    assert Decimal(decision["cost_actual"]) > 0


@pytest.mark.parametrize(
    ("candidate", "excluded"),
    [
        ({"model_slug": "a", "drop_reason": None}, None),
        ({"model_slug": "a", "drop_reason": "below_quality_floor"}, "below_quality_floor"),
        ({"slug": "a", "rejection_reason": "too_slow", "eligible": False}, "too_slow"),
        ({"slug": "a", "eligible": False, "cleared_floor": False}, "ineligible"),
        ({"slug": "a", "eligible": True, "cleared_floor": False}, "below_floor"),
        ({"slug": "a", "eligible": True, "cleared_floor": True}, None),
        ({"slug": "a"}, None),
    ],
)
def test_a_page_shows_one_word_for_what_excluded_a_candidate(
    candidate: dict[str, Any], excluded: str | None
) -> None:
    (shown,) = inferences.dashboard_candidates([candidate], None)
    assert isinstance(shown, dict)
    assert shown["excluded"] == excluded
    assert shown["model_slug"] == "a"


def test_no_candidates_are_shown_as_none() -> None:
    assert inferences.dashboard_candidates([], "a") == []


@proves("receipts-verify-without-us")
def test_a_receipt_can_be_read_and_its_signature_checked(server: RunningServer) -> None:
    answered = infer(server)
    with ainfera.AinferaClient(api_key=server.agent.api_key, base_url=server.url) as client:
        receipt = client.receipts.retrieve(answered["receipt_id"])
    assert receipt.inference_id == answered["inference_id"]
    assert receipt.cost_usd == float(answered["cost_usd"])
    assert receipt.audit_url.endswith(f"/v1/audit/{server.agent.agent_id}")
    body = json_of(server.get(f"/v1/receipts/{answered['receipt_id']}"))
    published = json_of(httpx.get(f"{server.url}/.well-known/ainfera-public-key.json"))
    pem = next(one["public_key_pem"] for one in published["keys"] if one["kid"] == body["key_id"])
    text = body["signed_text"].encode()
    assert signing.is_signature(body["signature"], message=text, public_key_pem=pem)
    assert QUESTION["content"] not in body["signed_text"]


def test_a_wallet_shows_what_is_in_it_and_what_is_held(server: RunningServer) -> None:
    wallet = json_of(server.get(f"/v1/wallets/{server.agent.agent_id}"))
    caps = wallet.pop("caps")
    assert wallet == {
        "agent_id": server.agent.agent_id,
        "balance_usd": "5.000000",
        "held_usd": "0.000000",
        "available_usd": "5.000000",
        "pool_available_usd": "0.000000",
        "wallet_strict_per_agent": False,
    }
    assert {cap["spent_usd"] for cap in caps.values()} == {"0.000000"}


@proves("bad-input-changes-nothing", "money-is-exact")
@pytest.mark.parametrize("amount", ["0", "-1", "0.0000001", "1e99", "Infinity", "", "1,5", True])
def test_a_top_up_that_is_no_amount_is_refused_and_changes_nothing(
    shared_server: RunningServer, amount: object
) -> None:
    agent_id = shared_server.agent.agent_id
    before = shared_server.get(f"/v1/ledger/{agent_id}").content
    body = {"agent_id": agent_id, "amount_usd": amount}
    json_of(shared_server.post("/v1/wallets/topup", body), 422)
    assert shared_server.get(f"/v1/ledger/{agent_id}").content == before


def test_a_ledger_is_read_in_pages_newest_first(server: RunningServer) -> None:
    agent_id = server.agent.agent_id
    for amount in ("1.25", 2):
        body = {"agent_id": agent_id, "amount_usd": amount}
        topped_up = json_of(server.post("/v1/wallets/topup", body), 201)
    assert topped_up["new_balance_usd"] == "8.250000"
    page = json_of(server.get(f"/v1/ledger/{agent_id}?limit=2"))
    assert [one["amount_usd"] for one in page["entries"]] == ["2.000000", "1.250000"]
    assert page["entries"][0]["id"] == topped_up["ledger_entry_id"]
    last = page["entries"][-1]["version"]
    rest = json_of(server.get(f"/v1/ledger/{agent_id}?before={last}"))
    assert [one["kind"] for one in rest["entries"]] == ["grant"]


def test_a_chain_is_read_oldest_first_and_ends_with_an_empty_page(
    server: RunningServer,
) -> None:
    infer(server)
    events = events_of(server)
    assert [one["seq"] for one in events] == list(range(1, len(events) + 1))
    assert events[0]["previous_hash"] is None
    assert verify_chain([AuditEvent.model_validate(one) for one in events])
    after = json_of(server.get(f"/v1/audit/{server.agent.agent_id}?since_seq={len(events)}"))
    assert after["events"] == []
    assert QUESTION["content"] not in json.dumps(events)


def test_anybody_can_verify_a_chain_and_nobody_else_can_read_it(server: RunningServer) -> None:
    url = f"{server.url}/v1/audit/{server.agent.agent_id}"
    verdict = json_of(httpx.get(f"{url}/verify"))
    assert verdict == {
        "agent_id": server.agent.agent_id,
        "event_count": len(events_of(server)),
        "valid": True,
        "failure_seq": None,
        "failure_reason": None,
    }
    json_of(httpx.get(url), 401)
    json_of(httpx.get(f"{server.url}/v1/audit/{worlds.NOBODYS_ID}/verify"), 404)


def test_the_public_feed_shows_commitments_newest_first_and_no_internal_agent(
    server: RunningServer,
) -> None:
    server.sign_up("internal-probe")
    server.sign_up("in-the-open", owner_handle="some-owner")
    feed = json_of(httpx.get(f"{server.url}/v1/audit/public?limit=100"))["events"]
    heights = [one["seq"] for one in feed]
    assert heights == sorted(heights, reverse=True)
    assert feed[0]["canonical_uri"] == "ainfera.ai/some-owner/in-the-open"
    assert "internal-probe" not in json.dumps(feed)
    assert server.agent.agent_id not in json.dumps(feed)
    assert all("payload" not in one and "agent_id" not in one for one in feed)


def test_the_export_for_auditors_holds_the_proof(server: RunningServer) -> None:
    answered = infer(server)
    export = json_of(server.get(f"/v1/audit/{server.agent.agent_id}/annex-iv"))
    events = events_of(server)
    assert export["audit_summary"]["event_count"] == len(events)
    assert export["audit_summary"]["last_event_hash"] == events[-1]["event_hash"]
    assert export["events"] == events
    assert [one["slug"] for one in export["models_used"]] == [answered["model_used"]]
    assert "AI Act" in export["regulation"]


def test_a_card_can_be_minted_and_verified_and_a_changed_one_is_found_out(
    server: RunningServer,
) -> None:
    agent_id = server.agent.agent_id
    minted = json_of(server.post(f"/v1/agents/{agent_id}/card", None))
    shown = json_of(server.get(f"/v1/agents/{agent_id}/card"))
    assert shown == minted
    verdict = json_of(server.post("/v1/agents/cards/verify", {"jws": minted["jws"]}))
    assert (verdict["valid"], verdict["agent_id"]) == (True, agent_id)
    assert verdict["payload"] == minted["payload"]
    header, _, signature = minted["jws"].split(".")
    changed = {**minted["payload"], "handle": "somebody-else"}
    payload = base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("=")
    for jws, reason in (
        (f"{header}.{payload}.{signature}", "signature_mismatch"),
        ("not a card", "malformed"),
    ):
        verdict = json_of(server.post("/v1/agents/cards/verify", {"jws": jws}))
        assert (verdict["valid"], verdict["reason"]) == (False, reason)
    pem = httpx.get(f"{server.url}/v1/agents/{agent_id}/pubkey").text
    assert pem == json_of(server.get(f"/v1/agents/{agent_id}"))["public_key_pem"]


def test_a_spend_policy_changes_what_is_named_and_keeps_the_rest(server: RunningServer) -> None:
    url = f"/v1/agents/{server.agent.agent_id}/spend-policy"
    first = json_of(server.post(url, {"per_call_cap_usd": 0.001, "daily_cap_usd": "3"}))
    assert first["drain_proof_status"] == "protected"
    second = json_of(server.post(url, {"per_call_cap_usd": None}))
    assert second["spend_policy"]["per_call_cap_usd"] is None
    assert second["spend_policy"]["daily_cap_usd"] == "3.000000"
    json_of(server.post(url, {"per_call_cap_usd": "0.0001"}), 422)
    assert json_of(server.get("/v1/caps/rollup"))["budget"]["set"] == "3.000000"


def test_an_outcome_can_be_told_once_and_the_first_word_stands(server: RunningServer) -> None:
    told = {"inference_id": infer(server)["inference_id"], "reward": 0.5, "note": "Half right."}
    first = json_of(server.post("/v1/outcomes", told), 201)
    assert (first["reward"], first["source"]) == ("0.5", "caller")
    again = json_of(server.post("/v1/outcomes", told), 201)
    assert again["outcome_id"] == first["outcome_id"]
    json_of(server.post("/v1/outcomes", {**told, "reward": "1"}), 422)
    assert events_of(server)[-1]["event_type"] == "outcome.recorded"


def test_days_are_counted_and_a_newcomer_has_none(server: RunningServer) -> None:
    assert json_of(server.get("/v1/usage/daily")) == {
        "days": [],
        "totals": {"calls": 0, "cost_usd": "0.000000"},
    }
    answered = infer(server)
    (day,) = json_of(server.get("/v1/usage/daily?days=1"))["days"]
    assert day["calls"] == 1
    assert day["cost_usd"] == answered["cost_usd"]
    assert day["by_status"] == {"ok": 1, "fallback": 0, "error": 0}


def test_a_newcomers_counts_are_honestly_empty(server: RunningServer) -> None:
    rollup = json_of(server.get("/v1/caps/rollup"))
    assert rollup["latency_p50_ms"] is None
    assert rollup["breaches"] == {"quality": 0, "reliability": 0}
    metrics = json_of(server.get(f"/v1/agents/{server.agent.agent_id}/metrics"))
    assert (metrics["calls"], metrics["latency_p50_ms"], metrics["top_models"]) == (0, None, [])
    coverage = json_of(server.get("/v1/users/agents/cell-coverage"))
    assert (coverage["total_cells"], coverage["cells"]) == (0, [])


def test_an_owner_sees_all_agents_and_wallets_at_once(server: RunningServer) -> None:
    second = json_of(
        server.post("/v1/agents/register", {"tenant_id": server.agent.tenant_id, "name": "Two"}),
        201,
    )
    dashboard = json_of(server.get("/v1/users/agents/dashboard"))["agents"]
    assert [one["agent_id"] for one in dashboard] == [second["id"], server.agent.agent_id]
    wallets = json_of(server.get("/v1/users/agents/wallets"))
    assert wallets["total_balance_usd"] == "5.000000"
    assert len(wallets["wallets"]) == 2
    listed = json_of(server.get("/v1/agents"))["agents"]
    assert listed == json_of(server.get("/v1/users/agents/agents"))["agents"]
    tenant = json_of(server.get(f"/v1/tenants/{server.agent.tenant_id}"))
    assert tenant["owner_handle"] == "agents"


def test_a_tenant_can_be_registered_by_name_alone(shared_server: RunningServer) -> None:
    answer = httpx.post(f"{shared_server.url}/v1/tenants/register", json={"name": "Some Firm"})
    tenant = json_of(answer, 201)
    key = {"x-api-key": tenant["api_key"]}
    url = f"{shared_server.url}/v1/tenants/{tenant['tenant_id']}"
    assert json_of(httpx.get(url, headers=key))["name"] == "Some Firm"


def test_reading_writes_no_routing_outcome(server: RunningServer, look: Look) -> None:
    things = worlds.things_of(server, server.agent)
    count = "select count(*) as rows from routing_outcomes"
    before = look(count)
    for route in worlds.KEYED:
        if route.method == "GET":
            assert worlds.ask(server.url, route, things, server.agent).status_code == 200
    assert look(count) == before
