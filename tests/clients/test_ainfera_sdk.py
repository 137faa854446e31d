"""The published `ainfera` client asks models: plain, with tools, pictures and its own fields."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from ainfera import Agent, AinferaClient, AsyncAgent

from ainfera_server.conversation import Usage
from tests.clients.questions import (
    CALLS,
    CLAUDE,
    GPT,
    MISTRAL,
    PIXEL,
    PIXEL_URL,
    QUESTION,
    RESULTS,
    SCHEMA,
    SYSTEM,
    only_request,
)
from tests.promises import proves
from tests.running_server import RunningServer
from tests.scripted_provider import DEFAULT_TEXT, ScriptedProvider

USER: dict[str, Any] = {"role": "user", "content": QUESTION}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "weather", "description": "Looks outside.", "parameters": SCHEMA},
}
EVERY_MODEL = pytest.mark.parametrize("model", [GPT, CLAUDE, MISTRAL, "ainfera-inference"])


@proves("vendor-clients-work")
@EVERY_MODEL
def test_a_plain_answer_says_who_gave_it_and_what_it_cost(
    ainfera_agent: Agent, server: RunningServer, model: str
) -> None:
    answer = ainfera_agent.inference(model=model, messages=[USER], max_tokens=64)

    assert answer.content == answer.text == DEFAULT_TEXT
    assert answer.content_blocks is None
    assert answer.model_used == (MISTRAL if model == "ainfera-inference" else model)
    assert answer.finish_reason == "stop"
    assert (answer.input_tokens, answer.output_tokens) == (11, 7)
    assert answer.cost_usd > 0
    ainfera_agent.refresh()
    assert ainfera_agent.wallet.balance_usd == Decimal(5) - answer.cost_usd
    with AinferaClient(api_key=server.agent.api_key, base_url=server.url) as client:
        receipt = client.receipts.retrieve(answer.receipt_id)
    assert receipt.inference_id == answer.inference_id
    assert ainfera_agent.audit_chain.verify()


async def test_the_asyncio_client_reads_a_plain_answer(async_ainfera_agent: AsyncAgent) -> None:
    answer = await async_ainfera_agent.inference(model=CLAUDE, messages=[USER])

    assert answer.content == DEFAULT_TEXT
    assert answer.finish_reason_native == "end_turn"


@proves("vendor-clients-work")
@pytest.mark.parametrize("model", [GPT, CLAUDE])
def test_parallel_tool_calls_come_out_and_their_results_go_back(
    ainfera_agent: Agent, scripted_provider: ScriptedProvider, model: str
) -> None:
    scripted_provider.answers("", tool_calls=CALLS, times=1)
    asked = ainfera_agent.inference(
        model=model, messages=[USER], tools=[TOOL], tool_choice="required"
    )
    assert asked.finish_reason == "tool_calls"
    assert asked.content == ""
    blocks = asked.content_blocks or []
    assert [(one["type"], one["id"], one["name"], one["input"]) for one in blocks] == [
        ("tool_use", one.call_id, one.name, json.loads(one.arguments)) for one in CALLS
    ]
    choice = scripted_provider.requests[0].json["tool_choice"]
    assert choice == ({"type": "any"} if model == CLAUDE else "required")

    calls = [
        {
            "id": one["id"],
            "type": "function",
            "function": {"name": one["name"], "arguments": json.dumps(one["input"])},
        }
        for one in blocks
    ]
    results = [
        {"role": "tool", "tool_call_id": call_id, "content": text}
        for call_id, text in RESULTS.items()
    ]
    answer = ainfera_agent.inference(
        model=model,
        messages=[USER, {"role": "assistant", "tool_calls": calls}, *results],
        tools=[TOOL],
    )

    assert answer.content == DEFAULT_TEXT
    assert all(text in str(scripted_provider.requests[-1].json) for text in RESULTS.values())


def test_system_prompts_pictures_and_stop_sequences_reach_claude(
    ainfera_agent: Agent, scripted_provider: ScriptedProvider
) -> None:
    picture = {"type": "image_url", "image_url": {"url": PIXEL_URL}}
    ainfera_agent.inference(
        model=CLAUDE,
        messages=[
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": [{"type": "text", "text": QUESTION}, picture]},
        ],
        stop=["END"],
        temperature=0.5,
        max_tokens=33,
    )

    asked: Any = only_request(scripted_provider).json
    assert asked["system"] == SYSTEM
    assert asked["messages"][0]["content"][1]["source"]["data"] == PIXEL
    assert asked["stop_sequences"] == ["END"]
    assert (asked["temperature"], asked["max_tokens"]) == (0.5, 33)


@pytest.mark.parametrize(
    ("finish", "native"), [("stop", "end_turn"), ("length", "max_tokens")], ids=["stop", "length"]
)
def test_why_an_answer_ended_is_said_in_our_words_and_in_the_vendors(
    ainfera_agent: Agent, scripted_provider: ScriptedProvider, finish: str, native: str
) -> None:
    scripted_provider.answers("Cut.", finish=finish)

    answer = ainfera_agent.inference(model=CLAUDE, messages=[USER])

    assert (answer.finish_reason, answer.finish_reason_native) == (finish, native)


def test_the_input_includes_what_a_cache_had_a_part_in(
    ainfera_agent: Agent, scripted_provider: ScriptedProvider
) -> None:
    usage = Usage(input_tokens=10, cache_read_tokens=80, output_tokens=20)
    scripted_provider.answers(usage=usage)

    answers = [ainfera_agent.inference(model=model, messages=[USER]) for model in (GPT, CLAUDE)]

    assert [(one.input_tokens, one.output_tokens) for one in answers] == [(90, 20)] * 2


def test_what_is_said_to_us_stays_with_us(
    ainfera_agent: Agent, scripted_provider: ScriptedProvider
) -> None:
    answer = ainfera_agent.inference(
        model="ainfera-inference",
        messages=[USER],
        task_type="reasoning",
        routing_hint={"min_quality": "frontier"},
        caps={"budget": "1.00"},
    )

    # Which of the two is asked first depends on what went wrong with either a moment ago.
    assert answer.model_used in {GPT, CLAUDE}
    asked = only_request(scripted_provider).json
    assert not {"agent_id", "task_type", "routing_hint", "caps"} & set(asked)


@pytest.mark.parametrize("model", [GPT, CLAUDE])
def test_a_stream_of_the_native_route_has_the_form_of_chat_completions(
    server: RunningServer, scripted_provider: ScriptedProvider, model: str
) -> None:
    """The client itself cannot read a stream; whoever can reads this one like OpenAI's."""
    scripted_provider.answers("Looking outside.", tool_calls=CALLS)
    body: dict[str, Any] = {"model": model, "messages": [USER], "tools": [TOOL], "stream": True}
    body["stream_options"] = {"include_usage": True}

    with httpx.stream(
        "POST", f"{server.url}/v1/inference", json=body, headers=server.agent.headers
    ) as came:
        data = [line.removeprefix("data: ") for line in came.iter_lines() if line[:5] == "data:"]

    *written, done = data
    chunks: list[Any] = [json.loads(one) for one in written]
    assert done == "[DONE]"
    assert {one["object"] for one in chunks} == {"chat.completion.chunk"}
    deltas = [one["choices"][0]["delta"] for one in chunks if one["choices"]]
    assert "".join(one.get("content") or "" for one in deltas) == "Looking outside."
    calls = [call for one in deltas for call in one.get("tool_calls", ())]
    assert [call["id"] for call in calls if "id" in call] == list(RESULTS)
    assert [call["index"] for call in calls] == sorted(call["index"] for call in calls)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 7
