"""OpenAI's own client, unchanged: plain, streamed, with tools, pictures and all options."""

import json
from typing import Any

import openai
import pytest
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionMessageParam,
    ChatCompletionToolParam,
)
from pydantic import BaseModel

from ainfera_server.conversation import Usage
from tests.clients.questions import (
    CALLS,
    CLAUDE,
    GPT,
    GPT_UPSTREAM,
    MISTRAL,
    MISTRAL_UPSTREAM,
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

USER: ChatCompletionMessageParam = {"role": "user", "content": QUESTION}
TOOL: ChatCompletionToolParam = {
    "type": "function",
    "function": {"name": "weather", "description": "Looks outside.", "parameters": SCHEMA},
}
UPSTREAM = {GPT: GPT_UPSTREAM, CLAUDE: CLAUDE, MISTRAL: MISTRAL_UPSTREAM}
EVERY_MODEL = pytest.mark.parametrize("model", [GPT, CLAUDE, MISTRAL])
"""The caller's own dialect, another one, and a provider with its own reading of the first."""


@proves("vendor-clients-work")
@EVERY_MODEL
def test_a_plain_answer_is_read_with_its_usage_and_our_own_field(
    openai_client: openai.OpenAI, server: RunningServer, model: str
) -> None:
    answer = openai_client.chat.completions.create(model=model, messages=[USER], max_tokens=64)

    (choice,) = answer.choices
    assert choice.message.role == "assistant"
    assert choice.message.content == DEFAULT_TEXT
    assert choice.finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 7)
    assert answer.usage.total_tokens == 18
    ours = ainfera(answer)
    assert ours["agent_id"] == server.agent.agent_id
    assert ours["model"] == model
    receipt = json_of(server.get(f"/v1/receipts/{ours['receipt_id']}"))
    assert receipt["inference_id"] == ours["inference_id"]


async def test_the_asyncio_client_reads_a_plain_answer_and_a_stream(
    async_openai_client: openai.AsyncOpenAI,
) -> None:
    asked = async_openai_client.chat.completions
    answer = await asked.create(model=CLAUDE, messages=[USER])
    stream = await asked.create(model=CLAUDE, messages=[USER], stream=True)
    said = [chunk.choices[0].delta.content or "" async for chunk in stream]

    assert answer.choices[0].message.content == DEFAULT_TEXT
    assert "".join(said) == DEFAULT_TEXT


@proves("vendor-clients-work")
@EVERY_MODEL
def test_a_stream_brings_words_one_by_one_then_why_it_ended(
    openai_client: openai.OpenAI, model: str
) -> None:
    stream = openai_client.chat.completions.create(model=model, messages=[USER], stream=True)
    chunks = list(stream)

    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    words = [one.choices[0].delta.content for one in chunks if one.choices[0].delta.content]
    assert len(words) > 3
    assert "".join(words) == DEFAULT_TEXT
    assert [one.choices[0].finish_reason for one in chunks[-2:]] == [None, "stop"]
    assert all(chunk.usage is None for chunk in chunks)


@pytest.mark.parametrize("model", [GPT, CLAUDE])
def test_a_stream_counts_its_tokens_in_a_last_chunk_only_when_asked(
    openai_client: openai.OpenAI, model: str
) -> None:
    stream = openai_client.chat.completions.create(
        model=model, messages=[USER], stream=True, stream_options={"include_usage": True}
    )
    *others, last = list(stream)

    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (11, 7)
    assert all(chunk.choices and chunk.usage is None for chunk in others)


@EVERY_MODEL
def test_the_clients_own_accumulator_puts_a_stream_together(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider, model: str
) -> None:
    scripted_provider.answers("Looking.", tool_calls=CALLS)

    with openai_client.chat.completions.stream(
        model=model, messages=[USER], tools=[strict(TOOL)]
    ) as stream:
        kinds = {event.type for event in stream}
        answer = stream.get_final_completion()

    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert "tool_calls.function.arguments.done" in kinds
    message = answer.choices[0].message
    assert message.content == "Looking."
    assert [(one.id, one.function.name) for one in message.tool_calls or ()] == [
        (one.call_id, one.name) for one in CALLS
    ]
    parsed = [one.function.parsed_arguments for one in message.tool_calls or ()]
    assert parsed == [json.loads(one.arguments) for one in CALLS]
    assert answer.choices[0].finish_reason == "tool_calls"


