"""What the scripted provider sends is what the vendors send: their own SDKs say so."""

import anthropic
import openai
import pytest
from anthropic.types import ToolUseBlock
from openai.types.chat import ChatCompletionMessageFunctionToolCall

from ainfera_server.conversation import ToolCall, Usage
from tests.scripted_provider import DEFAULT_KEY, DEFAULT_TEXT, ScriptedProvider

TOOL_CALLS = (
    ToolCall(call_id="call_1", name="weather", arguments='{"city":"Zürich","days":3}'),
    ToolCall(call_id="call_2", name="now", arguments="{}"),
)
USAGE = Usage(input_tokens=20, cache_read_tokens=5, output_tokens=9, reasoning_tokens=2)
PROMPT_TOKENS = USAGE.input_tokens + USAGE.cache_read_tokens


def openai_client(provider: ScriptedProvider) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=provider.base_url, api_key=DEFAULT_KEY, max_retries=0)


def anthropic_client(provider: ScriptedProvider) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=provider.root_url, api_key=DEFAULT_KEY, max_retries=0)


async def test_openai_reads_a_plain_chat_completion(scripted_provider: ScriptedProvider) -> None:
    scripted_provider.answers("Let me look.", tool_calls=TOOL_CALLS, usage=USAGE)
    async with openai_client(scripted_provider) as client:
        answer = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hello"}]
        )
    message = answer.choices[0].message
    assert message.content == "Let me look."
    assert answer.choices[0].finish_reason == "tool_calls"
    assert chat_tool_calls(message.tool_calls) == TOOL_CALLS
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == PROMPT_TOKENS


def chat_tool_calls(calls: object) -> tuple[ToolCall, ...]:
    assert isinstance(calls, list)
    found: list[ToolCall] = []
    for call in calls:
        assert isinstance(call, ChatCompletionMessageFunctionToolCall)
        told = call.function
        found.append(ToolCall(call_id=call.id, name=told.name, arguments=told.arguments))
    return tuple(found)


async def test_openai_reads_a_streamed_chat_completion(
    scripted_provider: ScriptedProvider,
) -> None:
    scripted_provider.answers("Let me look.", tool_calls=TOOL_CALLS, usage=USAGE)
    async with (
        openai_client(scripted_provider) as client,
        client.chat.completions.stream(
            model="m",
            messages=[{"role": "user", "content": "Hello"}],
            stream_options={"include_usage": True},
        ) as stream,
    ):
        answer = await stream.get_final_completion()
    message = answer.choices[0].message
    assert message.content == "Let me look."
    assert [(one.id, one.function.arguments) for one in message.tool_calls or ()] == [
        (one.call_id, one.arguments) for one in TOOL_CALLS
    ]
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == PROMPT_TOKENS


@pytest.mark.parametrize("finish", ["stop", "length"])
async def test_openai_reads_plain_and_streamed_responses(
    scripted_provider: ScriptedProvider, finish: str
) -> None:
    scripted_provider.answers("Let me look.", tool_calls=TOOL_CALLS, usage=USAGE, finish=finish)
    async with openai_client(scripted_provider) as client:
        plain = await client.responses.create(model="m", input="Hello")
        async with client.responses.stream(model="m", input="Hello") as stream:
            events = [event async for event in stream]
    last = events[-1]
    assert last.type == {"stop": "response.completed", "length": "response.incomplete"}[finish]
    for answer in (plain, getattr(last, "response")):  # noqa: B009  (not every event has one)
        assert answer.output_text == "Let me look."
        calls = [one for one in answer.output if one.type == "function_call"]
        assert [(one.call_id, one.arguments) for one in calls] == [
            (one.call_id, one.arguments) for one in TOOL_CALLS
        ]
        assert answer.usage is not None
        assert answer.usage.total_tokens == PROMPT_TOKENS + USAGE.output_tokens


async def test_anthropic_reads_plain_and_streamed_messages(
    scripted_provider: ScriptedProvider,
) -> None:
    scripted_provider.answers("Let me look.", tool_calls=TOOL_CALLS, usage=USAGE)
    async with anthropic_client(scripted_provider) as client:
        plain = await client.messages.create(
            model="m", max_tokens=10, messages=[{"role": "user", "content": "Hello"}]
        )
        async with client.messages.stream(
            model="m", max_tokens=10, messages=[{"role": "user", "content": "Hello"}]
        ) as stream:
            streamed = await stream.get_final_message()
    for answer in (plain, streamed):
        text, *calls = answer.content
        assert text.type == "text"
        assert text.text == "Let me look."
        assert [one.input for one in calls if isinstance(one, ToolUseBlock)] == [
            {"city": "Zürich", "days": 3},
            {},
        ]
        assert answer.stop_reason == "tool_use"
        assert answer.usage.input_tokens == USAGE.input_tokens
        assert answer.usage.cache_read_input_tokens == USAGE.cache_read_tokens
        assert answer.usage.output_tokens == USAGE.output_tokens


async def test_each_vendor_knows_its_own_errors(scripted_provider: ScriptedProvider) -> None:
    scripted_provider.fails(status=429, retry_after=1)
    async with openai_client(scripted_provider) as client:
        with pytest.raises(openai.RateLimitError, match="told to fail") as limited:
            await client.responses.create(model="m", input="Hello")
    assert limited.value.code == "rate_limit_exceeded"
    async with anthropic_client(scripted_provider) as client:
        with pytest.raises(anthropic.RateLimitError, match="told to fail"):
            await client.messages.create(
                model="m", max_tokens=10, messages=[{"role": "user", "content": "Hello"}]
            )


async def test_each_vendor_knows_its_own_error_inside_a_stream(
    scripted_provider: ScriptedProvider,
) -> None:
    scripted_provider.errs_mid_stream()
    async with openai_client(scripted_provider) as client:
        with pytest.raises(openai.APIError, match="Overloaded"):
            async with client.chat.completions.stream(
                model="m", messages=[{"role": "user", "content": "Hello"}]
            ) as chat:
                await chat.until_done()
    async with anthropic_client(scripted_provider) as client:
        with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            async with client.messages.stream(
                model="m", max_tokens=10, messages=[{"role": "user", "content": "Hello"}]
            ) as messages:
                await messages.until_done()


async def test_what_is_told_for_a_model_goes_before_what_is_told_for_all(
    scripted_provider: ScriptedProvider,
) -> None:
    scripted_provider.fails(status=503)
    scripted_provider.fails(status=429, model="good", times=1)
    scripted_provider.answers(model="good")
    async with openai_client(scripted_provider) as client:
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(model="good", messages=[])
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(model="bad", messages=[])
        answer = await client.chat.completions.create(model="good", messages=[])
    assert answer.choices[0].message.content == DEFAULT_TEXT
    assert [one.model for one in scripted_provider.requests] == ["good", "bad", "good"]
