"""Requests in the form of the Messages API that cannot be read, and where they are wrong."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.conversation import Request
from ainfera_server.dialects.anthropic_messages import server
from ainfera_server.errors import Invalid, Malformed, RequestError

HELLO = {"role": "user", "content": "Hello, Claude"}
ASKED: dict[str, Any] = {"model": "claude-opus-4-7", "max_tokens": 1024, "messages": [HELLO]}


def read(**fields: Any) -> Request:
    return server.decode_request(json.dumps(ASKED | fields).encode())


def block(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [fields]}]}


@pytest.mark.parametrize(
    ("fields", "kind", "param"),
    [
        ({"model": 7}, Malformed, "model"),
        ({"model": " "}, Invalid, "model"),
        ({"model": "a\nb"}, Invalid, "model"),
        ({"model": "m" * 201}, Invalid, "model"),
        ({"messages": []}, Invalid, "messages"),
        ({"messages": None}, Malformed, "messages"),
        ({"messages": [{"role": "user"}]}, Malformed, "messages.0.content"),
        ({"messages": [{"role": "robot", "content": ""}]}, Malformed, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 1}]}, Malformed, "messages.0.content"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, Malformed, "messages.0.content.0"),
        (block(text="untyped"), Malformed, "messages.0.content.0.type"),
        (block(type="text", text=None), Malformed, "messages.0.content.0.text"),
        (block(type="image"), Malformed, "messages.0.content.0.source"),
        (
            block(type="image", source={"type": "url", "url": 1}),
            Malformed,
            "messages.0.content.0.source.url",
        ),
        (
            block(type="tool_use", id="t", name="f", input="{}"),
            Malformed,
            "messages.0.content.0.input",
        ),
        (
            block(type="tool_result", tool_use_id="t", content=[{"type": "text", "text": 1}]),
            Malformed,
            "messages.0.content.0.content.0.text",
        ),
        ({"max_tokens": 0}, Invalid, "max_tokens"),
        ({"max_tokens": 2**31}, Invalid, "max_tokens"),
        ({"max_tokens": "8"}, Malformed, "max_tokens"),
        ({"max_tokens": True}, Malformed, "max_tokens"),
        ({"temperature": -0.1}, Invalid, "temperature"),
        ({"top_p": 1.1}, Invalid, "top_p"),
        ({"top_k": -1}, Invalid, "top_k"),
        ({"stop_sequences": "END"}, Malformed, "stop_sequences"),
        ({"stream": "yes"}, Malformed, "stream"),
        ({"system": 5}, Malformed, "system"),
        ({"tools": [{"name": "f"}]}, Malformed, "tools.0.input_schema"),
        ({"tools": [{"name": "", "input_schema": {}}]}, Invalid, "tools.0.name"),
        ({"tools": [{"name": "f", "input_schema": []}]}, Invalid, "tools.0.input_schema"),
        ({"tool_choice": "auto"}, Malformed, "tool_choice"),
        ({"tool_choice": {"type": "tool"}}, Invalid, "tool_choice.name"),
        ({"agent_id": 5}, Invalid, "agent_id"),
        ({"task_type": ["code"]}, Invalid, "task_type"),
        ({"routing_hint": "cheap"}, Invalid, "routing_hint"),
        ({"caps": [1]}, Invalid, "caps"),
        ({"caps": {"a": "\0"}}, Invalid, "caps"),
    ],
)
def test_a_mistake_is_refused_with_its_place(
    fields: dict[str, Any], kind: type[RequestError], param: str
) -> None:
    with pytest.raises(kind) as caught:
        read(**fields)
    assert caught.value.facts == {"param": param}
    assert f"`{param}`" in caught.value.sentence


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "role", "content", "text", "source", "input", "id", "name"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    ),
    st.sampled_from(["messages", "system", "tools", "tool_choice", "output_config", "caps"]),
)
def test_no_value_in_any_place_breaks_the_reader(value: Any, field: str) -> None:
    with suppress(RequestError):
        read(**{field: value})
