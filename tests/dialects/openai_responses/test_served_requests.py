"""Requests in the form of Responses, as callers write them."""

import json
from typing import Any

import pytest

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
from ainfera_server.dialects.openai_responses import server
from ainfera_server.dialects.sides import ServerSide

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
CALL = {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"a": 1}'}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "Sun."}
FUNCTION = {"type": "function", "name": "weather", "parameters": SCHEMA}


def read(**fields: Any) -> Request:
    return server.decode_request(json.dumps({"model": "m", "input": "Hi"} | fields).encode())


def said(*items: Any) -> tuple[Message, ...]:
    return read(input=list(items)).messages


def test_the_server_side_is_what_the_protocol_asks_for() -> None:
    side: ServerSide = server
    assert side.HEARTBEAT == b": keep-alive\n\n"


def test_a_text_is_what_the_user_says_and_instructions_stand_before_it() -> None:
    assert read(instructions="Be short.").messages == (
        Message(role="system", parts=(Text(text="Be short."),)),
        Message(role="user", parts=(Text(text="Hi"),)),
    )
    assert read(instructions=None).messages == (Message(role="user", parts=(Text(text="Hi"),)),)


def test_messages_may_leave_out_their_type_and_their_parts() -> None:
    picture = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0K"}
    shown = {"type": "input_image", "image_url": "https://example.org/a.png", "detail": "low"}
    found = said(
        {"role": "developer", "content": "Be short."},
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Look"}, picture, shown],
        },
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "Nice.", "annotations": []},
                {"type": "refusal", "refusal": "No more."},
            ],
        },
    )
    assert found == (
        Message(role="system", parts=(Text(text="Be short."),)),
        Message(
            role="user",
            parts=(
                Text(text="Look"),
                Image(media_type="image/png", data="iVBORw0K"),
                Image(url="https://example.org/a.png"),
            ),
        ),
        Message(role="assistant", parts=(Text(text="Nice."), Text(text="No more."))),
    )


def test_what_the_model_said_in_one_turn_is_one_message() -> None:
    """Vendors of other dialects refuse a call that its result does not follow at once."""
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"}
    second = CALL | {"call_id": "call_2", "id": "fc_2", "status": "completed"}
    answered = OUTPUT | {"call_id": "call_2", "output": [{"type": "input_text", "text": "Rain."}]}
    found = said(
        {"role": "user", "content": "Weather?"},
        thought,
        {"role": "assistant", "content": "I look."},
        CALL,
        second,
        OUTPUT,
        answered,
    )
    assert found[1:] == (
        Message(
            role="assistant",
            parts=(
                Thinking(text="", signature="openai_responses.rs_1.gAAAA"),
                Text(text="I look."),
                ToolCall(call_id="call_1", name="weather", arguments='{"a": 1}'),
                ToolCall(call_id="call_2", name="weather", arguments='{"a": 1}'),
            ),
        ),
        Message(role="tool", parts=(ToolResult(call_id="call_1", parts=(Text(text="Sun."),)),)),
        Message(role="tool", parts=(ToolResult(call_id="call_2", parts=(Text(text="Rain."),)),)),
    )


def test_limits_sampling_and_wishes_are_read() -> None:
    found = read(
        max_output_tokens=99,
        temperature=0.5,
        top_p=0.9,
        parallel_tool_calls=False,
        stream=True,
        store=False,
        include=["reasoning.encrypted_content"],
        task_type="chat",
        routing_hint={"min_quality": 0.2},
        caps={"budget_cap_usd": "0.1"},
        agent_id="0b7e6c1e-0000-7000-8000-000000000001",
    )
    assert (found.dialect, found.model, found.max_tokens) == ("openai_responses", "m", 99)
    assert (found.temperature, found.top_p, found.parallel_tool_calls) == (0.5, 0.9, False)
    assert found.stream
    assert (found.wishes.task_type, found.wishes.hint) == ("chat", {"min_quality": 0.2})
    assert found.wishes.caps == {"budget_cap_usd": "0.1"}
    assert found.wishes.agent_id is not None
    assert found.fields_not_understood == found.parts_not_understood == ()


def test_functions_are_flat_and_take_nothing_if_they_do_not_say() -> None:
    found = read(tools=[FUNCTION, {"type": "function", "name": "now", "parameters": None}])
    assert found.tools == (
        Tool(
            name="weather",
            description=None,
            parameters=JsonText(json.dumps(SCHEMA).encode()),
        ),
        Tool(
            name="now",
            description=None,
            parameters=JsonText(b'{"type":"object","properties":{}}'),
        ),
    )


