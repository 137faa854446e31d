"""What Responses say and another dialect can say too is the same after the translation."""

import json
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given

from ainfera_server.conversation import (
    Ended,
    FinishReason,
    Message,
    Reply,
    Request,
    StreamEvent,
    Text,
    Thinking,
)
from ainfera_server.dialects.anthropic_messages import client as ask_anthropic
from ainfera_server.dialects.anthropic_messages import server as as_anthropic
from ainfera_server.dialects.openai_chat import client as ask_chat
from ainfera_server.dialects.openai_chat import server as as_chat
from ainfera_server.dialects.openai_responses import client as ask_responses
from ainfera_server.dialects.openai_responses import server as as_responses
from ainfera_server.dialects.sides import ClientSide, Quirks, ServerSide
from tests.dialects import any_stream, samples, streams, test_translation

Sides = tuple[ClientSide, ServerSide]
RESPONSES: Sides = (ask_responses, as_responses)
OTHERS: dict[str, Sides] = {
    "openai_chat": (ask_chat, as_chat),
    "anthropic_messages": (ask_anthropic, as_anthropic),
}
BOTH_WAYS = pytest.mark.parametrize(
    ("first", "second"),
    [(RESPONSES, one) for one in OTHERS.values()] + [(one, RESPONSES) for one in OTHERS.values()],
    ids=[f"to {name}" for name in OTHERS] + [f"from {name}" for name in OTHERS],
)
FINISH_REASONS: tuple[FinishReason, ...] = get_args(FinishReason)


def through(request: Request, sides: Sides) -> Request:
    client, server = sides
    body = client.encode_request(request, model="m", max_tokens=64, quirks=Quirks())
    return server.decode_request(body)


def meaning(request: Request) -> Request:
    return replace(
        request, dialect="native", body=b"", stream_includes_usage=False, fields_not_understood=()
    )


@BOTH_WAYS
@given(request=test_translation.requests())
def test_a_request_means_the_same_in_the_other_dialect(
    first: Sides, second: Sides, request: Request
) -> None:
    asked = replace(request, stop=())
    said = through(asked, first)
    assert meaning(said) == asked
    assert meaning(through(said, second)) == asked
    assert meaning(through(through(said, second), first)) == asked


@BOTH_WAYS
@given(events=test_translation.answers())
def test_a_streamed_answer_is_the_same_in_the_other_dialect(
    first: Sides, second: Sides, events: list[StreamEvent]
) -> None:
    found = events
    for client, server in (first, second):
        found = streams.decoded(client.stream_decoder(), any_stream.written(server, found))
        streams.check_laws(found)
    assert streams.text(found) == streams.text(events)
    assert streams.thinking(found) == streams.thinking(events)
    assert streams.calls(found) == streams.calls(events)
    end, last = found[-1], events[-1]
    assert isinstance(end, Ended)
    assert isinstance(last, Ended)
    has_calls = bool(streams.calls(events))
    is_about_nothing = last.finish_reason == "tool_calls" and not has_calls
    assert end.usage == last.usage
    assert end.finish_reason == last.finish_reason or is_about_nothing


@BOTH_WAYS
@pytest.mark.parametrize("reason", [one for one in FINISH_REASONS if one != "tool_calls"])
def test_every_reason_to_end_comes_back_from_the_other_dialect(
    first: Sides, second: Sides, reason: FinishReason
) -> None:
    reply = Reply(
        reply_id="1",
        model=samples.ENVELOPE.model_slug,
        parts=(Text(text="a"),),
        finish_reason=reason,
        finish_reason_native=None,
        usage=None,
    )
    for client, server in (first, second):
        reply = client.decode_reply(server.encode_reply(reply, samples.ENVELOPE))
        assert reply.finish_reason == reason


def test_arguments_and_schemas_keep_their_bytes() -> None:
    schema = b'{ "type" : "object", "x": 1.50 }'
    arguments = '{ "a" : 1.50, "b": 1e5, "c": "\\u00e9" }'
    item = {"type": "function_call", "call_id": "t", "name": "f", "arguments": arguments}
    body = (
        b'{"model":"m","input":[{"role":"user","content":"Hi"},'
        + json.dumps(item).encode()
        + b'],"tools":[{"type":"function","name":"f","parameters":'
        + schema
        + b"}]}"
    )
    found = as_responses.decode_request(body)
    for sides in (*OTHERS.values(), RESPONSES):
        found = through(found, sides)
        assert [one.parameters for one in found.tools] == [schema]
        (call,) = found.messages[1].parts
        assert getattr(call, "arguments", None) == arguments


def test_what_claude_signed_survives_a_turn_through_responses() -> None:
    """An answer of Claude's, as a caller of Responses gets it, hands back, and Claude reads it."""
    thoughts = (Thinking(text="Hm.", signature="EqQB+/="), Thinking(text="", redacted="EmwK"))
    reply = Reply(
        reply_id="msg_1",
        model="claude",
        parts=(*thoughts, Text(text="Hello.")),
        finish_reason="stop",
        finish_reason_native="end_turn",
        usage=None,
    )
    answered = json.loads(as_responses.encode_reply(reply, samples.ENVELOPE))
    question, more = ({"role": "user", "content": one} for one in ("Hi", "Go on."))
    again = {"model": "m", "input": [question, *answered["output"], more]}
    found = as_responses.decode_request(json.dumps(again).encode())
    assert found.messages[1] == Message(role="assistant", parts=reply.parts)
    sent = ask_anthropic.encode_request(found, model="m", max_tokens=9, quirks=Quirks())
    assert json.loads(sent)["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "EqQB+/="},
        {"type": "redacted_thinking", "data": "EmwK"},
        {"type": "text", "text": "Hello."},
    ]
