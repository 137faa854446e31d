"""What an owner allows holds at every door: models, providers, quality, a tree of agents."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx
import orjson
import pytest

from ainfera_server import money
from ainfera_server.money import UsdMicros
from tests.conftest import Look
from tests.promises import proves
from tests.running_server import RunningServer, json_of
from tests.scripted_provider import ScriptedProvider

PATHS: Mapping[str, int] = {
    "/v1/inference": 403,
    "/v1/chat/completions": 402,
    "/v1/messages": 402,
}
ASK = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 64}
ROUTED = {"model": "ainfera-inference", **ASK}
SESSION, CHILD, PARENT = "session-1", "researcher", "lead"


def allow(server: RunningServer, **asked: object) -> None:
    path = f"{server.url}/v1/agents/{server.agent.agent_id}/spend-policy"
    json_of(httpx.patch(path, json=asked, headers=server.agent.headers, timeout=30))


def decision(server: RunningServer, answer: httpx.Response) -> Any:
    return json_of(server.get(f"/v1/inferences/{answer.headers['x-ainfera-decision-id']}/decision"))


@proves("bad-input-changes-nothing", "owner-limits-hold")
@pytest.mark.parametrize(
    ("allowed", "reason", "words"),
    [
        (
            {"allowed_models": ["mistral-large-3", "gpt-5-5"]},
            "model_not_allowed",
            "does not allow the model 'claude-opus-4-7'",
        ),
        (
            {"allowed_providers": ["openai", "mistral"]},
            "provider_not_allowed",
            "does not allow the provider of 'claude-opus-4-7': anthropic.",
        ),
    ],
)
def test_a_model_that_the_owner_does_not_allow_is_refused_like_a_cap_and_recorded(
    server: RunningServer,
    scripted_provider: ScriptedProvider,
    look: Look,
    allowed: dict[str, object],
    reason: str,
    words: str,
) -> None:
    allow(server, **allowed)
    for path, status in PATHS.items():
        refused = server.post(path, {"model": "claude-opus-4-7", **ASK})
        assert refused.status_code == status, refused.text
        assert words in refused.text
        detail = refused.json()["detail"]
        assert (detail["code"], detail["reason"]) == ("spend_policy_exceeded", reason)
        assert detail["cheapest_feasible_model"] == "mistral-large-3"
        assert detail["remaining_usd"] is detail["resets_at"] is None
    assert scripted_provider.requests == []
    told = look(
        "select payload::json ->> 'reason' as reason from audit_events"
        " where event_type = 'inference.rejected_cap_violation'"
    )
    assert told == [{"reason": reason}] * len(PATHS)
    assert look("select * from transfers where kind = 'inference'") == []
    assert json_of(server.get(f"/v1/audit/{server.agent.agent_id}/verify"))["valid"]
    assert server.post("/v1/inference", {"model": "gpt-5-5", **ASK}).status_code == 200


@proves("cheapest-above-the-floor", "owner-limits-hold")
def test_a_routed_call_considers_only_what_the_owner_allows(server: RunningServer) -> None:
    allow(server, allowed_models=["gpt-5-5", "claude-opus-4-7", "grok-4-5"])
    answer = server.post("/v1/chat/completions", ROUTED)
    weighed = {one["model_slug"] for one in decision(server, answer)["candidates"]}
    assert weighed == {"gpt-5-5", "claude-opus-4-7"}
    allow(server, allowed_providers=["anthropic"])
    answer = server.post("/v1/chat/completions", ROUTED)
    assert answer.headers["x-ainfera-model"] == "claude-opus-4-7"
    assert len(decision(server, answer)["candidates"]) == 1
    allow(server, allowed_providers=["groq"])
    refused = server.post("/v1/inference", ROUTED)
    assert json_of(refused, 422)["detail"]["code"] == "no_candidate_enrolled"
    allow(server, allowed_models=None, allowed_providers=None)
    answer = server.post("/v1/chat/completions", ROUTED)
    assert len(decision(server, answer)["candidates"]) > 2


@proves("owner-limits-hold")
def test_a_caller_may_raise_the_owners_floor_and_never_lower_it(
    server: RunningServer, look: Look
) -> None:
    allow(server, min_quality="0.8")
    hints: tuple[dict[str, object], ...] = ({}, {"min_quality": 0.6}, {"min_quality": 0.85})
    for hint in hints:
        json_of(server.post("/v1/inference", {**ROUTED, "routing_hint": hint}))
    kept = look("select snapshot from routing_outcomes order by created_at")
    floors = [orjson.loads(one["snapshot"])["policy"]["min_quality"] for one in kept]
    assert floors == ["0.8", "0.8", "0.85"]


def test_a_paused_agent_is_refused_and_its_money_can_be_moved_away(
    server: RunningServer, administer_here: Callable[[str], None], look: Look
) -> None:
    administer_here("update agents set status = 'paused'")
    refused = server.post("/v1/inference", {"model": "gpt-5-5", **ASK})
    assert json_of(refused, 409)["code"] == "agent_not_active"
    asked = {"from": server.agent.agent_id, "to": "pool", "amount_usd": 5}
    moved = json_of(server.post("/v1/wallets/move", asked), 201)
    assert (moved["from_balance_usd"], moved["to_balance_usd"]) == ("0.000000", "5.000000")
    assert look("select * from transfers where kind = 'inference'") == []


@proves("no-overspend", "a-runaway-subagent-stops-alone")
@pytest.mark.parametrize("whose", ["x-ainfera", "x-claude-code"])
def test_a_subagent_that_runs_away_stops_without_stopping_its_parent(
    server: RunningServer, look: Look, whose: str
) -> None:
    own = {f"{whose}-session-id": SESSION, f"{whose}-agent-id": PARENT}
    below = {
        f"{whose}-session-id": SESSION,
        f"{whose}-agent-id": CHILD,
        f"{whose}-parent-agent-id": PARENT,
    }
    asked = {"model": "gpt-5-5", **ASK, "max_tokens": 256}
    json_of(server.post("/v1/chat/completions", asked, **below))
    (paid,) = look("select amount_held, amount_posted from transfers where kind = 'inference'")
    enough_for_one_more = UsdMicros(paid["amount_held"] + paid["amount_posted"] * 3 // 2)
    allow(server, subagent_cap_usd=money.usd(enough_for_one_more))

    json_of(server.post("/v1/messages", asked, **below))
    refused = server.post("/v1/messages", asked, **below)

    assert json_of(refused, 402)["detail"]["reason"] == "subagent_cap_exceeded"
    assert server.post("/v1/messages", asked, **own).status_code == 200
    kept = look(
        "select distinct session_id, node, parent_node from inferences order by parent_node"
    )
    assert kept == [
        {"session_id": SESSION, "node": CHILD, "parent_node": PARENT},
        {"session_id": SESSION, "node": PARENT, "parent_node": None},
    ]
