"""Anthropic's own client, unchanged: plain, streamed, with tools, pictures and all options."""

import json
from typing import Any

import anthropic
import pytest
from anthropic.types import MessageParam, TextBlock, ToolParam, ToolUseBlock

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

USER: MessageParam = {"role": "user", "content": QUESTION}
TOOL: ToolParam = {"name": "weather", "description": "Looks outside.", "input_schema": SCHEMA}
EVERY_MODEL = pytest.mark.parametrize("model", [CLAUDE, GPT, MISTRAL])
"""The caller's own dialect, another one, and a provider with its own reading of the other."""
COUNTED_IN_STREAMS = {CLAUDE: range(7, 8), GPT: range(7, 8), MISTRAL: range(9, 17)}
"""Mistral is not asked to count in a stream, so the answer has the estimate that is billed."""


@proves("vendor-clients-work")
@EVERY_MODEL
def test_a_plain_answer_is_read_with_its_usage(
    anthropic_client: anthropic.Anthropic, model: str
) -> None:
    answer = anthropic_client.messages.create(model=model, messages=[USER], max_tokens=64)

    assert [(one.type, text_of(one)) for one in answer.content] == [("text", DEFAULT_TEXT)]
    assert answer.role == "assistant"
    assert answer.id.startswith("msg_")
    assert answer.stop_reason == "end_turn"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 7)


async def test_the_asyncio_client_reads_a_plain_answer_and_a_stream(
    async_anthropic_client: anthropic.AsyncAnthropic,
) -> None:
    asked = async_anthropic_client.messages
    answer = await asked.create(model=GPT, messages=[USER], max_tokens=64)
    async with asked.stream(model=GPT, messages=[USER], max_tokens=64) as stream:
        said = [text async for text in stream.text_stream]

    assert text_of(answer.content[0]) == DEFAULT_TEXT
    assert len(said) > 3
    assert "".join(said) == DEFAULT_TEXT


@proves("vendor-clients-work")
@EVERY_MODEL
def test_a_stream_has_every_event_in_its_place(
    anthropic_client: anthropic.Anthropic, scripted_provider: ScriptedProvider, model: str
) -> None:
    scripted_provider.answers("Looking outside.", tool_calls=CALLS)

    events = list(
        anthropic_client.messages.create(
            model=model, messages=[USER], max_tokens=64, tools=[TOOL], stream=True
        )
    )

    kinds = [event.type for event in events]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    opened = [event.index for event in events if event.type == "content_block_start"]
    closed = [event.index for event in events if event.type == "content_block_stop"]
    assert opened == closed == [0, 1, 2]
    is_open: int | None = None
    for event in events:
        match event.type:
            case "content_block_start":
                assert is_open is None
                is_open = event.index
            case "content_block_delta":
                assert event.index == is_open
            case "content_block_stop":
                assert event.index == is_open
                is_open = None
            case _:
                assert is_open is None


@proves("vendor-clients-work")
@EVERY_MODEL
def test_the_clients_own_accumulator_puts_a_stream_together(
    anthropic_client: anthropic.Anthropic, scripted_provider: ScriptedProvider, model: str
) -> None:
    scripted_provider.answers("Looking outside.", tool_calls=CALLS)

    with anthropic_client.messages.stream(
        model=model, messages=[USER], max_tokens=64, tools=[TOOL]
    ) as stream:
        said = "".join(stream.text_stream)
        answer = stream.get_final_message()

    assert said == "Looking outside."
    text, *calls = answer.content
    assert text_of(text) == "Looking outside."
    assert [called(one) for one in calls] == [
        (one.call_id, one.name, json.loads(one.arguments)) for one in CALLS
    ]
    assert answer.stop_reason == "tool_use"
    assert answer.usage.output_tokens in COUNTED_IN_STREAMS[model]


@EVERY_MODEL
def test_a_stream_counts_the_input_from_its_first_event(
    anthropic_client: anthropic.Anthropic, model: str
) -> None:
    """What a provider counts only at its end is an estimate until then."""
    stream = anthropic_client.messages.create(
        model=model, messages=[USER], max_tokens=64, stream=True
    )
    first = next(event for event in stream if event.type == "message_start")

    assert first.message.usage.input_tokens > 0
    stream.close()


