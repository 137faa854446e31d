"""Between a caller and a provider of one dialect everything travels as it was written."""

import json
from typing import Any

import anthropic
import httpx
import openai
import pytest
from msgspec import Raw
from msgspec import json as msgspec_json

from tests.clients import claude_code
from tests.clients.questions import (
    CLAUDE,
    GPT,
    GPT_UPSTREAM,
    MISTRAL,
    MISTRAL_UPSTREAM,
    only_request,
)
from tests.promises import proves
from tests.providers import vendor_shapes
from tests.providers.vendor_shapes import Told
from tests.running_server import RunningServer
from tests.scripted_provider import DEFAULT_KEY, DEFAULT_TEXT, DEFAULT_USAGE, ScriptedProvider

USER: Any = {"role": "user", "content": "Say hello."}
ODD = b'{ "exact" : 1.00, "small": 1e-7, "escaped": "\\u00e9\\/\\ud83d\\ude00", "none": null }'
"""JSON that no writer of ours would write."""

SAID = Told(text=DEFAULT_TEXT, tool_calls=(), usage=DEFAULT_USAGE, model=CLAUDE, finish="stop")


@proves("body-travels-unchanged", "vendor-clients-work")
def test_what_claude_code_asks_reaches_claude_byte_for_byte(
    server: RunningServer, scripted_provider: ScriptedProvider
) -> None:
    body = claude_code.body(CLAUDE)

    answer = post(server, claude_code.PATH, body, **claude_code.headers(server.agent.api_key))

    assert answer.status_code == 200, answer.text
    received = only_request(scripted_provider)
    assert received.body == body
    assert received.headers["x-api-key"] == DEFAULT_KEY
    assert "authorization" not in received.headers
    assert server.agent.api_key not in str(received.headers)


@proves("vendor-clients-work")
def test_what_claude_code_says_in_headers_reaches_claude(
    server: RunningServer, scripted_provider: ScriptedProvider
) -> None:
    sent = claude_code.headers(server.agent.api_key)

    post(server, claude_code.PATH, claude_code.body(CLAUDE), **sent)

    received = only_request(scripted_provider).headers
    anthropics = {name: value for name, value in sent.items() if name.startswith("anthropic-")}
    assert {name: received.get(name) for name in anthropics} == anthropics
    assert not any(name.startswith(("x-claude-code-", "x-stainless-")) for name in received)


@proves("vendor-clients-work")
def test_betas_that_the_client_names_reach_claude_with_their_fields(
    anthropic_client: anthropic.Anthropic, scripted_provider: ScriptedProvider
) -> None:
    anthropic_client.beta.messages.create(
        model=CLAUDE,
        messages=[USER],
        max_tokens=64,
        betas=["context-management-2025-06-27", "made-up-tomorrow"],
        extra_headers={"anthropic-version": "2023-01-01", "anthropic-made-up": "too"},
        extra_body={"context_management": {"edits": []}},
    )

    received = only_request(scripted_provider)
    betas = received.headers["anthropic-beta"].replace(" ", "").split(",")
    assert betas == ["context-management-2025-06-27", "made-up-tomorrow"]
    assert received.headers["anthropic-version"] == "2023-01-01"
    assert received.headers["anthropic-made-up"] == "too"
    assert received.json["context_management"] == {"edits": []}


def test_who_names_no_version_of_the_dialect_gets_the_one_we_know(
    server: RunningServer, scripted_provider: ScriptedProvider
) -> None:
    asked = json.dumps({"model": CLAUDE, "messages": [USER], "max_tokens": 64}).encode()
    post(server, "/v1/messages", asked, **server.agent.headers)

    assert only_request(scripted_provider).headers["anthropic-version"] == "2023-06-01"


def test_what_is_said_to_anthropic_stays_away_from_everybody_else(
    server: RunningServer, scripted_provider: ScriptedProvider
) -> None:
    """A beta and the field that it switches on stay behind together."""
    sent = claude_code.headers(server.agent.api_key)

    post(server, claude_code.PATH, claude_code.body(GPT), **sent)

    received = only_request(scripted_provider)
    assert not any(name.startswith("anthropic-") for name in received.headers)
    assert "context_management" not in received.json


