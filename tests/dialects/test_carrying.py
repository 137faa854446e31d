"""What has no words in a conversation travels to its own kind and is refused to all others."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ainfera_server.conversation import Message, Request, Text
from ainfera_server.dialects.anthropic_messages import client as ask_anthropic
from ainfera_server.dialects.anthropic_messages import server as as_anthropic
from ainfera_server.dialects.carrying import LeftBehind
from ainfera_server.dialects.native import server as as_native
from ainfera_server.dialects.openai_chat import client as ask_openai
from ainfera_server.dialects.openai_chat import server as as_openai
from ainfera_server.dialects.openai_responses import client as ask_responses
from ainfera_server.dialects.sides import ClientSide, Quirks, ServerSide
from ainfera_server.errors import Malformed, NotCarried

CLIENTS: tuple[ClientSide, ...] = (ask_anthropic, ask_openai, ask_responses)
HELLO = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "f"}}


def user(*content: Mapping[str, Any]) -> dict[str, Any]:
    return {"messages": [HELLO, {"role": "user", "content": list(content)}]}


TEXT = {"type": "text", "text": "Look."}
OPENAI = [
    (user(TEXT, {"type": "input_audio", "input_audio": {}}), "messages.1.content.1"),
    (user({"type": "file", "file": {"file_id": "file-1"}}), "messages.1.content.0"),
    (user({"type": "invented_tomorrow", "x": 1.50}), "messages.1.content.0"),
    ({"messages": [HELLO, {"role": "function", "name": "f", "content": "4"}]}, "messages.1"),
    (
        {"messages": [HELLO, {"role": "tool", "tool_call_id": "1", "content": [{"type": "x"}]}]},
        "messages.1.content.0",
    ),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{"type": "custom", "id": "1"}]}]},
        "messages.0.tool_calls.0",
    ),
    (
        {"messages": [{"role": "assistant", "function_call": {"name": "f", "arguments": ""}}]},
        "messages.0.function_call",
    ),
    ({"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}, "messages.0.audio"),
    ({"tools": [TOOL, {"type": "custom", "custom": {"name": "x"}}]}, "tools.1"),
    ({"tool_choice": {"type": "custom", "custom": {"name": "x"}}}, "tool_choice"),
]
ANTHROPIC = [
    (user(TEXT, {"type": "document", "source": {"type": "url", "url": "u"}}), "1.content.1"),
    (user({"type": "image", "source": {"type": "file", "file_id": "f"}}), "1.content.0"),
    (user({"type": "invented_tomorrow", "x": 1.50}), "1.content.0"),
    (
        user({"type": "tool_result", "tool_use_id": "t", "content": [TEXT, {"type": "document"}]}),
        "1.content.0.content.1",
    ),
]
CASES = [
    *((as_openai, ask_openai, fields, place) for fields, place in OPENAI),
    *((as_anthropic, ask_anthropic, fields, f"messages.{place}") for fields, place in ANTHROPIC),
]


@pytest.mark.parametrize(("server", "client", "fields", "place"), CASES)
def test_a_part_without_words_travels_as_it_is_and_is_refused_by_every_translation(
    server: ServerSide, client: ClientSide, fields: dict[str, Any], place: str
) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": [HELLO]} | fields
    request = server.decode_request(json.dumps(body).encode())
    assert request.parts_not_understood == (place,)
    assert request.fields_not_understood == ()
    sent = client.adapt_request(request, model="m", max_tokens=9, quirks=Quirks())
    assert json.loads(sent) == body
    check_refused(request, place)


@pytest.mark.parametrize(("fields", "place"), OPENAI)
def test_the_native_api_belongs_to_no_vendor_and_so_refuses_at_once(
    fields: dict[str, Any], place: str
) -> None:
    body = {"model": "m", "messages": [HELLO]} | fields
    with pytest.raises(Malformed) as caught:
        as_native.decode_request(json.dumps(body).encode())
    named = f"{place}.role" if place == "messages.1" else place
    assert caught.value.facts == {"param": named}
    assert f"`{named}`" in caught.value.sentence


def check_refused(request: Request, place: str) -> None:
    for client in CLIENTS:
        with pytest.raises(NotCarried) as caught:
            client.encode_request(request, model="m", max_tokens=9, quirks=Quirks())
        assert caught.value.facts == {"param": place}
        assert f"`{place}`" in caught.value.sentence


def test_a_field_that_is_not_understood_is_no_reason_to_refuse() -> None:
    request = Request(
        dialect="native",
        body=b"",
        model="m",
        messages=(Message(role="user", parts=(Text(text="Hi"),)),),
        fields_not_understood=("logit_bias", "messages.text.citations (all)"),
    )
    for client in CLIENTS:
        body = client.encode_request(request, model="m", max_tokens=9, quirks=Quirks())
        plain = replace(request, fields_not_understood=())
        assert body == client.encode_request(plain, model="m", max_tokens=9, quirks=Quirks())


def test_a_name_is_noted_once_and_in_order() -> None:
    left = LeftBehind()
    for name in ("b", "a", "b"):
        left.note_field(name)
        left.note_part(f"messages.{name}")
    assert left.fields == ("b", "a")
    assert left.parts == ("messages.b", "messages.a")