@proves("vendor-clients-work")
@EVERY_MODEL
def test_parallel_tool_calls_come_out_and_their_results_go_back(
    anthropic_client: anthropic.Anthropic, scripted_provider: ScriptedProvider, model: str
) -> None:
    scripted_provider.answers("", tool_calls=CALLS, times=1)
    asked = anthropic_client.messages.create(
        model=model, messages=[USER], max_tokens=64, tools=[TOOL]
    )
    assert asked.stop_reason == "tool_use"
    assert [called(one)[0] for one in asked.content] == list(RESULTS)

    turn: MessageParam = {"role": "assistant", "content": asked.content}
    results: MessageParam = {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": call_id, "content": text}
            for call_id, text in RESULTS.items()
        ],
    }
    answer = anthropic_client.messages.create(
        model=model, messages=[USER, turn, results], max_tokens=64, tools=[TOOL]
    )

    assert text_of(answer.content[0]) == DEFAULT_TEXT
    said: Any = scripted_provider.requests[-1].json["messages"]
    if model == CLAUDE:
        assert said[2] == results
        return
    assert [one["role"] for one in said] == ["user", "assistant", "tool", "tool"]
    assert [
        (one["id"], one["function"]["name"], json.loads(one["function"]["arguments"]))
        for one in said[1]["tool_calls"]
    ] == [(one.call_id, one.name, json.loads(one.arguments)) for one in CALLS]
    assert [(one["tool_call_id"], one["content"]) for one in said[2:]] == list(RESULTS.items())


@pytest.mark.parametrize(
    ("choice", "in_openais_words"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        (
            {"type": "tool", "name": "weather"},
            {"type": "function", "function": {"name": "weather"}},
        ),
    ],
    ids=["auto", "any", "none", "tool"],
)
def test_a_forced_choice_of_tools_reaches_either_kind_of_provider(
    anthropic_client: anthropic.Anthropic,
    scripted_provider: ScriptedProvider,
    choice: Any,
    in_openais_words: Any,
) -> None:
    for model in (CLAUDE, GPT):
        anthropic_client.messages.create(
            model=model, messages=[USER], max_tokens=64, tools=[TOOL], tool_choice=choice
        )

    to_claude, to_gpt = (received.json for received in scripted_provider.requests)
    assert to_claude["tools"] == [TOOL]
    assert to_claude["tool_choice"] == choice
    function = {"name": "weather", "description": "Looks outside.", "parameters": SCHEMA}
    assert to_gpt["tools"] == [{"type": "function", "function": function}]
    assert to_gpt["tool_choice"] == in_openais_words


def test_one_tool_at_a_time_reaches_either_kind_of_provider(
    anthropic_client: anthropic.Anthropic, scripted_provider: ScriptedProvider
) -> None:
    for model in (CLAUDE, GPT):
        anthropic_client.messages.create(
            model=model,
            messages=[USER],
            max_tokens=64,
            tools=[TOOL],
            tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        )

    to_claude, to_gpt = (received.json for received in scripted_provider.requests)
    assert to_claude["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert to_gpt["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    "system",
    [SYSTEM, [{"type": "text", "text": SYSTEM}, {"type": "text", "text": "And be polite."}]],
    ids=["text", "blocks"],
)
def test_system_prompts_reach_claude_as_they_are_and_gpt_as_its_first_message(
    anthropic_client: anthropic.Anthropic, scripted_provider: ScriptedProvider, system: Any
) -> None:
    for model in (CLAUDE, GPT):
        anthropic_client.messages.create(model=model, messages=[USER], max_tokens=64, system=system)

    to_claude, to_gpt = (received.json for received in scripted_provider.requests)
    assert to_claude["system"] == system
    assert to_claude["messages"] == [USER]
    assert to_gpt["messages"] == [{"role": "system", "content": system}, USER]


@EVERY_MODEL
def test_pictures_reach_models_that_see(
    anthropic_client: anthropic.Anthropic, scripted_provider: ScriptedProvider, model: str
) -> None:
    anthropic_client.messages.create(model=model, messages=[with_picture()], max_tokens=64)

    asked: Any = only_request(scripted_provider).json["messages"]
    if model == CLAUDE:
        assert asked == [with_picture()]
        return
    assert asked[0]["content"] == [
        {"type": "text", "text": QUESTION},
        {"type": "image_url", "image_url": {"url": PIXEL_URL}},
    ]


def test_a_picture_for_a_model_that_cannot_see_is_refused_before_anybody_is_asked(
    anthropic_client: anthropic.Anthropic, scripted_provider: ScriptedProvider
) -> None:
    with pytest.raises(anthropic.UnprocessableEntityError, match="does not take images") as refused:
        anthropic_client.messages.create(
            model="codestral-2508", messages=[with_picture()], max_tokens=64
        )

    assert refused.value.type == "invalid_request_error"
    assert scripted_provider.requests == []


