"""Tokens are counted before a call: by Anthropic where it can be asked, else by an estimate."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import anthropic
import httpx
import pytest

from ainfera_server.catalog import token_counts
from ainfera_server.dialects.anthropic_messages import counting
from tests.clients import claude_code
from tests.clients.conftest import House
from tests.clients.questions import CLAUDE, GPT, SCHEMA, only_request
from tests.promises import proves
from tests.providers import vendor_shapes
from tests.running_server import RunningServer, json_of
from tests.scripted_provider import DEFAULT_KEY, ScriptedProvider

PATH = "/v1/messages/count_tokens"
MESSAGES: Any = [{"role": "user", "content": "How long is this?"}]
ASKED: dict[str, Any] = {"model": CLAUDE, "messages": MESSAGES}
COUNTED = b'{"input_tokens": 4321, "context_management": {"original_input_tokens": 5000}}'


@pytest.fixture(autouse=True)
def counts(scripted_provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider knows the route too, and counts the same whatever it is asked."""
    monkeypatch.setitem(vendor_shapes.DIALECTS, PATH, "anthropic_messages")
    scripted_provider.sends(COUNTED)


def count(server: RunningServer, body: Mapping[str, object], **headers: str) -> httpx.Response:
    answer = server.post(f"{PATH}?beta=true", body, **headers)
    assert answer.status_code == 200, answer.text
    return answer


def estimate(body: Mapping[str, object]) -> int:
    request = counting.decode_request(json.dumps(body).encode())
    return token_counts.careful_input_tokens(request)


def require_estimate(answer: httpx.Response, body: Mapping[str, object]) -> None:
    assert answer.headers["x-ainfera-token-count"] == "estimate"
    assert answer.json() == {"input_tokens": estimate(body)}


@proves("vendor-clients-work")
def test_anthropics_client_counts_the_tokens_of_a_claude_model_at_anthropic(
    anthropic_client: anthropic.Anthropic, scripted_provider: ScriptedProvider
) -> None:
    tools: Any = [{"name": "f", "input_schema": SCHEMA}]
    raw = anthropic_client.messages.with_raw_response.count_tokens(
        model=CLAUDE, messages=MESSAGES, system="Be brief.", tools=tools
    )
    assert raw.parse().input_tokens == 4321
    assert raw.headers["x-ainfera-token-count"] == "provider"
    asked = only_request(scripted_provider)
    assert asked.path == PATH
    assert asked.headers["x-api-key"] == DEFAULT_KEY
    assert asked.json == ASKED | {"system": "Be brief.", "tools": tools}


def test_what_anthropic_counted_comes_back_as_it_was_written(server: RunningServer) -> None:
    assert count(server, ASKED).content == COUNTED


def test_a_whole_request_of_claude_code_is_counted_with_its_betas(
    server: RunningServer, scripted_provider: ScriptedProvider
) -> None:
    """What adds nothing to the prompt is left out: where tokens are counted it is refused."""
    body = json.loads(claude_code.body(CLAUDE))
    sent = claude_code.headers(server.agent.api_key)
    answer = httpx.post(f"{server.url}{PATH}", json=body, headers=dict(sent), timeout=30)
    assert answer.json()["input_tokens"] == 4321
    asked = only_request(scripted_provider)
    assert asked.headers["anthropic-beta"] == claude_code.BETAS
    left_out = {"max_tokens", "stream", "metadata"}
    assert asked.json == {name: value for name, value in body.items() if name not in left_out}


@proves("tokens-are-counted-for-free")
@pytest.mark.parametrize("model", [GPT, "ainfera-inference", "ainfera-auto", "nobody-knows-it"])
def test_every_other_model_gets_an_estimate_that_says_so(
    server: RunningServer, scripted_provider: ScriptedProvider, model: str
) -> None:
    body = ASKED | {"model": model}
    require_estimate(count(server, body), body)
    assert scripted_provider.requests == []


def test_what_anthropic_cannot_count_is_estimated(
    server: RunningServer, scripted_provider: ScriptedProvider
) -> None:
    for status in (400, 401, 404, 429, 500, 529):
        scripted_provider.fails(status=status)
        require_estimate(count(server, ASKED), ASKED)
    for body in (b"{}", b'{"input_tokens": -1}', b'{"input_tokens": "12"}', b"[[", b"{}" * 9):
        scripted_provider.sends(body)
        require_estimate(count(server, ASKED), ASKED)
    scripted_provider.sends_html()
    require_estimate(count(server, ASKED), ASKED)


