"""What one dialect says and another can say too is the same after the translation."""

import json
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.conversation import (
    Dialect,
    Ended,
    FinishReason,
    Message,
    Reply,
    Request,
    Role,
    Started,
    StreamEvent,
    Text,
    TextDelta,
    ThinkingDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    ToolChoice,
    ToolResult,
    Usage,
)
from ainfera_server.dialects.anthropic_messages import client as ask_anthropic
from ainfera_server.dialects.anthropic_messages import server as as_anthropic
from ainfera_server.dialects.openai_chat import client as ask_openai
from ainfera_server.dialects.openai_chat import server as as_openai
from ainfera_server.dialects.sides import ClientSide, Quirks, ServerSide
from tests.dialects import samples, streams
from tests.dialects.anthropic_messages import conversations
from tests.dialects.samples import ENVELOPE, images, names, texts, words

OPENAI: tuple[ClientSide, ServerSide] = (ask_openai, as_openai)
ANTHROPIC: tuple[ClientSide, ServerSide] = (ask_anthropic, as_anthropic)
BOTH_WAYS = pytest.mark.parametrize(
    ("first", "second"), [(OPENAI, ANTHROPIC), (ANTHROPIC, OPENAI)], ids=["to", "from"]
)
FINISH_REASONS: tuple[FinishReason, ...] = get_args(FinishReason)
QUIRKS = Quirks()


def message(role: Role, *parts: Text | ToolCall | ToolResult) -> Message:
    return Message(role=role, parts=parts)


@st.composite
def turns(draw: st.DrawFn) -> tuple[Message, ...]:
    """A question, perhaps tools that are called and answer, and what the model makes of it."""
    asked = Message(
        role="user", parts=tuple(draw(st.lists(st.one_of(texts, images), min_size=1, max_size=3)))
    )
    calls = draw(st.lists(conversations.tool_calls, max_size=3))
    if not calls:
        return asked, message("assistant", draw(texts))
    results = [
        ToolResult(call_id=one.call_id, parts=tuple(draw(st.lists(texts, max_size=2))))
        for one in calls
    ]
    said = draw(st.lists(texts, max_size=1))
    return asked, message("assistant", *said, *calls), *(message("tool", one) for one in results)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """What both dialects have words for."""
    system = draw(st.lists(texts, max_size=2))
    opening = (message("system", *system),) if system else ()
    said = draw(st.lists(turns(), min_size=1, max_size=3))
    tools = tuple(draw(st.lists(samples.tools, max_size=2)))
    choices = st.one_of(
        st.builds(ToolChoice, mode=st.sampled_from(["auto", "required"])),
        st.builds(ToolChoice, mode=st.just("named"), name=names),
    )
    return Request(
        dialect="native",
        body=b"",
        model="m",
        messages=(*opening, *(one for turn in said for one in turn)),
        tools=tools,
        tool_choice=draw(choices) if tools else None,
        parallel_tool_calls=draw(st.none() | st.booleans()) if tools else None,
        max_tokens=64,
        temperature=draw(st.none() | st.floats(0, 1)),
        top_p=draw(st.none() | st.floats(0, 1)),
        stop=tuple(draw(st.lists(words, max_size=4))),
        stream=draw(st.booleans()),
    )


def through(request: Request, sides: tuple[ClientSide, ServerSide]) -> Request:
    """The request, written in a dialect and read again."""
    client, server = sides
    body = client.encode_request(request, model="m", max_tokens=64, quirks=QUIRKS)
    return server.decode_request(body)


def meaning(request: Request) -> Request:
    """A request without the words that it was said in."""
    dialect: Dialect = "native"
    return replace(
        request, dialect=dialect, body=b"", stream_includes_usage=False, fields_not_understood=()
    )


@BOTH_WAYS
@given(request=requests())
def test_a_request_means_the_same_in_the_other_dialect(
    first: tuple[ClientSide, ServerSide], second: tuple[ClientSide, ServerSide], request: Request
) -> None:
    said = through(request, first)
    assert meaning(said) == request
    assert meaning(through(said, second)) == request
    assert meaning(through(through(said, second), first)) == request


def test_arguments_and_schemas_keep_their_bytes() -> None:
    schema = b'{ "type" : "object", "x": 1.50 }'
    arguments = '{ "a" : 1.50, "b": 1e5, "c": "\\u00e9" }'
    body = (
        b'{"model":"m","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":'
        b'[{"type":"tool_use","id":"t","name":"f","input":' + arguments.encode() + b"}]}],"
        b'"tools":[{"name":"f","input_schema":' + schema + b"}]}"
    )
    found = through(through(as_anthropic.decode_request(body), OPENAI), ANTHROPIC)
    assert found.messages[1].parts == (ToolCall(call_id="t", name="f", arguments=arguments),)
    assert [one.parameters for one in found.tools] == [schema]


def test_a_tool_without_parameters_is_one_everywhere() -> None:
    body = json.dumps(
        {
            "model": "m",
            "messages": [{"role": "user", "content": "Hi"}],
            "tools": [{"type": "function", "function": {"name": "now"}}],
        }
    )
    (tool,) = through(as_openai.decode_request(body.encode()), ANTHROPIC).tools
    assert isinstance(tool, Tool)
    assert json.loads(tool.parameters) == {"type": "object", "properties": {}}