def test_stop_sequences_and_sampling_reach_either_kind_of_provider(
    anthropic_client: anthropic.Anthropic, scripted_provider: ScriptedProvider
) -> None:
    for model in (CLAUDE, GPT):
        anthropic_client.messages.create(
            model=model,
            messages=[USER],
            max_tokens=33,
            stop_sequences=["END", "\n\n"],
            # The client no longer has words for these; who still sends them, sends them so.
            extra_body={"temperature": 0.5, "top_p": 0.9, "top_k": 5},
        )

    to_claude, to_gpt = (received.json for received in scripted_provider.requests)
    assert to_claude["stop_sequences"] == to_gpt["stop"] == ["END", "\n\n"]
    assert to_claude["temperature"] == to_gpt["temperature"] == 0.5
    assert to_claude["top_p"] == to_gpt["top_p"] == 0.9
    assert to_claude["max_tokens"] == to_gpt["max_completion_tokens"] == 33
    assert to_claude["top_k"] == 5
    assert "top_k" not in to_gpt


@EVERY_MODEL
@pytest.mark.parametrize(
    ("finish", "reason"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "refusal")],
)
def test_why_an_answer_ended_is_the_same_plain_and_streamed(
    anthropic_client: anthropic.Anthropic,
    scripted_provider: ScriptedProvider,
    model: str,
    finish: str,
    reason: str,
) -> None:
    scripted_provider.answers("Cut.", finish=finish)
    asked = anthropic_client.messages

    plain = asked.create(model=model, messages=[USER], max_tokens=64)
    with asked.stream(model=model, messages=[USER], max_tokens=64) as stream:
        streamed = stream.get_final_message()

    assert plain.stop_reason == streamed.stop_reason == reason


@EVERY_MODEL
def test_the_input_leaves_out_what_a_cache_had_a_part_in(
    anthropic_client: anthropic.Anthropic, scripted_provider: ScriptedProvider, model: str
) -> None:
    usage = Usage(input_tokens=10, cache_read_tokens=80, output_tokens=20)
    scripted_provider.answers(usage=usage)

    counted = anthropic_client.messages.create(model=model, messages=[USER], max_tokens=64).usage

    assert counted.input_tokens == 10
    assert counted.cache_read_input_tokens == 80
    assert counted.output_tokens == 20


def test_either_credential_opens_and_both_at_once_when_they_are_one(server: RunningServer) -> None:
    key = server.agent.api_key
    credentials: tuple[Any, ...] = (
        {"api_key": key},
        {"auth_token": key},
        {"api_key": key, "default_headers": both(key, key)},
    )
    for given in credentials:
        with anthropic.Anthropic(base_url=server.url, **given) as client:
            assert client.messages.create(model=CLAUDE, messages=[USER], max_tokens=64).content


def test_two_credentials_that_differ_open_nothing(server: RunningServer) -> None:
    other = server.sign_up("somebody-with-another-key")
    with (
        anthropic.Anthropic(
            base_url=server.url,
            api_key=server.agent.api_key,
            default_headers=both(server.agent.api_key, other.api_key),
        ) as undecided,
        pytest.raises(anthropic.AuthenticationError, match="Two different keys"),
    ):
        undecided.messages.create(model=CLAUDE, messages=[USER], max_tokens=64)


def test_the_client_lists_models_and_reads_one(anthropic_client: anthropic.Anthropic) -> None:
    listed = {model.id for model in anthropic_client.models.list(limit=1000)}
    assert {CLAUDE, GPT} <= listed
    assert anthropic_client.models.retrieve(CLAUDE).id == CLAUDE


def both(api_key: str, bearer: str) -> dict[str, str]:
    """As a helper program makes Claude Code do it; the client alone sends one of the two."""
    return {"x-api-key": api_key, "authorization": f"Bearer {bearer}"}


def text_of(block: object) -> str:
    """The words of a block that is text."""
    assert isinstance(block, TextBlock)
    return block.text


def called(block: object) -> tuple[str, str, object]:
    """A tool call as its id, name and arguments."""
    assert isinstance(block, ToolUseBlock)
    return block.id, block.name, block.input


def with_picture() -> MessageParam:
    return {
        "role": "user",
        "content": [
            {"type": "text", "text": QUESTION},
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
            },
        ],
    }
