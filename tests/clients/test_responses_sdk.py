"""OpenAI's own client, unchanged, asking for responses: plain, streamed, with tools and schemas."""

import json
from typing import Any

import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from ainfera_server.conversation import ToolCall, Usage
from tests.clients.questions import (
    CALLS,
    CLAUDE,
    GPT,
    GPT_UPSTREAM,
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
from tests.running_server import RunningServer, json_of
from tests.scripted_provider import DEFAULT_TEXT, ScriptedProvider

PRO = "gpt-5-5-pro"
PRO_UPSTREAM = "gpt-5.5-pro"
TOOL: Any = {
    "type": "function",
    "name": "weather",
    "description": "Looks outside.",
    "parameters": SCHEMA,
    "strict": False,
}
EVERY_MODEL = pytest.mark.parametrize("model", [PRO, GPT, CLAUDE, MISTRAL])
"""The caller's own dialect, two others, and a provider with its own reading of one of them."""

OTHER_DIALECTS = pytest.mark.parametrize("model", [GPT, CLAUDE, MISTRAL])


@proves("vendor-clients-work")
@EVERY_MODEL
def test_a_plain_answer_is_read_with_its_usage_and_our_own_field(
    openai_client: openai.OpenAI, server: RunningServer, model: str
) -> None:
    answer = openai_client.responses.create(model=model, input=QUESTION, max_output_tokens=64)

    assert answer.output_text == DEFAULT_TEXT
    assert answer.status == "completed"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 7)
    assert answer.usage.total_tokens == 18
    ours = ainfera(answer)
    assert ours["agent_id"] == server.agent.agent_id
    assert ours["model"] == model
    receipt = json_of(server.get(f"/v1/receipts/{ours['receipt_id']}"))
    assert receipt["inference_id"] == ours["inference_id"]


async def test_the_asyncio_client_reads_a_plain_answer_and_a_stream(
    async_openai_client: openai.AsyncOpenAI,
) -> None:
    asked = async_openai_client.responses
    answer = await asked.create(model=CLAUDE, input=QUESTION)
    stream = await asked.create(model=CLAUDE, input=QUESTION, stream=True)
    said = [one.delta async for one in stream if one.type == "response.output_text.delta"]

    assert answer.output_text == DEFAULT_TEXT
    assert "".join(said) == DEFAULT_TEXT


@proves("vendor-clients-work")
@EVERY_MODEL
def test_a_stream_brings_words_one_by_one_then_the_whole_response(
    openai_client: openai.OpenAI, model: str
) -> None:
    events = list(openai_client.responses.create(model=model, input=QUESTION, stream=True))

    numbers = [one.sequence_number for one in events]
    assert numbers == list(range(len(events)))
    assert [one.type for one in events[:3]] == [
        *("response.created", "response.in_progress", "response.output_item.added")
    ]
    words = [one.delta for one in events if one.type == "response.output_text.delta"]
    assert len(words) > 3
    assert "".join(words) == DEFAULT_TEXT
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == DEFAULT_TEXT
    counted = last.response.usage
    assert counted is not None
    assert counted.total_tokens == counted.input_tokens + counted.output_tokens
    if model != MISTRAL:  # It does not count in a stream here, so that the count is an estimate.
        assert (counted.input_tokens, counted.output_tokens) == (11, 7)


@OTHER_DIALECTS
def test_the_clients_own_accumulator_puts_a_stream_together(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider, model: str
) -> None:
    scripted_provider.answers("Looking.", tool_calls=CALLS)

    strict: Any = {**TOOL, "strict": True}
    with openai_client.responses.stream(model=model, input=QUESTION, tools=[strict]) as stream:
        kinds = {event.type for event in stream}
        answer = stream.get_final_response()

    assert {"response.output_text.done", "response.function_call_arguments.done"} <= kinds
    assert answer.output_text == "Looking."
    calls = [one for one in answer.output if one.type == "function_call"]
    assert [(one.call_id, one.name, one.arguments) for one in calls] == [
        (one.call_id, one.name, one.arguments) for one in CALLS
    ]
    assert [one.parsed_arguments for one in calls] == [json.loads(one.arguments) for one in CALLS]


