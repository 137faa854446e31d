"""Requests in the form of Responses that cannot be served, and where they are wrong."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.dialects.anthropic_messages import client as ask_anthropic
from ainfera_server.dialects.openai_chat import client as ask_chat
from ainfera_server.dialects.openai_responses import client as ask_responses
from ainfera_server.dialects.openai_responses import server
from ainfera_server.dialects.sides import ClientSide, Quirks
from ainfera_server.errors import AinferaError, Invalid, Malformed, RequestError
from tests.dialects.samples import ENVELOPE

CLIENTS: tuple[ClientSide, ...] = (ask_chat, ask_anthropic)
FUNCTION = {"type": "function", "name": "f"}
ONE: Any = {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"}


def body_of(**changes: Any) -> bytes:
    return json.dumps({"model": "m", "input": "Hi"} | changes).encode()


def refused(body: bytes) -> AinferaError:
    with pytest.raises((Malformed, Invalid)) as caught:
        server.decode_request(body)
    return caught.value


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True}, "background"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0"),
        ({"input": [{"id": "msg_1"}]}, "input.0"),
    ],
)
def test_what_would_have_to_be_kept_is_refused_with_what_to_do(
    changes: dict[str, Any], param: str
) -> None:
    error = refused(body_of(**changes))
    assert isinstance(error, Malformed)
    assert server.encode_error(error, request_id="r").status == 400
    assert error.facts == {"param": param}
    assert "kept" in error.sentence


@pytest.mark.parametrize("name", ["previous_response_id", "conversation", "prompt", "background"])
def test_a_null_asks_for_nothing_that_is_kept(name: str) -> None:
    assert server.decode_request(body_of(**{name: None})).fields_not_understood == ()


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "web_search"},
        {"type": "web_search", "external_web_access": True},
        {"type": "web_search_preview"},
        {"type": "file_search", "vector_store_ids": []},
        {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "image_generation"},
        {"type": "mcp", "server_label": "x"},
        {"type": "shell"},
        {"type": "shell", "environment": {"type": "container_auto"}},
        {"type": "invented_tomorrow"},
    ],
)
@pytest.mark.parametrize("brought_by", [None, "additional_tools", "tool_search_output"])
def test_a_tool_that_the_vendor_runs_is_refused_wherever_it_stands(
    tool: dict[str, Any], brought_by: str | None
) -> None:
    if brought_by is None:
        error, place = refused(body_of(tools=[FUNCTION, tool])), "tools.1.type"
    else:
        item = {"type": brought_by, "role": "developer", "tools": [tool]}
        error, place = refused(body_of(input=[item])), "input.0.tools.0.type"
    assert isinstance(error, Invalid)
    assert error.facts == {"param": place}
    assert "price book" in error.sentence


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"model": 3}, "model"),
        ({"input": 3}, "input"),
        ({"input": ["Hi"]}, "input.0"),
        ({"input": [{"type": "message", "content": "Hi"}]}, "input.0.role"),
        ({"input": [{"role": "user"}]}, "input.0.content"),
        ({"input": [{"role": "user", "content": [{"text": "a"}]}]}, "input.0.content.0.type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
            "input.0.content.0.text",
        ),
        ({"input": [{"type": "function_call"}]}, "input.0.call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "1"}]}, "input.0.output"),
        ({"input": [{"type": "reasoning", "summary": "Hm."}]}, "input.0.summary"),
        ({"instructions": ["a"]}, "instructions"),
        ({"max_output_tokens": "5"}, "max_output_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"stream": "yes"}, "stream"),
        ({"store": "yes"}, "store"),
        ({"include": "all"}, "include"),
        ({"text": "plain"}, "text"),
        ({"text": {"format": "plain"}}, "text.format"),
        ({"tools": [{"name": "f"}]}, "tools.0.type"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools.0.name"),
        ({"tools": [{"type": "namespace", "name": "a"}]}, "tools.0.tools"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
    ],
)
def test_a_wrong_type_names_the_place(changes: dict[str, Any], param: str) -> None:
    error = refused(body_of(**changes))
    assert isinstance(error, Malformed)
    assert error.facts == {"param": param}
    assert f"`{param}`" in error.sentence


def test_a_question_without_its_input_says_so() -> None:
    assert refused(b'{"model":"m","messages":[]}').sentence == "`input` is missing."


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"model": " "}, "model"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": 10**30}, "max_output_tokens"),
        ({"temperature": -0.1}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"tools": [{"type": "function", "name": ""}]}, "tools.0.name"),
        ({"tools": [FUNCTION | {"parameters": []}]}, "tools.0.parameters"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format"),
        ({"text": {"format": {"type": "json_schema", "name": "a"}}}, "text.format"),
        ({"input": [{"type": "compaction_trigger"}]}, "input.0"),
        (
            {
                "input": [
                    {
                        "role": "user",
                        "content": [{"type": "input_image", "image_url": "file:///a"}],
                    }
                ]
            },
            "input.0.content.0.image_url",
        ),
        ({"agent_id": 5}, "agent_id"),
        ({"routing_hint": "cheap"}, "routing_hint"),
        ({"caps": []}, "caps"),
    ],
)
def test_a_value_out_of_range_names_the_place(changes: dict[str, Any], param: str) -> None:
    error = refused(body_of(**changes))
    assert isinstance(error, Invalid)
    assert error.facts == {"param": param}
    assert error.sentence.endswith(".")


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=4)
WORDS = st.sampled_from(
    [
        *("auto", "required", "user", "assistant", "developer", "message", "reasoning", "f"),
        *("function", "function_call", "function_call_output", "input_text", "output_text"),
        *("input_image", "refusal", "namespace", "custom", "web_search", "json_schema"),
        *("additional_tools", "item_reference", "data:image/png;base64,AAAA", "https://a.b/c"),
        *("allowed_tools", "ainfera.signed.x", "ainfera.redacted.y", "ns--a--b", "{}"),
    ]
)
NAMES = st.sampled_from(
    [
        *("type", "role", "content", "text", "image_url", "call_id", "name", "arguments"),
        *("output", "summary", "encrypted_content", "id", "tools", "parameters", "namespace"),
        *("format", "schema", "mode", "external_web_access", "environment", "ttl"),
    ]
)
VALUES = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        *("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls"),
        *("max_output_tokens", "temperature", "top_p", "text", "store", "include", "stream"),
        *("background", "previous_response_id", "reasoning", "prompt_cache_options"),
        *("metadata", "service_tier", "context_management", "agent_id", "routing_hint"),
    ]
)
TYPED = st.fixed_dictionaries({"type": WORDS}, optional={"role": WORDS, "content": VALUES}).flatmap(
    lambda item: st.dictionaries(NAMES, VALUES, max_size=5).map(lambda more: more | item)
)
BODIES = st.fixed_dictionaries(
    {"model": st.just("m"), "input": st.lists(TYPED, max_size=4) | VALUES},
    optional={"tools": st.lists(TYPED, max_size=3)},
).flatmap(lambda body: st.dictionaries(FIELDS, VALUES, max_size=4).map(lambda more: body | more))


@given(body=BODIES)
def test_whatever_is_asked_is_served_or_refused_with_a_sentence(body: dict[str, Any]) -> None:
    """Every error that a caller can cause is one of ours, from the first byte to the last."""
    with suppress(RequestError):
        request = server.decode_request(json.dumps(body).encode())
        server.stream_encoder(request, ENVELOPE)
        for client in CLIENTS:
            with suppress(RequestError):
                client.encode_request(request, model="m", max_tokens=9, quirks=Quirks())
        ask_responses.adapt_request(request, model="m", max_tokens=9, quirks=Quirks())


@given(body=st.binary(max_size=60))
def test_bytes_that_are_no_request_are_refused(body: bytes) -> None:
    with pytest.raises(RequestError):
        server.decode_request(body)
