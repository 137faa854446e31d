"""The whole path of an inference, over HTTP, with a real database and a provider on loopback."""

import httpx
import pytest

from tests.conftest import Look
from tests.promises import proves
from tests.running_server import RunningServer, json_of
from tests.scripted_provider import DEFAULT_TEXT, ScriptedProvider

ASK = {"model": "ainfera-inference", "messages": [{"role": "user", "content": "Say hello."}]}
PATHS = ("/v1/inference", "/v1/chat/completions", "/v1/messages")
CHEAPEST = "mistral-large-3"


@proves("routes-agree", "one-outcome-for-each-routed-call", "cheapest-above-the-floor")
def test_the_routes_give_the_same_decision_price_and_capture(
    server: RunningServer, look: Look
) -> None:
    answers = [server.post(path, {**ASK, "max_tokens": 64}) for path in PATHS]
    response = {"model": ASK["model"], "input": "Say hello.", "max_output_tokens": 64}
    answers.append(server.post("/v1/responses", response))

    assert [answer.status_code for answer in answers] == [200] * 4, answers[0].text
    kept = look(
        "select o.decision_rule, o.chosen_model_slug, o.candidates, o.cost_projected,"
        " o.cost_actual, o.outcome_status, o.policy_version, i.amount_held, i.input_tokens,"
        " i.output_tokens, i.status, i.coverage_cell"
        " from routing_outcomes o join inferences i using (cell, inference_id)"
    )
    assert len(kept) == len(answers)
    assert all(one == kept[0] for one in kept)
    assert kept[0]["chosen_model_slug"] == CHEAPEST
    assert kept[0]["outcome_status"] == "succeeded"
    costs = {answer.headers["x-ainfera-cost-usd"] for answer in answers}
    assert len(costs) == 1


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_is_whole_and_names_its_receipt(server: RunningServer, path: str) -> None:
    answer = server.post(path, {**ASK, "max_tokens": 64})

    assert DEFAULT_TEXT in answer.text
    receipt = json_of(server.get(f"/v1/receipts/{answer.headers['x-ainfera-receipt-id']}"))
    assert receipt["inference_id"] == answer.headers["x-ainfera-inference-id"]
    assert f"{receipt['cost_usd']:.6f}" == answer.headers["x-ainfera-cost-usd"]
    assert answer.headers["request-id"] == answer.headers["x-request-id"]


@proves("a-pinned-call-is-direct")
def test_a_pinned_call_leaves_no_outcome_and_says_direct(server: RunningServer, look: Look) -> None:
    json_of(server.post("/v1/messages", {**ASK, "model": "claude-opus-4-7", "max_tokens": 64}))

    assert look("select * from routing_outcomes") == []
    routed = look(
        "select payload::json ->> 'router' as router from audit_events"
        " where event_type = 'inference.routed'"
    )
    assert routed == [{"router": "direct"}]


@proves("the-next-offer-answers")
@pytest.mark.parametrize("status", [429, 500, 503, 529, 401, 404])
def test_the_next_offer_answers_when_one_fails(
    server: RunningServer, scripted_provider: ScriptedProvider, look: Look, status: int
) -> None:
    scripted_provider.fails(status=status, model="mistral-large-2512")

    answer = server.post("/v1/chat/completions", {**ASK, "max_tokens": 64})

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-ainfera-model"] == "gpt-5-5"
    (outcome,) = look("select * from routing_outcomes")
    assert outcome["outcome_status"] == "succeeded"
    states = look(
        "select state, count(*) as n from transfers where kind = 'inference'"
        " group by state order by state"
    )
    assert states == [{"state": "posted", "n": 1}, {"state": "voided", "n": 1}]
    routed = look(
        "select payload::json ->> 'fallback_from' as earlier from audit_events"
        " where event_type = 'inference.routed' order by seq"
    )
    assert [one["earlier"] for one in routed] == [None, CHEAPEST]


def test_when_every_offer_fails_the_caller_hears_so_and_pays_nothing(
    server: RunningServer, scripted_provider: ScriptedProvider, look: Look
) -> None:
    scripted_provider.fails(status=503)

    answer = server.post("/v1/inference", ASK)

    body = json_of(answer, 503)
    assert body["detail"]["code"] == "all_routed_models_failed"
    (outcome,) = look("select * from routing_outcomes")
    assert outcome["outcome_status"] == "failed_provider_error"
    assert str(outcome["inference_id"]) == body["detail"]["inference_id"]
    assert wallet(look) == {"available": 5_000_000, "held": 0}