@proves("vendor-clients-work")
def test_what_claude_code_asks_is_put_into_openais_words(
    server: RunningServer, scripted_provider: ScriptedProvider
) -> None:
    sent = claude_code.headers(server.agent.api_key)

    answer = post(server, claude_code.PATH, claude_code.body(GPT), **sent)

    assert answer.status_code == 200, answer.text
    assert "event: message_stop" in answer.text
    asked: Any = only_request(scripted_provider).json
    assert asked["model"] == GPT_UPSTREAM
    assert asked["max_completion_tokens"] == 32000
    roles = [one["role"] for one in asked["messages"]]
    assert roles == ["system", "user", "system", "assistant", "tool", "system"]
    assert asked["messages"][0]["content"][1]["text"] == "You are an agent."
    assert asked["messages"][4]["tool_call_id"] == "toolu_1"
    assert [one["function"]["name"] for one in asked["tools"]] == list(claude_code.TOOL_NAMES)
    assert "c2lnbmVk" not in str(asked)
    assert set(asked) == {
        *("model", "messages", "tools", "max_completion_tokens", "stream", "stream_options"),
    }


def test_an_identity_in_the_body_is_not_an_identity(
    server: RunningServer, scripted_provider: ScriptedProvider
) -> None:
    other = server.sign_up("somebody-else-entirely")
    asked: dict[str, Any] = {"model": CLAUDE, "messages": [USER], "max_tokens": 64}
    asked["metadata"] = {"user_id": other.agent_id}

    answer = post(server, "/v1/messages", json.dumps(asked).encode(), **server.agent.headers)

    assert answer.headers["x-ainfera-agent-id"] == server.agent.agent_id


@proves("body-travels-unchanged")
@pytest.mark.parametrize(
    ("path", "model", "upstream", "limit", "limit_upstream"),
    [
        ("/v1/messages", CLAUDE, CLAUDE, "max_tokens", "max_tokens"),
        ("/v1/chat/completions", GPT, GPT_UPSTREAM, "max_tokens", "max_completion_tokens"),
        ("/v1/chat/completions", MISTRAL, MISTRAL_UPSTREAM, "max_completion_tokens", "max_tokens"),
    ],
)
def test_every_other_value_keeps_its_bytes_and_its_place(
    server: RunningServer,
    scripted_provider: ScriptedProvider,
    path: str,
    model: str,
    upstream: str,
    limit: str,
    limit_upstream: str,
) -> None:
    body = (
        b'{\n "unheard_of": %(odd)s,\n "model": "%(model)s",\n "messages": [ {"content":'
        b' "Say \\u0041\\n" , "role":"user", "unheard_of":%(odd)s} ],\n'
        b' "%(limit)s": 64, "metadata": {"user_id": "u"}, "task_type": "chat",'
        b' "routing_hint": {"min_quality": 0.1}, "caps": {}\n}'
    ) % {b"odd": ODD, b"model": model.encode(), b"limit": limit.encode()}

    answer = post(server, path, body, **server.agent.headers)

    assert answer.status_code == 200, answer.text
    received = fields(only_request(scripted_provider).body)
    sent = fields(body)
    assert received.pop("model") == f'"{upstream}"'.encode()
    assert received.pop(limit_upstream) == b"64"
    kept = ["unheard_of", "messages", "metadata"]
    assert list(received) == kept
    assert received == {name: sent[name] for name in kept}


@proves("body-travels-unchanged")
@pytest.mark.parametrize("streams", [False, True], ids=["plain", "streamed"])
def test_claudes_answer_comes_back_byte_for_byte_with_a_comment_at_its_end(
    server: RunningServer,
    streams: bool,  # noqa: FBT001 (pytest passes by name)
) -> None:
    asked = {"model": CLAUDE, "messages": [USER], "max_tokens": 64, "stream": streams}

    answer = post(server, "/v1/messages", json.dumps(asked).encode(), **server.agent.headers)

    if not streams:
        assert answer.content == vendor_shapes.plain("anthropic_messages", SAID)
        return
    events = vendor_shapes.streamed("anthropic_messages", SAID, includes_usage=False)
    receipt = answer.headers["x-ainfera-receipt-id"]
    *others, last = events
    came = answer.content
    assert came.startswith(b"".join(others))
    assert came.endswith(last)
    comment = came.removeprefix(b"".join(others)).removesuffix(last)
    assert comment.startswith(f": ainfera receipt={receipt} cost_usd=0.0".encode())