@proves("vendor-clients-work")
@EVERY_MODEL
def test_parallel_tool_calls_come_out_and_their_results_go_back(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider, model: str
) -> None:
    scripted_provider.answers("", tool_calls=CALLS, times=1)
    asked = openai_client.chat.completions.create(
        model=model, messages=[USER], tools=[TOOL], parallel_tool_calls=True
    )
    message = asked.choices[0].message
    calls = message.tool_calls or []
    assert message.content is None
    assert asked.choices[0].finish_reason == "tool_calls"
    assert [one.id for one in calls] == list(RESULTS)

    results: list[ChatCompletionMessageParam] = [
        {"role": "tool", "tool_call_id": one.id, "content": RESULTS[one.id]} for one in calls
    ]
    answer = openai_client.chat.completions.create(
        model=model,
        messages=[USER, {"role": "assistant", "tool_calls": as_sent(message)}, *results],
        tools=[TOOL],
    )

    assert answer.choices[0].message.content == DEFAULT_TEXT
    said: Any = scripted_provider.requests[-1].json["messages"]
    if model != CLAUDE:
        assert said == [USER, {"role": "assistant", "tool_calls": as_sent(message)}, *results]
        return
    assert [one["role"] for one in said] == ["user", "assistant", "user"]
    assert [(one["id"], one["name"], one["input"]) for one in said[1]["content"]] == [
        (one.call_id, one.name, json.loads(one.arguments)) for one in CALLS
    ]
    assert [(one["tool_use_id"], one["content"]) for one in said[2]["content"]] == list(
        RESULTS.items()
    )


@pytest.mark.parametrize(
    ("choice", "in_anthropics_words"),
    [
        ("auto", {"type": "auto"}),
        ("required", {"type": "any"}),
        ("none", {"type": "none"}),
        (
            {"type": "function", "function": {"name": "weather"}},
            {"type": "tool", "name": "weather"},
        ),
    ],
    ids=["auto", "required", "none", "named"],
)
def test_a_forced_choice_of_tools_reaches_either_kind_of_provider(
    openai_client: openai.OpenAI,
    scripted_provider: ScriptedProvider,
    choice: Any,
    in_anthropics_words: dict[str, str],
) -> None:
    for model in (GPT, CLAUDE):
        openai_client.chat.completions.create(
            model=model, messages=[USER], tools=[TOOL], tool_choice=choice
        )

    to_gpt, to_claude = (received.json for received in scripted_provider.requests)
    assert to_gpt["tools"] == [TOOL]
    assert to_gpt["tool_choice"] == choice
    assert to_claude["tools"] == [
        {"name": "weather", "description": "Looks outside.", "input_schema": SCHEMA}
    ]
    assert to_claude["tool_choice"] == in_anthropics_words


def test_system_prompts_reach_claude_as_its_system_and_gpt_as_they_are(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider
) -> None:
    developer: ChatCompletionMessageParam = {"role": "developer", "content": SYSTEM}
    for model in (GPT, CLAUDE):
        openai_client.chat.completions.create(model=model, messages=[developer, USER])

    to_gpt, to_claude = (received.json for received in scripted_provider.requests)
    assert to_gpt["messages"] == [developer, USER]
    assert to_claude["system"] == SYSTEM
    assert to_claude["messages"] == [USER]


@EVERY_MODEL
def test_pictures_reach_models_that_see(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider, model: str
) -> None:
    openai_client.chat.completions.create(model=model, messages=[with_picture()])

    (asked,) = sent_messages(scripted_provider)
    if model != CLAUDE:
        assert asked == with_picture()
        return
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    assert asked["content"] == [
        {"type": "text", "text": QUESTION},
        {"type": "image", "source": source},
    ]