def test_what_a_function_says_beyond_that_is_noted() -> None:
    function = FUNCTION | {"strict": True, "defer_loading": False, "output_schema": {"a": 1}}
    assert read(tools=[function]).fields_not_understood == ("tools.strict", "tools.output_schema")
    assert read(tools=[FUNCTION | {"strict": False}]).fields_not_understood == ()


def test_functions_of_a_namespace_have_one_name_and_calls_of_them_the_same() -> None:
    namespace = {"type": "namespace", "name": "agents", "description": "", "tools": [FUNCTION]}
    found = read(tools=[namespace], input=[CALL | {"namespace": "agents"}, OUTPUT])
    assert [one.name for one in found.tools] == ["ns--agents--weather"]
    assert found.messages[0].parts == (
        ToolCall(call_id="call_1", name="ns--agents--weather", arguments='{"a": 1}'),
    )
    assert found.fields_not_understood == found.parts_not_understood == ()
    told = read(tools=[namespace | {"description": "Agents.", "tools": []}])
    assert told.fields_not_understood == ("tools.namespace.description",)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice(mode="auto")),
        ("required", ToolChoice(mode="required")),
        ("none", ToolChoice(mode="none")),
        ({"type": "function", "name": "weather"}, ToolChoice(mode="named", name="weather")),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function"}]},
            ToolChoice(mode="required"),
        ),
        (None, None),
    ],
)
def test_every_choice_of_tools_has_a_word(choice: Any, expected: ToolChoice | None) -> None:
    assert read(tools=[FUNCTION], tool_choice=choice).tool_choice == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ({}, None),
        ({"format": None}, None),
        ({"format": {"type": "text"}}, None),
        ({"format": {"type": "json_object"}}, {"type": "json_object"}),
        (
            {"format": {"type": "json_schema", "name": "w", "schema": SCHEMA, "strict": True}},
            {
                "type": "json_schema",
                "json_schema": {"name": "w", "schema": SCHEMA, "strict": True},
            },
        ),
    ],
)
def test_a_format_is_carried_as_chat_completions_nest_it(text: Any, expected: Any) -> None:
    found = read(text=text).response_format
    assert (None if found is None else json.loads(found)) == expected


@pytest.mark.parametrize(
    ("fields", "noted"),
    [
        ({"store": True}, "store"),
        ({"include": ["reasoning.encrypted_content", "message.output_text.logprobs"]}, "include"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"reasoning": {"effort": "high"}}, "reasoning"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"invented_tomorrow": 1}, "invented_tomorrow"),
        (
            {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}},
            "tool_choice.allowed_tools",
        ),
        (
            {"tools": [{"type": "web_search", "external_web_access": False}]},
            "tools.web_search",
        ),
    ],
)
def test_what_is_not_carried_is_noted_and_never_a_mistake(fields: Any, noted: str) -> None:
    found = read(**fields)
    assert found.fields_not_understood == (noted,)
    assert found.parts_not_understood == ()


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"input": [{"type": "custom_tool_call", "call_id": "1"}]}, "input.0"),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "input.0"),
        ({"input": [{"type": "compaction", "encrypted_content": "x"}]}, "input.0"),
        ({"input": [{"type": "invented_tomorrow"}]}, "input.0"),
        ({"input": [{"role": "critic", "content": "Hm."}]}, "input.0"),
        ({"input": [OUTPUT | {"call_id": None, "name": "weather"}]}, "input.0"),
        ({"input": [{"type": "additional_tools", "tools": [FUNCTION]}]}, "input.0"),
        ({"input": [CALL | {"namespace": "", "name": "a"}]}, "input.0"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
            "input.0.content.0",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input.0.content.0",
        ),
        (
            {"input": [OUTPUT | {"output": [{"type": "input_file", "file_url": "u"}]}]},
            "input.0.output.0",
        ),
        ({"tools": [{"type": "custom", "name": "patch"}]}, "tools.0"),
        ({"tools": [{"type": "local_shell"}]}, "tools.0"),
        ({"tools": [{"type": "shell", "environment": {"type": "local"}}]}, "tools.0"),
        ({"tools": [FUNCTION | {"name": "ns--agents--weather"}]}, "tools.0"),
        (
            {"tools": [{"type": "namespace", "name": "a", "tools": [{"type": "custom"}]}]},
            "tools.0.tools.0",
        ),
        ({"tool_choice": {"type": "custom", "name": "patch"}}, "tool_choice"),
    ],
)
def test_what_only_openai_can_read_is_kept_from_everybody_else(fields: Any, place: str) -> None:
    assert read(**fields).parts_not_understood == (place,)