@proves("vendor-clients-work")
@OTHER_DIALECTS
@pytest.mark.parametrize("streams", [False, True], ids=["plain", "streamed"])
def test_parallel_tool_calls_come_out_and_their_results_go_back(
    openai_client: openai.OpenAI,
    scripted_provider: ScriptedProvider,
    model: str,
    streams: bool,  # noqa: FBT001 (pytest passes by name)
) -> None:
    """What was answered is handed back as it is, as OpenAI's guide tells to."""
    scripted_provider.answers("I look.", tool_calls=CALLS, times=1)
    conversation: list[Any] = [{"role": "user", "content": QUESTION}]
    asked: Any = {"model": model, "tools": [TOOL], "parallel_tool_calls": True}
    if streams:
        with openai_client.responses.stream(input=conversation, **asked) as stream:
            first: Response = stream.get_final_response()
    else:
        first = openai_client.responses.create(input=conversation, **asked)
    calls = [one for one in first.output if one.type == "function_call"]
    assert [one.call_id for one in calls] == list(RESULTS)

    conversation += first.output
    conversation += [
        {"type": "function_call_output", "call_id": one.call_id, "output": RESULTS[one.call_id]}
        for one in calls
    ]
    answer = openai_client.responses.create(input=conversation, **asked)

    assert answer.output_text == DEFAULT_TEXT
    said: Any = scripted_provider.requests[-1].json["messages"]
    if model == CLAUDE:
        assert [one["role"] for one in said] == ["user", "assistant", "user"]
        assert [one["tool_use_id"] for one in said[2]["content"]] == list(RESULTS)
        return
    assert [one["role"] for one in said] == ["user", "assistant", "tool", "tool"]
    assert said[1]["content"] == "I look."
    assert [
        (one["id"], one["function"]["name"], one["function"]["arguments"])
        for one in said[1]["tool_calls"]
    ] == [(one.call_id, one.name, one.arguments) for one in CALLS]
    assert [(one["tool_call_id"], one["content"]) for one in said[2:]] == list(RESULTS.items())


@pytest.mark.parametrize("streams", [False, True], ids=["plain", "streamed"])
def test_functions_of_a_namespace_come_back_with_both_their_names(
    openai_client: openai.OpenAI,
    scripted_provider: ScriptedProvider,
    streams: bool,  # noqa: FBT001 (pytest passes by name)
) -> None:
    """Codex keeps its tools for other agents in one."""
    namespace: Any = {
        "type": "namespace",
        "name": "agents",
        "description": "Other agents.",
        "tools": [{key: TOOL[key] for key in ("type", "name", "parameters")}],
    }
    call = ToolCall(call_id="c", name="ns--agents--weather", arguments="{}")
    scripted_provider.answers("", tool_calls=(call,))
    asked: Any = {"model": GPT, "input": QUESTION, "tools": [namespace]}
    if streams:
        with openai_client.responses.stream(**asked) as stream:
            (item,) = stream.get_final_response().output
    else:
        (item,) = openai_client.responses.create(**asked).output

    assert item.type == "function_call"
    assert (item.namespace, item.name) == ("agents", "weather")
    offered: Any = only_request(scripted_provider).json["tools"]
    assert [one["function"]["name"] for one in offered] == ["ns--agents--weather"]


class Weather(BaseModel):
    """What the client is told to make of an answer."""

    city: str
    degrees: int


