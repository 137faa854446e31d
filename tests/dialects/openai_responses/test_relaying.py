"""Between a caller and a provider of Responses everything travels as it was written."""

import json
from typing import Any

import pytest
from hypothesis import given
from msgspec import Raw
from msgspec import json as msgspec_json

from ainfera_server import sse
from ainfera_server.conversation import Ended, Request, StreamEvent, Thinking, ToolCall
from ainfera_server.dialects.anthropic_messages import client as ask_anthropic
from ainfera_server.dialects.openai_responses import client, reasoning, server
from ainfera_server.dialects.sides import Quirks
from ainfera_server.errors import NotCarried, ProviderFailed
from tests.dialects import any_stream, samples, streams

ODD = b'{ "exact" : 1.00, "small": 1e-7, "escaped": "\\u00e9\\/\\ud83d\\ude00", "none": null }'
"""JSON that no writer of ours would write."""

THOUGHT = (
    b'{ "type":"reasoning", "id":"rs_1","summary":[ ], "encrypted_content":"gAAA\\u0041-_==" }'
)
SEALED = {"type": "reasoning", "id": "rs_2", "summary": [{"type": "summary_text", "text": "Hm."}]}
STATELESS = {"store": False, "include": ["reasoning.encrypted_content"]}


def adapted(body: bytes) -> dict[str, bytes]:
    request = server.decode_request(body)
    sent = client.adapt_request(request, model="gpt-5.5-pro", max_tokens=99, quirks=Quirks())
    return {
        name: bytes(raw) for name, raw in msgspec_json.decode(sent, type=dict[str, Raw]).items()
    }


def asked(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "input": "Hi"} | STATELESS | fields).encode()


def test_every_value_but_ours_keeps_its_bytes_and_its_place() -> None:
    body = (
        b'{\n "unheard_of": %(odd)s,\n "model": "m", "agent_id": "a",\n "input": [ %(thought)s,'
        b' {"role":"user","content":"Hi", "x": %(odd)s} ],\n "task_type": "chat", "store": false,'
        b' "metadata": %(odd)s, "max_output_tokens" : 7 , "routing_hint": {}, "caps": {} }'
    ) % {b"odd": ODD, b"thought": THOUGHT}
    before = {
        name: bytes(raw) for name, raw in msgspec_json.decode(body, type=dict[str, Raw]).items()
    }
    for name in ("agent_id", "task_type", "routing_hint", "caps"):
        del before[name]
    found = adapted(body)
    assert list(found) == list(before)
    assert found == before | {"model": b'"gpt-5.5-pro"'}


def test_a_limit_that_nobody_gave_is_ours() -> None:
    assert adapted(asked())["max_output_tokens"] == b"99"
    assert adapted(asked(max_output_tokens=None))["max_output_tokens"] == b"99"
    assert adapted(asked(max_output_tokens=5))["max_output_tokens"] == b"5"


@pytest.mark.parametrize(
    ("fields", "include"),
    [
        ({}, ["reasoning.encrypted_content"]),
        ({"store": True}, ["reasoning.encrypted_content"]),
        ({"store": None, "include": None}, ["reasoning.encrypted_content"]),
        (
            {"include": ["message.output_text.logprobs"]},
            ["message.output_text.logprobs", "reasoning.encrypted_content"],
        ),
        ({"include": ["reasoning.encrypted_content"]}, ["reasoning.encrypted_content"]),
    ],
)
def test_nothing_is_stored_in_our_account_and_reasoning_can_still_come_back(
    fields: dict[str, Any], include: list[str]
) -> None:
    found = adapted(json.dumps({"model": "m", "input": "Hi"} | fields).encode())
    assert found["store"] == b"false"
    assert json.loads(found["include"]) == include


def test_who_wants_nothing_stored_says_by_himself_what_comes_along() -> None:
    assert "include" not in adapted(b'{"model":"m","input":"Hi","store":false}')


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("service_tier", "priority", "service_tier"),
        ("service_tier", "flex", "service_tier"),
        ("context_management", [{"type": "compaction"}], "context_management"),
        ("reasoning", {"mode": "pro"}, "reasoning.mode"),
        ("prompt_cache_options", {"ttl": "12h"}, "prompt_cache_options.ttl"),
        (
            "tools",
            [{"type": "web_search", "external_web_access": False}],
            "tools.web_search",
        ),
    ],
)
def test_openai_is_not_asked_for_another_price(field: str, value: object, named: str) -> None:
    with pytest.raises(NotCarried) as caught:
        adapted(asked(**{field: value}))
    assert caught.value.facts == {"param": named}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("service_tier", "auto"),
        ("service_tier", None),
        ("context_management", []),
        ("reasoning", {"effort": "high", "mode": "standard"}),
        ("reasoning", "nonsense"),
        ("prompt_cache_options", {"ttl": "30m", "mode": "explicit"}),
    ],
)
def test_what_keeps_the_listed_price_travels(field: str, value: object) -> None:
    assert json.loads(adapted(asked(**{field: value}))[field]) == value