def test_a_failed_count_says_nothing_about_the_model(
    server: RunningServer, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.fails(status=500, times=9)
    for _ in range(9):
        count(server, ASKED)
    scripted_provider.answers("Still here.")
    answer = server.post("/v1/messages", ASKED | {"max_tokens": 9})
    assert json_of(answer)["content"][0]["text"] == "Still here."


def test_without_a_key_of_anthropics_there_is_an_estimate(
    server: RunningServer, house: House, scripted_provider: ScriptedProvider
) -> None:
    endpoint = house.endpoints.pop("anthropic")
    try:
        require_estimate(count(server, ASKED), ASKED)
    finally:
        house.endpoints["anthropic"] = endpoint
    assert scripted_provider.requests == []


@proves("no-free-or-double-charge", "tokens-are-counted-for-free")
def test_counting_costs_nothing_and_leaves_no_trace_even_with_an_empty_wallet(
    server: RunningServer,
) -> None:
    own = server.agent.agent_id
    newborn = {"tenant_id": server.agent.tenant_id, "name": "heir"}
    heir = json_of(server.post("/v1/agents/register", newborn), 201)
    everything = {"from": own, "to": heir["id"], "amount_usd": "5"}
    json_of(server.post("/v1/wallets/move", everything), 201)
    places = (f"/v1/wallets/{own}", f"/v1/audit/{own}", f"/v1/ledger/{own}")
    before = [json_of(server.get(place)) for place in places]
    for model in (CLAUDE, GPT, "ainfera-inference"):
        count(server, ASKED | {"model": model})
    assert [json_of(server.get(place)) for place in places] == before
    assert server.post("/v1/messages", ASKED | {"max_tokens": 9}).status_code == 402


def test_what_the_owner_does_not_allow_is_not_shown_to_anthropic(
    server: RunningServer, house: House, scripted_provider: ScriptedProvider
) -> None:
    httpx.patch(
        f"{server.url}/v1/agents/{server.agent.agent_id}/spend-policy",
        json={"allowed_providers": ["openai"]},
        headers=dict(server.agent.headers),
        timeout=30,
    )
    require_estimate(count(server, ASKED), ASKED)
    paused = house.newcomer()
    house.pause(paused.agent.agent_id)
    require_estimate(count(paused, ASKED), ASKED)
    assert scripted_provider.requests == []


@pytest.mark.parametrize(
    "field",
    [
        {"mcp_servers": [{"type": "url", "url": "https://example.com/mcp", "name": "x"}]},
        {"compaction": {"type": "auto"}},
        {"context_management": {"edits": [{"type": "compact_20260112"}]}},
    ],
)
def test_what_would_be_refused_as_a_message_is_counted_here_alone(
    server: RunningServer, scripted_provider: ScriptedProvider, field: dict[str, object]
) -> None:
    require_estimate(count(server, ASKED | field), ASKED | field)
    assert scripted_provider.requests == []


def test_a_tool_whose_cost_has_no_bound_may_be_counted(server: RunningServer) -> None:
    tools = [{"type": "code_execution_20260521", "name": "code_execution"}]
    assert count(server, ASKED | {"tools": tools}).json() == json.loads(COUNTED)


@proves("errors-speak-the-callers-dialect")
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"model": "m"}', b'{"model": "m", "messages": []}', b"\xff"]
)
def test_what_cannot_be_read_is_refused_in_anthropics_words(
    server: RunningServer, body: bytes
) -> None:
    headers = {**server.agent.headers, "content-type": "application/json"}
    answer = httpx.post(f"{server.url}{PATH}", content=body, headers=headers, timeout=30)
    assert 400 <= answer.status_code < 500
    told = answer.json()
    assert told["type"] == "error"
    assert told["error"]["type"] == "invalid_request_error"
    assert told["request_id"] == answer.headers["request-id"]


def test_nobody_counts_without_a_key(server: RunningServer) -> None:
    stranger = replace(server, agent=replace(server.agent, api_key="nobody"))
    answer = stranger.post(PATH, ASKED)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "authentication_error"
