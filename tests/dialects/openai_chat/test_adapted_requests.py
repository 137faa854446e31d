"""Requests of the same dialect: what is rewritten, and that nothing else is."""

import json
from typing import Any

import pytest

from ainfera_server.dialects.openai_chat import client, server
from ainfera_server.dialects.sides import Quirks

COMPLETION_LIMIT = Quirks(max_tokens_field="max_completion_tokens")


def body_of(**changes: Any) -> bytes:
    small: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    return json.dumps(small | changes).encode()


def adapted(body: bytes, quirks: Quirks) -> bytes:
    request = server.decode_request(body)
    return client.adapt_request(request, model="vendor/m", max_tokens=50, quirks=quirks)


def test_a_body_of_the_same_dialect_keeps_the_bytes_of_every_other_value() -> None:
    body = (
        b'{"model":"m", "messages": [ {"role":"user", "content":"\\u00e9", "name":"x"} ],'
        b'"logit_bias":{"1": 1.50},"agent_id":"a","task_type":"chat","routing_hint":{},"caps":{}}'
    )
    assert adapted(body, Quirks()) == (
        b'{"model":"vendor/m",'
        b'"messages":[ {"role":"user", "content":"\\u00e9", "name":"x"} ],'
        b'"logit_bias":{"1": 1.50},"max_tokens":50}'
    )


@pytest.mark.parametrize(
    ("given_limit", "quirks", "expected"),
    [
        ({}, Quirks(), {"max_tokens": 50}),
        ({}, COMPLETION_LIMIT, {"max_completion_tokens": 50}),
        ({"max_tokens": None}, Quirks(), {"max_tokens": 50}),
        ({"max_tokens": 7}, Quirks(), {"max_tokens": 7}),
        ({"max_completion_tokens": 7}, COMPLETION_LIMIT, {"max_completion_tokens": 7}),
        ({"max_completion_tokens": 7}, Quirks(), {"max_tokens": 7}),
        ({"max_tokens": 7}, COMPLETION_LIMIT, {"max_completion_tokens": 7}),
        (
            {"max_tokens": 7, "max_completion_tokens": 7},
            COMPLETION_LIMIT,
            {"max_completion_tokens": 7},
        ),
    ],
)
def test_a_limit_keeps_its_value_under_the_name_that_the_provider_reads(
    given_limit: dict[str, Any], quirks: Quirks, expected: dict[str, Any]
) -> None:
    found = json.loads(adapted(body_of(**given_limit), quirks))
    assert {name: value for name, value in found.items() if name.startswith("max")} == expected


@pytest.mark.parametrize(
    ("given_options", "quirks", "expected"),
    [
        (None, Quirks(), {"include_usage": True}),
        ({"include_usage": False}, Quirks(), {"include_usage": True}),
        (
            {"include_obfuscation": False},
            Quirks(),
            {"include_obfuscation": False, "include_usage": True},
        ),
        ({"include_usage": True}, Quirks(takes_stream_options=False), None),
    ],
)
def test_a_relayed_stream_asks_for_its_usage(
    given_options: dict[str, Any] | None, quirks: Quirks, expected: dict[str, Any] | None
) -> None:
    body = body_of(stream=True, stream_options=given_options)
    assert json.loads(adapted(body, quirks)).get("stream_options") == expected


def test_the_key_travels_as_a_bearer_and_no_key_as_nothing() -> None:
    assert client.headers(api_key="k") == {"authorization": "Bearer k"}
    assert client.headers(api_key="") == {}