@EVERY_MODEL
def test_an_answer_after_a_schema_is_parsed_by_the_client(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider, model: str
) -> None:
    scripted_provider.answers('{"city": "Paris", "degrees": 12}')

    answer = openai_client.responses.parse(model=model, input=QUESTION, text_format=Weather)

    assert answer.output_parsed == Weather(city="Paris", degrees=12)
    asked: Any = only_request(scripted_provider).json
    schema = {
        PRO: lambda: asked["text"]["format"]["schema"],
        CLAUDE: lambda: asked["output_config"]["format"]["schema"],
    }.get(model, lambda: asked["response_format"]["json_schema"]["schema"])()
    assert set(schema["properties"]) == {"city", "degrees"}


def test_instructions_pictures_and_limits_reach_every_kind_of_provider(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider
) -> None:
    picture: Any = [
        {"type": "input_text", "text": QUESTION},
        {"type": "input_image", "image_url": PIXEL_URL, "detail": "auto"},
    ]
    for model in (PRO, GPT, CLAUDE):
        openai_client.responses.create(
            model=model,
            instructions=SYSTEM,
            input=[{"role": "user", "content": picture}],
            max_output_tokens=33,
            temperature=0.5,
        )

    to_pro, to_gpt, to_claude = (received.json for received in scripted_provider.requests)
    assert (to_pro["model"], to_gpt["model"]) == (PRO_UPSTREAM, GPT_UPSTREAM)
    assert (to_pro["instructions"], to_claude["system"]) == (SYSTEM, SYSTEM)
    assert to_pro["input"] == [{"role": "user", "content": picture}]
    messages: Any = to_gpt["messages"]
    assert messages[0] == {"role": "system", "content": SYSTEM}
    assert messages[1]["content"][1] == {"type": "image_url", "image_url": {"url": PIXEL_URL}}
    messages = to_claude["messages"]
    assert messages[0]["content"][1]["source"]["data"] == PIXEL
    assert to_pro["max_output_tokens"] == to_gpt["max_completion_tokens"] == 33
    assert to_claude["max_tokens"] == 33
    assert to_pro["temperature"] == to_gpt["temperature"] == to_claude["temperature"] == 0.5


@EVERY_MODEL
@pytest.mark.parametrize(
    ("finish", "why"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_an_answer_that_was_cut_off_is_incomplete_plain_and_streamed(
    openai_client: openai.OpenAI,
    scripted_provider: ScriptedProvider,
    model: str,
    finish: str,
    why: str,
) -> None:
    scripted_provider.answers("Cut.", finish=finish)

    plain = openai_client.responses.create(model=model, input=QUESTION)
    *_, last = openai_client.responses.create(model=model, input=QUESTION, stream=True)

    assert last.type == "response.incomplete"
    for answer in (plain, last.response):
        assert answer.status == "incomplete"
        assert answer.incomplete_details is not None
        assert answer.incomplete_details.reason == why


@EVERY_MODEL
def test_the_input_includes_what_a_cache_had_a_part_in(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider, model: str
) -> None:
    usage = Usage(input_tokens=10, cache_read_tokens=80, output_tokens=20)
    scripted_provider.answers(usage=usage)

    counted = openai_client.responses.create(model=model, input=QUESTION).usage

    assert counted is not None
    assert (counted.input_tokens, counted.output_tokens) == (90, 20)
    assert counted.input_tokens_details.cached_tokens == 80


def test_nothing_is_kept_between_calls_and_who_names_it_is_told_what_to_do(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider
) -> None:
    first = openai_client.responses.create(model=GPT, input=QUESTION, store=True)
    assert first.model_extra is not None
    assert first.model_extra["store"] is False

    with pytest.raises(openai.BadRequestError, match="Send the items") as refused:
        openai_client.responses.create(model=GPT, input="And?", previous_response_id=first.id)
    assert refused.value.param == "previous_response_id"
    with pytest.raises(openai.NotFoundError):
        openai_client.responses.retrieve(first.id)
    assert only_request(scripted_provider).json["model"] == GPT_UPSTREAM


def ainfera(answer: Response) -> dict[str, Any]:
    """What we say about an answer, inside it."""
    extra = answer.model_extra
    assert extra is not None
    return extra["ainfera"]
