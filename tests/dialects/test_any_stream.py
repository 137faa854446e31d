"""Whatever a model streams, the vendors' own clients read it, and it reads back as it was."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.conversation import (
    Ended,
    Searched,
    StreamEvent,
    ThinkingDelta,
    ToolCallDelta,
)
from ainfera_server.dialects.anthropic_messages import client as ask_anthropic
from ainfera_server.dialects.anthropic_messages import server as as_anthropic
from ainfera_server.dialects.openai_chat import client as ask_openai
from ainfera_server.dialects.openai_chat import server as as_openai
from ainfera_server.dialects.sides import ClientSide, ServerSide
from ainfera_server.errors import ProviderFailed
from tests.dialects import any_stream, streams
from tests.dialects.anthropic_messages import vendor_stream
from tests.dialects.openai_chat import vendor_sdk

CUTS = st.lists(st.integers(0, 10_000), max_size=12)
ANY_TEXT = st.text(max_size=12) | st.sampled_from(["[1]", "null", '{"a"', "{}{}", " ", "not json"])


def parsed(events: list[StreamEvent]) -> list[tuple[str, str, Any]]:
    """The calls with their arguments as values."""
    found = streams.calls(events)
    return sorted((call_id, name, json.loads(text or "{}")) for call_id, name, text in found)


@given(events=any_stream.answers())
def test_anthropics_client_puts_every_stream_together(events: list[StreamEvent]) -> None:
    body = any_stream.written(as_anthropic, events)
    vendor_stream.check_order(body)
    message = vendor_stream.accumulated(body)
    uses = [one for one in message.content if one.type == "tool_use"]
    assert sorted((one.id, one.name, one.input) for one in uses) == parsed(events)
    said = [one.text for one in message.content if one.type == "text"]
    assert sorted("".join(said)) == sorted(streams.text(events))
    hidden = [one.data for one in message.content if one.type == "redacted_thinking"]
    assert sorted(hidden) == sorted(redacted(events))
    last = events[-1]
    assert isinstance(last, Ended)
    assert last.usage is not None
    assert message.usage.output_tokens == last.usage.output_tokens


@pytest.mark.parametrize("server", [as_anthropic, as_openai])
@given(events=any_stream.answers())
def test_that_a_vendor_searched_is_said_in_no_words_of_ours(
    server: ServerSide, events: list[StreamEvent]
) -> None:
    searched = [events[0], Searched(result_characters=9), *events[1:]]
    assert any_stream.written(server, searched) == any_stream.written(server, events)


@given(events=any_stream.answers(), cut=st.integers(0, 40))
def test_anthropics_client_takes_arguments_that_a_limit_cut_off(
    events: list[StreamEvent], cut: int
) -> None:
    """The last word of an answer may be half a word."""
    last_call = max(
        (at for at, one in enumerate(events) if isinstance(one, ToolCallDelta)), default=None
    )
    if last_call is None:
        return
    half = events[last_call]
    assert isinstance(half, ToolCallDelta)
    shorter = ToolCallDelta(index=half.index, arguments=half.arguments[:cut])
    body = any_stream.written(as_anthropic, [*events[:last_call], shorter, events[-1]])
    vendor_stream.check_order(body)
    vendor_stream.accumulated(body)


@given(events=any_stream.answers(ANY_TEXT))
def test_arguments_that_are_no_json_break_no_order(events: list[StreamEvent]) -> None:
    """What a model writes is handed on; whether it makes sense, only its caller can tell."""
    with suppress(ProviderFailed):
        vendor_stream.check_order(any_stream.written(as_anthropic, events))


@given(events=any_stream.answers(ANY_TEXT))
def test_openais_client_puts_every_stream_together(events: list[StreamEvent]) -> None:
    body = any_stream.written(as_openai, events)
    sdk = vendor_sdk.client(body=body, headers={"content-type": "text/event-stream"})
    asked = sdk.chat.completions.stream(model="m", messages=[{"role": "user", "content": "Hi"}])
    with asked as stream:
        stream.until_done()
        completion = stream.current_completion_snapshot
    message = completion.choices[0].message
    assert (message.content or "") == streams.text(events)
    assert [
        (one.id, one.function.name, one.function.arguments) for one in message.tool_calls or []
    ] == [(call_id, name, text or "{}") for call_id, name, text in streams.calls(events)]
    last = events[-1]
    assert isinstance(last, Ended)
    assert completion.choices[0].finish_reason == last.finish_reason
    assert completion.usage is not None


@pytest.mark.parametrize(
    ("server", "client"),
    [(as_anthropic, ask_anthropic), (as_openai, ask_openai)],
    ids=["anthropic_messages", "openai_chat"],
)
@given(events=any_stream.answers(), cuts=CUTS)
def test_a_stream_reads_back_as_it_was_however_it_is_cut(
    server: ServerSide, client: ClientSide, events: list[StreamEvent], cuts: list[int]
) -> None:
    body = any_stream.written(server, events)
    found = streams.decoded(client.stream_decoder(), body, cuts)
    streams.check_laws(found)
    assert sorted(streams.text(found)) == sorted(streams.text(events))
    assert sorted(streams.thinking(found)) == sorted(streams.thinking(events))
    assert parsed(found) == parsed(events)
    end, last = found[-1], events[-1]
    assert isinstance(end, Ended)
    assert isinstance(last, Ended)
    assert (end.finish_reason, end.usage) == (last.finish_reason, last.usage)
    if server is as_anthropic:
        assert sorted(signatures(found)) == sorted(signatures(events))
        assert sorted(redacted(found)) == sorted(redacted(events))


@given(events=any_stream.answers())
def test_openai_keeps_every_part_in_its_order(events: list[StreamEvent]) -> None:
    body = any_stream.written(as_openai, events)
    found = streams.decoded(ask_openai.stream_decoder(), body)
    assert streams.text(found) == streams.text(events)
    assert streams.thinking(found) == streams.thinking(events)
    assert [one[0] for one in streams.calls(found)] == [one[0] for one in streams.calls(events)]


def signatures(events: list[StreamEvent]) -> list[str]:
    deltas = [one for one in events if isinstance(one, ThinkingDelta)]
    return [one.signature for one in deltas if one.signature is not None]


def redacted(events: list[StreamEvent]) -> list[str]:
    deltas = [one for one in events if isinstance(one, ThinkingDelta)]
    return [one.redacted for one in deltas if one.redacted is not None]


@given(events=any_stream.answers(ANY_TEXT))
def test_every_answer_drawn_keeps_the_laws(events: list[StreamEvent]) -> None:
    streams.check_laws(events)