@pytest.mark.parametrize(
    ("thinking", "encrypted"),
    [
        (Thinking(text="Hm.", signature="EqQB.+/="), "ainfera.signed.EqQB.+/="),
        (Thinking(text="Hm.", redacted="EmwK"), "ainfera.redacted.EmwK"),
        (Thinking(text="Hm."), "ainfera.unsigned"),
        (
            Thinking(text="Hm.", signature="openai_responses.rs_9.gAA"),
            "ainfera.signed.openai_responses.rs_9.gAA",
        ),
    ],
)
def test_what_another_vendor_reasoned_comes_back_to_it_and_never_reaches_openai(
    thinking: Thinking, encrypted: str
) -> None:
    assert reasoning.sealed(thinking.signature, thinking.redacted) == encrypted
    sealed = json.dumps(SEALED | {"encrypted_content": encrypted}).encode()
    body = b'{"model":"m","store":false,"input":[%s,%s,{"role":"user","content":"Hi"}]}' % (
        *(THOUGHT, sealed),
    )
    request = server.decode_request(body)
    assert request.messages[0].parts == (
        Thinking(text="", signature="openai_responses.rs_1.gAAAA-_=="),
        thinking,
    )
    assert adapted(body)["input"] == b'[%s,{"role":"user","content":"Hi"}]' % THOUGHT


def test_what_claude_signed_goes_back_to_claude_byte_by_byte() -> None:
    item = SEALED | {"encrypted_content": "ainfera.signed.EqQB.+/="}
    request = server.decode_request(
        asked(input=[{"role": "user", "content": "Hi"}, item, {"role": "user", "content": "On."}])
    )
    sent = ask_anthropic.encode_request(request, model="m", max_tokens=9, quirks=Quirks())
    assert json.loads(sent)["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "EqQB.+/="}
    ]


@given(events=any_stream.answers())
def test_events_are_relayed_with_their_bytes(events: list[StreamEvent]) -> None:
    body = any_stream.written(server, events)
    request = Request(dialect="openai_responses", body=b"", model="m", messages=())
    assert b"".join(client.relayed(one, request) for one in sse.Splitter().feed(body)) == body


CUSTOM = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "patch", "input": "+a"}


def test_calls_of_custom_tools_are_counted_as_calls() -> None:
    """They are only ever relayed, but an answer that breaks off after one has said something."""
    call = ToolCall(call_id="c", name="patch", arguments="+a")
    whole = {"id": "resp_1", "model": "m", "status": "completed", "output": [CUSTOM]}
    reply = client.decode_reply(json.dumps(whole).encode())
    assert (reply.parts, reply.finish_reason) == ((call,), "tool_calls")
    place = {"output_index": 0, "item_id": "ctc_1"}
    begun = {"type": "response.created", "response": whole | {"output": [], "status": None}}
    added = {"type": "response.output_item.added", **place, "item": CUSTOM | {"input": ""}}
    delta = {"type": "response.custom_tool_call_input.delta", **place, "delta": "+a"}
    done = {"type": "response.custom_tool_call_input.done", **place, "input": "+a"}
    ended = {"type": "response.completed", "response": whole}
    for told in ([begun, added, delta, done, ended], [begun, added, done, ended]):
        body = b"".join(sse.encode(json.dumps(one).encode()) for one in told)
        events = streams.decoded(client.stream_decoder(), body)
        streams.check_laws(events)
        assert streams.calls(events) == [("c", "patch", "+a")]
        assert events[-1] == Ended(
            finish_reason="tool_calls", finish_reason_native="completed", usage=None
        )


def test_an_answer_is_given_on_with_a_field_of_ours() -> None:
    body = b'{ "id":"resp_1", "output": [ ], "odd": %s }' % ODD
    found = msgspec_json.decode(server.adapt_reply(body, samples.ENVELOPE), type=dict[str, Raw])
    ours = json.loads(bytes(found.pop("ainfera")))
    assert {name: bytes(raw) for name, raw in found.items()} == {
        "id": b'"resp_1"',
        "output": b"[ ]",
        "odd": ODD,
    }
    assert ours["receipt_id"] == samples.ENVELOPE.receipt_id
    assert ours["cost_usd"] == samples.ENVELOPE.cost_usd


def test_what_is_no_answer_is_not_given_on() -> None:
    with pytest.raises(ProviderFailed):
        server.adapt_reply(b"[1]", samples.ENVELOPE)
