"""Requests in the form of chat completions that cannot be read, and where they are wrong."""

import json
from typing import Any

import pytest

from ainfera_server.dialects.openai_chat import server
from ainfera_server.errors import AinferaError, Invalid, Malformed


def body_of(**changes: Any) -> bytes:
    small: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    return json.dumps(small | changes).encode()


def refused(body: bytes) -> AinferaError:
    with pytest.raises((Malformed, Invalid)) as caught:
        server.decode_request(body)
    return caught.value


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"model": 3}, "model"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [{"role": 5, "content": ""}]}, "messages.0.role"),
        ({"messages": [{"content": "Hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        (
            {"messages": [{"role": "user", "content": [{"text": "untyped"}]}]},
            "messages.0.content.0.type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]},
            "messages.0.content.0.text",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]},
            "messages.0.tool_calls.0.function",
        ),
        ({"messages": [{"role": "tool", "content": "14"}]}, "messages.0.tool_call_id"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"stream": "yes"}, "stream"),
        ({"tools": [{"type": 5}]}, "tools.0.type"),
        ({"tools": ["f"]}, "tools.0"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"stop": [1]}, "stop.0"),
    ],
)
def test_a_wrong_type_names_the_place(changes: dict[str, Any], param: str) -> None:
    error = refused(body_of(**changes))
    assert isinstance(error, Malformed)
    assert error.facts == {"param": param}
    assert f"`{param}`" in error.sentence


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"model": ""}, "model"),
        ({"model": " "}, "model"),
        ({"model": "m\x00"}, "model"),
        ({"model": "m" * 201}, "model"),
        ({"messages": []}, "messages"),
        ({"n": 2}, "n"),
        ({"n": 0}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_completion_tokens": 10**30}, "max_completion_tokens"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
        ({"temperature": -0.1}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"seed": 2**64}, "seed"),
        ({"response_format": "json"}, "response_format"),
        ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools.0.function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
            "tools.0.function.parameters",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "file:///a"}}],
                    }
                ]
            },
            "messages.0.content.0.image_url.url",
        ),
        ({"agent_id": 5}, "agent_id"),
        ({"task_type": ["chat"]}, "task_type"),
        ({"task_type": "a\x00"}, "task_type"),
        ({"routing_hint": "cheap"}, "routing_hint"),
        ({"routing_hint": {"a": "\x00"}}, "routing_hint"),
        ({"caps": []}, "caps"),
    ],
)
def test_a_value_out_of_range_names_the_place(changes: dict[str, Any], param: str) -> None:
    error = refused(body_of(**changes))
    assert isinstance(error, Invalid)
    assert error.facts == {"param": param}
    assert error.sentence.endswith(".")


@pytest.mark.parametrize(
    ("model", "hidden"),
    [
        ("a\0b", "U+0000"),
        ("a\r\nb", "U+000D"),
        ("a\nb", "U+000A"),
        ("a\x7f", "U+007F"),
        ("a\u200b", "U+200B"),
        ("a\U000e0001", "U+E0001"),
    ],
)
def test_a_character_that_cannot_be_seen_in_a_name_is_named(model: str, hidden: str) -> None:
    sentence = refused(body_of(model=model)).sentence
    assert sentence.startswith(f"`model` holds {hidden}; ")
    assert "control characters" in sentence
    assert "empty" not in sentence


@pytest.mark.parametrize("model", ["", " ", "\n"])
def test_a_name_without_anything_in_it_is_called_empty(model: str) -> None:
    assert "may not be empty" in refused(body_of(model=model)).sentence