@proves("refusals-name-every-candidate")
def test_a_refusal_names_every_candidate_and_can_be_looked_up(
    server: RunningServer, look: Look
) -> None:
    answer = server.post("/v1/inference", {**ASK, "routing_hint": {"min_quality": 0.99}})

    detail = json_of(answer, 422)["detail"]
    assert detail["code"] == "no_candidate_clears_floor"
    anchors = {one["model_slug"]: one["drop_reason"] for one in detail["candidates"]}
    assert anchors["claude-opus-4-7"] == "below_quality_floor"
    decision = json_of(server.get(f"/v1/inferences/{detail['decision_id']}/decision"))
    assert decision["candidates"] == detail["candidates"]
    assert decision["inference_id"] is None
    assert wallet(look) == {"available": 5_000_000, "held": 0}


@proves("no-overspend")
@pytest.mark.parametrize(
    ("path", "status"),
    list(zip(PATHS, (403, 402, 402), strict=True)),
    ids=["native", "openai", "anthropic"],
)
def test_a_cap_refuses_before_anything_is_sent(
    server: RunningServer,
    scripted_provider: ScriptedProvider,
    look: Look,
    path: str,
    status: int,
) -> None:
    tight = server.sign_up("tight-agent", per_call_cap_usd="0.05")
    body = {**ASK, "model": "claude-opus-4-7", "max_tokens": 2000}

    answer = httpx.post(server.url + path, json=body, headers=tight.headers)

    assert answer.status_code == status, answer.text
    assert answer.headers.get("x-should-retry", "false") == "false"
    detail = answer.json()["detail"]
    assert detail["code"] == "spend_policy_exceeded"
    assert detail["remaining_usd"] == "0.050000"
    assert detail["resets_at"] is None
    assert detail["cheapest_feasible_model"] == CHEAPEST
    assert scripted_provider.requests == []
    (event,) = look("select event_type from audit_events where event_type like '%rejected%'")
    assert event["event_type"] == "inference.rejected_cap_violation"


@pytest.mark.parametrize("path", PATHS)
def test_a_stream_brings_the_same_text_and_is_billed(
    server: RunningServer, look: Look, path: str
) -> None:
    answer = server.post(path, {**ASK, "model": "gpt-5-5", "max_tokens": 64, "stream": True})

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-ainfera-stream-mode"] == "native"
    assert "scripted" in answer.text
    (inference,) = look("select status, output_tokens, cost from inferences")
    assert inference["status"] == "succeeded"
    assert inference["output_tokens"] == 7
    assert wallet(look)["held"] == 0


@proves("no-silent-truncation")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("breaks", ["breaks_mid_stream", "ends_without_terminator"])
def test_a_stream_that_breaks_ends_in_an_error_and_costs_what_came(
    server: RunningServer, scripted_provider: ScriptedProvider, look: Look, path: str, breaks: str
) -> None:
    getattr(scripted_provider, breaks)(after_chunks=4)

    answer = server.post(path, {**ASK, "max_tokens": 64, "stream": True})

    assert "error" in answer.text
    assert "[DONE]" not in answer.text
    assert "message_stop" not in answer.text
    (inference,) = look("select status, usage_source, cost from inferences")
    assert inference["status"] == "failed"
    assert inference["usage_source"] == "estimate"
    assert wallet(look) == {"available": 5_000_000 - inference["cost"], "held": 0}
    (outcome,) = look("select outcome_status from routing_outcomes")
    assert outcome["outcome_status"] == "failed_provider_error"


@proves("retries-are-safe")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "plain"])
def test_the_same_key_gives_the_same_answer_once(
    server: RunningServer,
    scripted_provider: ScriptedProvider,
    look: Look,
    path: str,
    *,
    streams: bool,
) -> None:
    body = {**ASK, "max_tokens": 64, "stream": streams}

    first = server.post(path, body, idempotency_key="once")
    again = server.post(path, body, idempotency_key="once")
    other = server.post(path, {**body, "max_tokens": 65}, idempotency_key="once")

    assert first.status_code == again.status_code == 200
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert first.headers["x-ainfera-receipt-id"] == again.headers["x-ainfera-receipt-id"]
    assert other.status_code == 422
    assert len(scripted_provider.requests) == 1
    (counted,) = look(
        "select (select count(*) from inferences) as inferences,"
        " (select count(*) from routing_outcomes) as outcomes,"
        " (select count(*) from receipts) as receipts"
    )
    assert counted == {"inferences": 1, "outcomes": 1, "receipts": 1}


def wallet(look: Look) -> dict[str, int]:
    (row,) = look(
        "select credits_posted - debits_posted - debits_pending as available,"
        " debits_pending as held from accounts where kind = 'wallet'"
    )
    return {"available": int(row["available"]), "held": int(row["held"])}