@proves("body-travels-unchanged")
def test_gpts_stream_comes_back_byte_for_byte_with_a_comment_at_its_end(
    server: RunningServer,
) -> None:
    asked: dict[str, Any] = {"model": GPT, "messages": [USER], "stream": True}
    asked["stream_options"] = {"include_usage": True}
    body = json.dumps(asked).encode()

    answer = post(server, "/v1/chat/completions", body, **server.agent.headers)

    said = Told(
        text=DEFAULT_TEXT, tool_calls=(), usage=DEFAULT_USAGE, model=GPT_UPSTREAM, finish="stop"
    )
    events = vendor_shapes.streamed("openai_chat", said, includes_usage=True)
    lines = answer.content.split(b"\n\n")
    (comment,) = (line for line in lines if line.startswith(b":"))
    assert answer.headers["x-ainfera-receipt-id"].encode() in comment
    assert answer.content.replace(comment + b"\n\n", b"") == b"".join(events)


@proves("body-travels-unchanged")
def test_gpts_whole_answer_comes_back_with_our_field_and_no_other_change(
    server: RunningServer, openai_client: openai.OpenAI
) -> None:
    raw = openai_client.chat.completions.with_raw_response.create(model=GPT, messages=[USER])

    said = Told(
        text=DEFAULT_TEXT, tool_calls=(), usage=DEFAULT_USAGE, model=GPT_UPSTREAM, finish="stop"
    )
    came = fields(raw.content)
    ours = json.loads(came.pop("ainfera"))
    assert came == fields(vendor_shapes.plain("openai_chat", said))
    assert ours["agent_id"] == server.agent.agent_id


def test_fields_that_openais_client_does_not_know_reach_gpt(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider
) -> None:
    openai_client.chat.completions.create(
        model=GPT,
        messages=[USER],
        reasoning_effort="low",
        prompt_cache_key="mine",
        user="somebody",
        logit_bias={"50256": -100},
        extra_body={"unheard_of": {"a": [1, 2.5, None]}, "routing_hint": {"min_quality": 0.2}},
    )

    asked = only_request(scripted_provider).json
    assert asked["unheard_of"] == {"a": [1, 2.5, None]}
    assert asked["reasoning_effort"] == "low"
    assert asked["prompt_cache_key"] == "mine"
    assert asked["logit_bias"] == {"50256": -100}
    assert "routing_hint" not in asked


def test_marks_for_the_cache_stay_where_the_client_put_them(
    anthropic_client: anthropic.Anthropic, scripted_provider: ScriptedProvider
) -> None:
    hour: Any = {"type": "ephemeral", "ttl": "1h"}
    system: Any = [{"type": "text", "text": "Rules.", "cache_control": hour}]
    tools: Any = [{"name": "t", "input_schema": {"type": "object"}, "cache_control": hour}]
    block: Any = {"type": "text", "text": "Hello.", "cache_control": {"type": "ephemeral"}}

    anthropic_client.messages.create(
        model=CLAUDE,
        max_tokens=64,
        system=system,
        tools=tools,
        messages=[{"role": "user", "content": [block]}],
    )

    asked: Any = only_request(scripted_provider).json
    assert asked["system"] == system
    assert asked["tools"] == tools
    assert asked["messages"][0]["content"] == [block]


def post(server: RunningServer, path: str, body: bytes, **headers: str) -> httpx.Response:
    """Send exactly these bytes."""
    sent = {"content-type": "application/json", **headers}
    return httpx.post(server.url + path, content=body, headers=sent, timeout=30)


def fields(body: bytes) -> dict[str, bytes]:
    """The bytes of every field."""
    return {
        name: bytes(raw) for name, raw in msgspec_json.decode(body, type=dict[str, Raw]).items()
    }