def test_a_schema_for_the_answer_means_the_same_in_the_other_dialect() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    asked = as_openai.decode_request(json.dumps(body | {"response_format": wanted}).encode())
    for found in (through(asked, ANTHROPIC), through(through(asked, ANTHROPIC), OPENAI)):
        assert found.response_format is not None
        assert json.loads(found.response_format)["json_schema"]["schema"] == schema


usages = conversations.usages
ended = st.builds(
    Ended,
    finish_reason=st.sampled_from(FINISH_REASONS),
    finish_reason_native=st.none(),
    usage=samples.usages,
)


@st.composite
def answers(draw: st.DrawFn) -> list[StreamEvent]:
    """Reasoning, words, then tool calls that speak by turns, cut anywhere."""
    events: list[StreamEvent] = [Started(reply_id="msg_1", model=ENVELOPE.model_slug)]
    parts = 0
    for thought in draw(st.lists(words, max_size=2)):
        events.append(ThinkingDelta(index=0, text=thought))
        parts = 1
    said = draw(st.lists(words, max_size=3))
    events += [TextDelta(index=parts, text=one) for one in said]
    parts += bool(said)
    waiting: dict[int, str] = {}
    for call in draw(st.lists(conversations.arguments, max_size=3)):
        events.append(ToolCallStarted(index=parts, call_id=f"call_{parts}", name="f"))
        waiting[parts] = call
        parts += 1
    while waiting:
        index = draw(st.sampled_from(sorted(waiting)))
        cut = draw(st.integers(1, len(waiting[index])))
        events.append(ToolCallDelta(index=index, arguments=waiting[index][:cut]))
        waiting[index] = waiting[index][cut:]
        if not waiting[index]:
            del waiting[index]
    last = draw(ended)
    has_calls = any(isinstance(one, ToolCallStarted) for one in events)
    return [*events, replace(last, finish_reason="tool_calls") if has_calls else last]


def streamed(events: list[StreamEvent], sides: tuple[ClientSide, ServerSide]) -> list[StreamEvent]:
    """The events, written in a dialect and read again."""
    client, server = sides
    asked = Request(
        dialect="native",
        body=b"",
        model="m",
        messages=(),
        stream=True,
        stream_includes_usage=True,
    )
    encoder = server.stream_encoder(asked, ENVELOPE)
    body = b"".join(encoder.encode(one) for one in events)
    return streams.decoded(client.stream_decoder(), body)


@BOTH_WAYS
@given(events=answers())
def test_a_streamed_answer_is_the_same_in_the_other_dialect(
    first: tuple[ClientSide, ServerSide],
    second: tuple[ClientSide, ServerSide],
    events: list[StreamEvent],
) -> None:
    found = streamed(streamed(events, first), second)
    streams.check_laws(found)
    assert streams.text(found) == streams.text(events)
    assert streams.thinking(found) == streams.thinking(events)
    assert streams.calls(found) == streams.calls(events)
    end, last = found[-1], events[-1]
    assert isinstance(end, Ended)
    assert isinstance(last, Ended)
    assert (end.finish_reason, end.usage) == (last.finish_reason, last.usage)


@BOTH_WAYS
@pytest.mark.parametrize("reason", FINISH_REASONS)
def test_every_reason_to_end_comes_back_from_the_other_dialect(
    first: tuple[ClientSide, ServerSide],
    second: tuple[ClientSide, ServerSide],
    reason: FinishReason,
) -> None:
    reply = Reply(
        reply_id="msg_1",
        model=ENVELOPE.model_slug,
        parts=(Text(text="a"),),
        finish_reason=reason,
        finish_reason_native=None,
        usage=None,
    )
    for client, server in (first, second):
        reply = client.decode_reply(server.encode_reply(reply, ENVELOPE))
        assert reply.finish_reason == reason


@given(counted=usages)
def test_tokens_are_counted_once_in_either_dialect(counted: Usage) -> None:
    reply = Reply(
        reply_id="msg_1",
        model="m",
        parts=(),
        finish_reason="stop",
        finish_reason_native=None,
        usage=counted,
    )
    theirs = json.loads(as_openai.encode_reply(reply, ENVELOPE))["usage"]
    ours = json.loads(as_anthropic.encode_reply(reply, ENVELOPE))["usage"]
    details = theirs["prompt_tokens_details"]
    cached = details["cached_tokens"] + details["cache_write_tokens"]
    # Chat completions have one word for what was written to a cache, however long it lives there.
    written = counted.cache_write_tokens + counted.cache_write_1h_tokens
    merged = replace(counted, cache_write_tokens=written, cache_write_1h_tokens=0)
    assert ours["input_tokens"] == theirs["prompt_tokens"] - cached
    assert ours["cache_read_input_tokens"] == details["cached_tokens"]
    assert ours["cache_creation_input_tokens"] == details["cache_write_tokens"]
    assert ours["output_tokens"] == theirs["completion_tokens"]
    for (client, server), usage in ((OPENAI, merged), (ANTHROPIC, counted)):
        assert client.decode_reply(server.encode_reply(reply, ENVELOPE)).usage == usage
