"""What the clients read from our headers and say in theirs, and what a repeated key means."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import openai
import pytest

from tests.clients.questions import CLAUDE, GPT
from tests.promises import proves
from tests.running_server import RunningServer, json_of
from tests.scripted_provider import DEFAULT_TEXT, ScriptedProvider

MESSAGES: Any = [{"role": "user", "content": "Say hello."}]
ROUTED = "ainfera-inference"
KEY = {"Idempotency-Key": "once-and-for-all"}


@proves("vendor-clients-work", "every-response-has-a-request-id")
def test_either_client_reads_our_headers_of_a_plain_answer(
    openai_client: openai.OpenAI, anthropic_client: anthropic.Anthropic, server: RunningServer
) -> None:
    chat = openai_client.chat.completions.with_raw_response.create(
        model=ROUTED, messages=MESSAGES, max_tokens=64
    )
    message = anthropic_client.messages.with_raw_response.create(
        model=ROUTED, messages=MESSAGES, max_tokens=64
    )

    for headers in (chat.headers, message.headers):
        require_ours(headers, server)
        receipt = json_of(server.get(f"/v1/receipts/{headers['x-ainfera-receipt-id']}"))
        assert f"{receipt['cost_usd']:.6f}" == headers["x-ainfera-cost-usd"]
    assert chat.parse().choices[0].message.content == DEFAULT_TEXT
    assert message.parse().stop_reason == "end_turn"
    assert chat.request_id == chat.headers["x-request-id"]
    assert message.request_id == message.headers["request-id"]


def test_either_client_reads_our_headers_before_a_stream_has_ended(
    openai_client: openai.OpenAI,
    anthropic_client: anthropic.Anthropic,
    scripted_provider: ScriptedProvider,
    server: RunningServer,
) -> None:
    scripted_provider.stalls_mid_stream(after_chunks=3)

    with (
        openai_client.chat.completions.with_streaming_response.create(
            model=GPT, messages=MESSAGES, stream=True
        ) as chat,
        anthropic_client.messages.with_streaming_response.create(
            model=CLAUDE, messages=MESSAGES, max_tokens=64, stream=True
        ) as message,
    ):
        for headers in (chat.headers, message.headers):
            require_ours(headers, server)
            assert headers["x-ainfera-stream-mode"] == "native"
            assert "x-ainfera-cost-usd" not in headers
        scripted_provider.releases()


def test_default_headers_and_queries_of_a_client_do_no_harm(
    server: RunningServer, scripted_provider: ScriptedProvider
) -> None:
    extras: Any = {
        "default_headers": {"x-of-my-own": "1", "x-ainfera-agent-id": "nobody"},
        "default_query": {"api-version": "2024-10-21"},
    }
    key = server.agent.api_key
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, **extras) as client:
        chat = client.chat.completions.with_raw_response.create(model=GPT, messages=MESSAGES)
    with anthropic.Anthropic(base_url=server.url, api_key=key, **extras) as client:
        message = client.messages.with_raw_response.create(
            model=CLAUDE, messages=MESSAGES, max_tokens=64
        )

    for headers in (chat.headers, message.headers):
        assert headers["x-ainfera-agent-id"] == server.agent.agent_id
    for received in scripted_provider.requests:
        assert "x-of-my-own" not in received.headers
        assert received.headers["user-agent"] == "ainfera-server"
        assert not any(name.startswith("x-stainless-") for name in received.headers)


@proves("retries-are-safe")
def test_the_same_key_of_the_openai_client_asks_and_costs_once(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider, server: RunningServer
) -> None:
    asked: Any = {"model": GPT, "messages": MESSAGES, "max_tokens": 64, "extra_headers": KEY}
    first = openai_client.chat.completions.create(**asked)
    again = openai_client.chat.completions.create(**asked)

    assert again == first
    assert len(scripted_provider.requests) == 1
    wallet = json_of(server.get(f"/v1/wallets/{server.agent.agent_id}"))
    assert first.model_extra is not None
    spent = float(first.model_extra["ainfera"]["cost_usd"])
    assert float(wallet["balance_usd"]) == pytest.approx(5 - spent, abs=1e-9)

    asked["max_tokens"] = 65
    with pytest.raises(openai.UnprocessableEntityError, match="another body") as refused:
        openai_client.chat.completions.create(**asked)
    assert refused.value.code == "idempotency_key_conflict"
    assert refused.value.request.headers["x-stainless-retry-count"] == "0"


@proves("retries-are-safe")
def test_the_same_key_of_the_anthropic_client_gives_the_same_stream_again(
    anthropic_client: anthropic.Anthropic, scripted_provider: ScriptedProvider
) -> None:
    asked: Any = {"model": CLAUDE, "messages": MESSAGES, "max_tokens": 64, "extra_headers": KEY}
    answers: list[object] = []
    for _ in range(2):
        with anthropic_client.messages.stream(**asked) as stream:
            answers.append(stream.get_final_message())

    assert answers[0] == answers[1]
    assert len(scripted_provider.requests) == 1
    asked["max_tokens"] = 65
    with pytest.raises(anthropic.UnprocessableEntityError, match="another body"):
        anthropic_client.messages.create(**asked)


@proves("retries-are-safe")
def test_a_key_in_use_makes_the_client_wait_and_then_have_the_first_answer(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider
) -> None:
    """The second call is told to come back in a second, and does so by itself."""
    scripted_provider.is_silent(times=1)
    asked: Any = {"model": GPT, "messages": MESSAGES, "max_tokens": 64, "extra_headers": KEY}
    with ThreadPoolExecutor() as pool:
        first = pool.submit(openai_client.chat.completions.create, **asked)
        assert scripted_provider.saw_a_client_come()

        with pytest.raises(openai.ConflictError, match="still runs") as refused:
            openai_client.with_options(max_retries=0).chat.completions.create(**asked)
        assert refused.value.code == "idempotency_key_in_progress"
        assert refused.value.response.headers["retry-after"] == "1"
        again = pool.submit(openai_client.chat.completions.create, **asked)
        scripted_provider.releases()

    assert first.result() == again.result()


@proves("routes-agree")
@pytest.mark.parametrize("streams", [False, True], ids=["plain", "streamed"])
def test_every_name_of_the_router_gives_the_same_decision_in_either_client(
    openai_client: openai.OpenAI,
    anthropic_client: anthropic.Anthropic,
    server: RunningServer,
    streams: bool,  # noqa: FBT001 (pytest passes by name)
) -> None:
    decisions: list[str] = []
    for name in (ROUTED, "ainfera-mithril", "ainfera-auto", "ainfera/auto"):
        asked: Any = {"model": name, "messages": MESSAGES, "max_tokens": 64, "stream": streams}
        chat = openai_client.chat.completions.with_raw_response.create(**asked)
        message = anthropic_client.messages.with_raw_response.create(**asked)
        for raw in (chat, message):
            for _ in raw.parse() if streams else ():
                pass
            decisions.append(decision_of(server, raw.headers["x-ainfera-inference-id"]))

    assert len(decisions) == 8
    assert len(set(decisions)) == 1


def decision_of(server: RunningServer, inference_id: str) -> str:
    """Everything in a decision that is not an id or a moment."""
    decision = json_of(server.get(f"/v1/inferences/{inference_id}/decision"))
    assert decision["inference_id"] == inference_id
    same = ("candidates", "chosen_model_slug", "cost_projected", "decision_rule", "policy_version")
    return json.dumps([decision[name] for name in same])


def require_ours(headers: Mapping[str, str], server: RunningServer) -> None:
    """Everything that is known before the first word of an answer."""
    agent_id = server.agent.agent_id
    assert headers["x-ainfera-agent-id"] == agent_id
    assert headers["x-ainfera-audit-url"] == f"{server.url}/v1/audit/{agent_id}"
    assert headers["x-ainfera-model"]
    assert headers["x-ainfera-provider"]
    assert headers["x-ainfera-inference-id"] != headers["x-ainfera-receipt-id"]
    assert headers["request-id"] == headers["x-request-id"]
