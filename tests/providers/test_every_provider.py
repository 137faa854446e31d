"""The same cases for every provider that we can call, over real HTTP, in what its vendor speaks."""

import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from ainfera_server.conversation import Ended, TextDelta, ToolCall, ToolCallDelta, Usage
from ainfera_server.errors import FailureReason, ProviderFailed
from ainfera_server.providers import PROVIDERS, transport
from ainfera_server.providers.openai import OPENAI
from ainfera_server.providers.provider import Provider
from tests.promises import proves
from tests.providers import asking, vendor_errors
from tests.providers.asking import OUTPUT_TOKENS_MAX, WEATHER, Asking
from tests.providers.vendor_errors import Worded
from tests.scripted_provider import DEFAULT_KEY, DEFAULT_TEXT, ScriptedProvider

RESPONSES = replace(OPENAI, slug="openai-responses", dialect="openai_responses")
"""OpenAI's models of the other tier are asked in another dialect at the same address."""

EVERY = (*PROVIDERS, RESPONSES)
CALL = ToolCall(call_id="call_1", name="weather", arguments='{"city":"Köln"}')
COUNTED = Usage(
    input_tokens=31, cache_read_tokens=7, cache_write_tokens=0, output_tokens=13, reasoning_tokens=5
)
ERRORS: tuple[tuple[int, FailureReason], ...] = (
    (400, "rejected"),
    (401, "credential_refused"),
    (403, "credential_refused"),
    (404, "model_unavailable"),
    (429, "rate_limited"),
    (500, "unavailable"),
    (503, "unavailable"),
    (529, "unavailable"),
)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""To read what the machine trusts takes longer than a test, and nobody here speaks TLS."""


@pytest_asyncio.fixture(params=EVERY, ids=lambda one: one.slug)
async def asked(
    request: pytest.FixtureRequest, scripted_provider: ScriptedProvider
) -> AsyncIterator[Asking]:
    """Every provider in turn."""
    provider: Provider = request.param
    async with transport.opened(tls=NO_TLS) as opened:
        yield asking.of(opened, provider, scripted_provider)


async def test_it_answers_plainly_and_says_what_it_used(
    asked: Asking, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.answers(usage=COUNTED)
    reply = await asked.whole()
    text = "".join(part.text for part in reply.parts if not isinstance(part, ToolCall))
    assert (text, reply.finish_reason) == (DEFAULT_TEXT, "stop")
    assert reply.usage == counted(asked)


async def test_it_streams_the_same_words_and_the_same_usage(
    asked: Asking, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.answers(usage=COUNTED)
    events = await asked.streamed()
    assert "".join(one.text for one in events if isinstance(one, TextDelta)) == DEFAULT_TEXT
    assert isinstance(events[-1], Ended)
    assert events[-1].finish_reason == "stop"
    assert events[-1].usage == streamed_usage(asked)


async def test_it_calls_tools_with_the_arguments_that_the_model_wrote(
    asked: Asking, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.answers("", tool_calls=(CALL,))
    reply = await asked.whole(WEATHER)
    (call,) = (part for part in reply.parts if isinstance(part, ToolCall))
    assert (call.name, json.loads(call.arguments)) == (CALL.name, json.loads(CALL.arguments))
    events = await asked.streamed(WEATHER)
    pieces = "".join(one.arguments for one in events if isinstance(one, ToolCallDelta))
    assert json.loads(pieces) == json.loads(CALL.arguments)
    assert isinstance(events[-1], Ended)
    assert events[-1].finish_reason == "tool_calls"
    assert all("weather" in str(one.json["tools"]) for one in scripted_provider.requests)


async def test_it_is_told_the_limit_by_the_name_it_knows(
    asked: Asking, scripted_provider: ScriptedProvider
) -> None:
    await asked.whole()
    (request,) = scripted_provider.requests
    names = [name for name, value in request.json.items() if value == OUTPUT_TOKENS_MAX]
    wanted = {
        "openai_chat": asked.endpoint.provider.quirks.max_tokens_field,
        "openai_responses": "max_output_tokens",
        "anthropic_messages": "max_tokens",
    }
    assert names == [wanted[asked.dialect]]


async def test_stream_options_go_only_where_they_are_taken(
    asked: Asking, scripted_provider: ScriptedProvider
) -> None:
    await asked.streamed()
    (request,) = scripted_provider.requests
    takes = asked.dialect == "openai_chat" and asked.endpoint.provider.quirks.takes_stream_options
    assert ("stream_options" in request.json) == takes


@proves("secrets-stay")
async def test_the_key_travels_in_one_header_and_nowhere_else(
    asked: Asking, scripted_provider: ScriptedProvider
) -> None:
    await asked.whole()
    (request,) = scripted_provider.requests
    holding = [name for name, value in request.headers.items() if DEFAULT_KEY in value]
    needs_key = asked.endpoint.provider.key_variable is not None
    theirs = "x-api-key" if asked.dialect == "anthropic_messages" else "authorization"
    assert holding == ([theirs] if needs_key else [])
    assert DEFAULT_KEY.encode() not in request.body
    assert DEFAULT_KEY not in request.path + request.query


async def test_a_status_means_the_same_whoever_answers_with_it(
    asked: Asking, scripted_provider: ScriptedProvider
) -> None:
    for status, reason in ERRORS:
        scripted_provider.fails(status=status, retry_after=17)
        for ask in (asked.whole, asked.streamed):
            with pytest.raises(ProviderFailed) as failed:
                await ask()
            assert (failed.value.reason, failed.value.upstream_status) == (reason, status)
            assert failed.value.retry_after_s == 17
            assert DEFAULT_KEY not in failed.value.sentence


async def test_a_stream_without_its_end_is_never_a_whole_answer(
    asked: Asking, scripted_provider: ScriptedProvider
) -> None:
    for after in (1, 2, 3, -1):
        scripted_provider.ends_without_terminator(after_chunks=after, times=1)
        events = await asked.streamed()
        assert not any(isinstance(one, Ended) for one in events)


async def test_a_plain_answer_that_breaks_off_is_a_failure(
    asked: Asking, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.breaks_mid_stream()
    with pytest.raises(ProviderFailed) as failed:
        await asked.whole()
    assert failed.value.reason == "incomplete"


async def test_no_usage_is_told_as_not_known_and_not_as_none_used(
    asked: Asking, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.answers(usage=None)
    assert (await asked.whole()).usage is None
    ended = (await asked.streamed())[-1]
    assert isinstance(ended, Ended)
    assert ended.usage is None


@pytest.mark.parametrize(
    "worded", vendor_errors.WORDED, ids=lambda one: f"{one.provider}-{one.status}-{one.reason}"
)
async def test_a_vendors_own_words_for_an_error_are_understood(
    worded: Worded, scripted_provider: ScriptedProvider
) -> None:
    (provider,) = (one for one in PROVIDERS if one.slug == worded.provider)
    scripted_provider.sends(worded.body, status=worded.status)
    async with transport.opened(tls=NO_TLS) as opened:
        one = asking.of(opened, provider, scripted_provider)
        for ask in (one.whole, one.streamed):
            with pytest.raises(ProviderFailed) as failed:
                await ask()
            assert failed.value.reason == worded.reason


def streamed_usage(asked: Asking) -> Usage | None:
    """The scripted provider counts a stream of chat completions only when it is asked to."""
    is_chat = asked.dialect == "openai_chat"
    is_asked = asked.endpoint.provider.quirks.takes_stream_options
    return None if is_chat and not is_asked else counted(asked)


def counted(asked: Asking) -> Usage:
    """What of `COUNTED` the dialect has words for: Anthropic's does not tell reasoning apart."""
    if asked.dialect == "anthropic_messages":
        return replace(COUNTED, reasoning_tokens=0)
    return COUNTED
