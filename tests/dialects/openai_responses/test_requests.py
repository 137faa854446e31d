"""Conversations, written as requests to the Responses API."""

import json
from typing import Any

import pytest
from hypothesis import given
from openai.types.responses import response_create_params
from pydantic import TypeAdapter

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
)
from ainfera_server.dialects.openai_responses import client
from ainfera_server.dialects.sides import ClientSide, Quirks
from ainfera_server.errors import NotCarried
from tests.dialects.openai_chat import conversations

PARAMS = TypeAdapter(response_create_params.ResponseCreateParams)


def asked(*messages: Message, **fields: Any) -> Request:
    return Request(dialect="anthropic_messages", body=b"", model="x", messages=messages, **fields)


def written(request: Request) -> dict[str, Any]:
    body = client.encode_request(request, model="gpt-5.5-pro", max_tokens=99, quirks=Quirks())
    return json.loads(body)


def test_the_client_side_is_what_the_protocol_asks_for() -> None:
    asking: ClientSide = client
    assert asking.PATH == "/responses"
    assert client.headers(api_key="k") == {"authorization": "Bearer k"}
    assert client.headers(api_key="") == {}


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
PICTURE = Image(media_type="image/png", data="iVBORw0K")
SHOWN = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0K", "detail": "auto"}


def test_words_and_images_become_messages() -> None:
    found = written(
        asked(
            Message(role="system", parts=(Text(text="Be short."),)),
            Message(role="user", parts=(Text(text="Weather?"), PICTURE)),
            Message(role="assistant", parts=(Text(text="Sunny."),)),
        )
    )
    assert found == {
        "model": "gpt-5.5-pro",
        "input": [
            {
                "type": "message",
                "role": "system",
                "content": [{"type": "input_text", "text": "Be short."}],
            },
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "Weather?"}, SHOWN],
            },
            {"type": "message", "role": "assistant", "content": "Sunny."},
        ],
        "store": False,
        "max_output_tokens": 99,
    }


def test_calls_and_results_become_items_of_their_own() -> None:
    call = ToolCall(call_id="call_1", name="get_weather", arguments='{"city":"Rome"}')
    one = ToolResult(call_id="call_1", parts=(Text(text="21"),))
    other = ToolResult(call_id="call_2", parts=(Text(text="a"), PICTURE))
    found = written(
        asked(
            Message(role="assistant", parts=(Text(text="Looking."), call)),
            Message(role="tool", parts=(one,)),
            Message(role="user", parts=(Text(text="And here?"), other)),
        )
    )
    assert found["input"] == [
        {"type": "message", "role": "assistant", "content": "Looking."},
        {
            "type": "function_call",
            "call_id": "call_1",
            "name": "get_weather",
            "arguments": '{"city":"Rome"}',
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "21"},
        {
            "type": "function_call_output",
            "call_id": "call_2",
            "output": [{"type": "input_text", "text": "a"}, SHOWN],
        },
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "And here?"}],
        },
    ]


def test_reasoning_goes_back_to_its_maker_and_to_nobody_else() -> None:
    ours = Thinking(text="Hm.", signature="openai_responses.rs_1.gAAAA.B=")
    foreign = Thinking(text="Foreign.", signature="EqQB")
    found = written(asked(Message(role="assistant", parts=(ours, foreign))))
    assert found["input"] == [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "Hm."}],
            "encrypted_content": "gAAAA.B=",
        }
    ]


def test_tools_formats_and_limits_come_under_the_names_of_this_dialect() -> None:
    parameters = JsonText(json.dumps(SCHEMA).encode())
    found = written(
        asked(
            Message(role="user", parts=(Text(text="Weather?"),)),
            tools=(Tool(name="get_weather", description=None, parameters=parameters),),
            tool_choice=ToolChoice(mode="named", name="get_weather"),
            parallel_tool_calls=False,
            temperature=0.5,
            top_p=0.9,
            seed=7,
            top_k=4,
            stream=True,
            response_format=JsonText(
                b'{"type":"json_schema","json_schema":{"name":"w","schema":{"a": 1},"strict":true}}'
            ),
        )
    )
    tool = {"name": "get_weather", "description": None, "parameters": SCHEMA, "strict": False}
    text_format = {"type": "json_schema", "name": "w", "schema": {"a": 1}, "strict": True}
    del found["model"], found["input"], found["store"]
    assert found == {
        "max_output_tokens": 99,
        "tools": [{"type": "function"} | tool],
        "tool_choice": {"type": "function", "name": "get_weather"},
        "parallel_tool_calls": False,
        "temperature": 0.5,
        "top_p": 0.9,
        "text": {"format": text_format},
        "stream": True,
    }


@given(request=conversations.requests())
def test_the_vendors_sdk_knows_every_field_that_is_written(request: Request) -> None:
    if request.stop:
        with pytest.raises(NotCarried):
            written(request)
        return
    if request.response_format is not None and b'"type"' not in request.response_format:
        with pytest.raises(NotCarried):
            written(request)
        return
    found = written(request)
    known = set(response_create_params.ResponseCreateParamsBase.__annotations__) | {"stream"}
    assert set(found) <= known
    PARAMS.validate_python(found | {"text": {}})


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (asked(Message(role="user", parts=()), stop=("END",)), "stop"),
        (
            asked(Message(role="user", parts=()), response_format=JsonText(b'{"a":1}')),
            "response_format",
        ),
        (asked(Message(role="assistant", parts=(Image(url="https://a.b/c"),))), "messages.0"),
        (asked(Message(role="user", parts=(Thinking(text="a"),))), "messages.0"),
        (
            asked(Message(role="assistant", parts=(ToolResult(call_id="1", parts=()),))),
            "messages.0",
        ),
    ],
)
def test_what_has_no_words_is_refused_with_its_place(request_: Request, param: str) -> None:
    with pytest.raises(NotCarried) as caught:
        written(request_)
    assert caught.value.facts == {"param": param}