def test_a_picture_for_a_model_that_cannot_see_is_refused_before_anybody_is_asked(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider
) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="does not take images") as refused:
        openai_client.chat.completions.create(model="codestral-2508", messages=[with_picture()])

    assert refused.value.code == "not_supported_by_backend"
    assert scripted_provider.requests == []


def test_stop_sequences_and_sampling_reach_either_kind_of_provider(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider
) -> None:
    for model in (GPT, CLAUDE):
        openai_client.chat.completions.create(
            model=model,
            messages=[USER],
            stop=["END", "\n\n"],
            temperature=0.5,
            top_p=0.9,
            seed=7,
            max_completion_tokens=33,
        )

    to_gpt, to_claude = (received.json for received in scripted_provider.requests)
    assert to_gpt["stop"] == ["END", "\n\n"]
    assert to_gpt["seed"] == 7
    assert to_gpt["max_completion_tokens"] == to_claude["max_tokens"] == 33
    assert to_claude["stop_sequences"] == ["END", "\n\n"]
    assert to_gpt["temperature"] == to_claude["temperature"] == 0.5
    assert to_gpt["top_p"] == to_claude["top_p"] == 0.9


@EVERY_MODEL
@pytest.mark.parametrize("finish", ["stop", "length", "content_filter"])
def test_why_an_answer_ended_is_the_same_plain_and_streamed(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider, model: str, finish: str
) -> None:
    scripted_provider.answers("Cut.", finish=finish)

    plain = openai_client.chat.completions.create(model=model, messages=[USER])
    stream = openai_client.chat.completions.create(model=model, messages=[USER], stream=True)

    assert plain.choices[0].finish_reason == finish
    assert [one.choices[0].finish_reason for one in stream][-1] == finish


@EVERY_MODEL
def test_the_prompt_includes_what_a_cache_had_a_part_in(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider, model: str
) -> None:
    usage = Usage(input_tokens=10, cache_read_tokens=80, output_tokens=20, reasoning_tokens=5)
    scripted_provider.answers(usage=usage)

    counted = openai_client.chat.completions.create(model=model, messages=[USER]).usage

    assert counted is not None
    assert (counted.prompt_tokens, counted.completion_tokens) == (90, 20)
    assert counted.prompt_tokens_details is not None
    assert counted.prompt_tokens_details.cached_tokens == 80


def test_the_client_lists_models_and_reads_one(openai_client: openai.OpenAI) -> None:
    listed = {model.id for model in openai_client.models.list()}
    assert {CLAUDE, GPT} <= listed
    assert openai_client.models.retrieve(GPT).id == GPT


class Weather(BaseModel):
    """What the client is told to make of an answer."""

    city: str
    degrees: int


@EVERY_MODEL
def test_an_answer_after_a_schema_is_parsed_by_the_client(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider, model: str
) -> None:
    scripted_provider.answers('{"city": "Paris", "degrees": 12}')

    answer = openai_client.chat.completions.parse(
        model=model, messages=[USER], response_format=Weather
    )

    assert answer.choices[0].message.parsed == Weather(city="Paris", degrees=12)
    asked: Any = only_request(scripted_provider).json
    if model == CLAUDE:
        schema = asked["output_config"]["format"]["schema"]
    else:
        schema = asked["response_format"]["json_schema"]["schema"]
    assert set(schema["properties"]) == {"city", "degrees"}


def ainfera(answer: ChatCompletion) -> dict[str, Any]:
    """What we say about an answer, inside it."""
    extra = answer.model_extra
    assert extra is not None
    return extra["ainfera"]


def as_sent(message: Any) -> Any:
    """The tool calls of an answer, as the next request repeats them."""
    return [one.model_dump(include={"id", "type", "function"}) for one in message.tool_calls]


def strict(tool: ChatCompletionToolParam) -> Any:
    """The accumulator parses arguments only of tools that are strict."""
    return {**tool, "function": {**tool["function"], "strict": True}}


def with_picture() -> ChatCompletionMessageParam:
    return {
        "role": "user",
        "content": [
            {"type": "text", "text": QUESTION},
            {"type": "image_url", "image_url": {"url": PIXEL_URL}},
        ],
    }


def sent_messages(provider: ScriptedProvider) -> Any:
    return only_request(provider).json["messages"]
