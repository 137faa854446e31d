"""Requests in the form of chat completions: what is read, what is refused, what is written."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from ainfera_server.conversation import (
    Image,
    JsonText,
    Message,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Wishes,
)
from ainfera_server.dialects.openai_chat import client, server
from ainfera_server.dialects.sides import ClientSide, Quirks, ServerSide
from ainfera_server.errors import NotCarried
from tests.dialects.openai_chat import conversations

COMPLETION_LIMIT = Quirks(max_tokens_field="max_completion_tokens")

# From the function calling guide, https://developers.openai.com/api/docs/guides/function-calling
WEATHER = {
    "model": "gpt-5.5",
    "messages": [
        {"role": "developer", "content": "Answer in one line."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is the weather here?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K"}},
                {
                    "type": "image_url",
                    "image_url": {"url": "https://example.org/a.png", "detail": "low"},
                },
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
                },
                {
                    "id": "call_2",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'},
                },
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "14 degrees"},
        {
            "role": "tool",
            "tool_call_id": "call_2",
            "content": [{"type": "text", "text": "21 degrees"}],
        },
        {"role": "assistant", "content": None, "refusal": "I cannot say."},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "The weather of a city.",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
                "strict": True,
            },
        },
        {"type": "function", "function": {"name": "now"}},
    ],
    "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
    "parallel_tool_calls": True,
    "response_format": {"type": "json_object"},
    "stop": "END",
    "seed": 7,
    "temperature": 0,
    "top_p": 0.5,
    "max_completion_tokens": 100,
    "n": 1,
    "stream": True,
    "stream_options": {"include_usage": True},
    "user": "somebody",
    "logit_bias": {"50256": -100},
    "agent_id": "a-1",
    "task_type": "chat",
    "routing_hint": {"min_quality": 0.5},
    "caps": {"budget": "0.01"},
}


MESSAGES = (
    Message(role="system", parts=(Text(text="Answer in one line."),)),
    Message(
        role="user",
        parts=(
            Text(text="What is the weather here?"),
            Image(media_type="image/png", data="iVBORw0K"),
            Image(url="https://example.org/a.png"),
        ),
    ),
    Message(
        role="assistant",
        parts=(
            ToolCall(call_id="call_1", name="get_weather", arguments='{"city":"Paris"}'),
            ToolCall(call_id="call_2", name="get_weather", arguments='{"city":"Rome"}'),
        ),
    ),
    Message(
        role="tool",
        parts=(ToolResult(call_id="call_1", parts=(Text(text="14 degrees"),)),),
    ),
    Message(
        role="tool",
        parts=(ToolResult(call_id="call_2", parts=(Text(text="21 degrees"),)),),
    ),
    Message(role="assistant", parts=(Text(text="I cannot say."),)),
)
TOOLS = (
    Tool(
        name="get_weather",
        description="The weather of a city.",
        parameters=JsonText(b'{"type": "object", "properties": {"city": {"type": "string"}}}'),
    ),
    Tool(
        name="now",
        description=None,
        parameters=JsonText(b'{"type":"object","properties":{}}'),
    ),
)


def body_of(**changes: Any) -> bytes:
    small: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    return json.dumps(small | changes).encode()


def test_both_sides_are_what_the_protocols_ask_for() -> None:
    serving: ServerSide = server
    asking: ClientSide = client
    assert serving.HEARTBEAT == b": keep-alive\n\n"
    assert asking.PATH == "/chat/completions"


def test_every_field_of_a_request_is_understood() -> None:
    body = json.dumps(WEATHER).encode()
    request = server.decode_request(body)
    assert request == Request(
        dialect="openai_chat",
        body=body,
        model="gpt-5.5",
        messages=MESSAGES,
        tools=TOOLS,
        tool_choice=ToolChoice(mode="named", name="get_weather"),
        parallel_tool_calls=True,
        max_tokens=100,
        temperature=0.0,
        top_p=0.5,
        stop=("END",),
        seed=7,
        response_format=JsonText(b'{"type": "json_object"}'),
        stream=True,
        stream_includes_usage=True,
        wishes=Wishes(
            agent_id="a-1",
            task_type="chat",
            hint={"min_quality": 0.5},
            caps={"budget": "0.01"},
        ),
        fields_not_understood=("user", "logit_bias"),
    )


def test_a_choice_among_allowed_tools_is_not_understood_and_says_so() -> None:
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}
    request = server.decode_request(body_of(tool_choice=allowed))
    assert request.tool_choice == ToolChoice(mode="required")
    assert request.fields_not_understood == ("tool_choice.allowed_tools",)


def test_nulls_are_fields_left_out() -> None:
    names = ["tools", "tool_choice", "stop", "seed", "n", "max_tokens", "temperature", "stream"]
    names += ["stream_options", "response_format", "routing_hint", "caps", "agent_id"]
    request = server.decode_request(body_of(**dict.fromkeys(names)))
    plain = server.decode_request(body_of())
    assert replace(request, body=b"") == replace(plain, body=b"")


@given(request=conversations.requests())
def test_what_is_written_is_read_back_the_same(request: Request) -> None:
    assert request.max_tokens is not None
    for quirks in (Quirks(), COMPLETION_LIMIT):
        body = client.encode_request(
            request, model=request.model, max_tokens=request.max_tokens, quirks=quirks
        )
        expected = replace(
            request, dialect="openai_chat", body=body, stream_includes_usage=request.stream
        )
        assert server.decode_request(body) == expected


def written(*messages: Message, **fields: Any) -> dict[str, Any]:
    request = Request(
        dialect="anthropic_messages", body=b"", model="x", messages=messages, **fields
    )
    return json.loads(client.encode_request(request, model="m", max_tokens=9, quirks=Quirks()))


def test_results_follow_their_calls_and_their_images_come_as_the_users() -> None:
    picture = Image(url="https://example.org/a.png")
    written_messages = written(
        Message(
            role="user",
            parts=(
                Text(text="Look."),
                ToolResult(call_id="1", parts=(picture,)),
                ToolResult(call_id="2", parts=(Text(text="b"), Text(text="c"))),
            ),
        ),
        Message(role="tool", parts=(ToolResult(call_id="3", parts=(Text(text="d"), picture)),)),
        Message(role="assistant", parts=(Text(text="e"),)),
    )["messages"]
    shown = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    assert [one["role"] for one in written_messages] == [
        *("tool", "tool", "user", "tool", "user", "assistant")
    ]
    assert written_messages[2]["content"] == [shown, {"type": "text", "text": "Look."}]
    assert written_messages[3] == {"role": "tool", "tool_call_id": "3", "content": "d"}
    assert written_messages[4]["content"] == [shown]


def test_reasoning_of_another_maker_stays_behind() -> None:
    said = (Thinking(text="Hm.", signature="s"), Text(text="Hi"))
    assert written(Message(role="assistant", parts=said))["messages"] == [
        {"role": "assistant", "content": "Hi"}
    ]


@pytest.mark.parametrize(
    "message",
    [
        Message(role="system", parts=(Image(url="https://example.org/a.png"),)),
        Message(role="assistant", parts=(Image(url="https://example.org/a.png"),)),
        Message(role="user", parts=(ToolCall(call_id="1", name="f", arguments="{}"),)),
    ],
)
def test_what_has_no_words_is_refused_with_its_place(message: Message) -> None:
    with pytest.raises(NotCarried) as caught:
        written(message)
    assert caught.value.facts == {"param": "messages.0"}


def test_a_stream_asks_for_its_usage_unless_the_provider_knows_no_such_option() -> None:
    message = Message(role="user", parts=(Text(text="Hi"),))
    assert written(message, stream=True)["stream_options"] == {"include_usage": True}
    request = Request(
        dialect="anthropic_messages", body=b"", model="x", messages=(message,), stream=True
    )
    plain = Quirks(takes_stream_options=False)
    body = client.encode_request(request, model="m", max_tokens=9, quirks=plain)
    assert "stream_options" not in json.loads(body)
