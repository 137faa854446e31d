"""Requests in the form of the Messages API, read and written."""

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
from ainfera_server.dialects.anthropic_messages import client, server
from ainfera_server.dialects.sides import ClientSide, Quirks, ServerSide
from ainfera_server.errors import Invalid, NotCarried
from tests.dialects.anthropic_messages import conversations

QUIRKS = Quirks()
HELLO = {"role": "user", "content": "Hello, Claude"}
ASKED: dict[str, Any] = {"model": "claude-opus-4-7", "max_tokens": 1024, "messages": [HELLO]}

SERVER_SIDE: ServerSide = server
CLIENT_SIDE: ClientSide = client


def read(**fields: Any) -> Request:
    return server.decode_request(json.dumps(ASKED | fields).encode())


def written(request: Request) -> dict[str, Any]:
    body = client.encode_request(request, model="m", max_tokens=512, quirks=QUIRKS)
    return json.loads(body)


def adapted(body: bytes) -> bytes:
    request = server.decode_request(body)
    return client.adapt_request(request, model="upstream", max_tokens=77, quirks=QUIRKS)


def said(*messages: Message) -> Request:
    return Request(dialect="openai_chat", body=b"", model="m", messages=messages)


def user(text: str) -> Message:
    return Message(role="user", parts=(Text(text=text),))


def system(text: str) -> Message:
    return Message(role="system", parts=(Text(text=text),))


@given(conversations.requests())
def test_what_is_written_reads_as_what_was_meant(request: Request) -> None:
    assert request.max_tokens is not None
    body = client.encode_request(
        request, model=request.model, max_tokens=request.max_tokens, quirks=QUIRKS
    )
    found = server.decode_request(body)
    assert found == replace(request, dialect="anthropic_messages", body=body)


def test_a_documented_request_with_tools_is_understood() -> None:
    # From https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview
    schema = {"type": "object", "properties": {"ticker": {"type": "string"}}}
    tool = {"name": "get_stock_price", "description": "Get it.", "input_schema": schema}
    use = {"type": "tool_use", "id": "toolu_01", "name": "get_stock_price", "input": {"t": "^GSPC"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_01", "content": "259.75 USD"}
    found = read(
        system="You trade.",
        tools=[tool],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        stop_sequences=["END"],
        messages=[
            {"role": "user", "content": "What's the S&P 500 at today?"},
            {"role": "assistant", "content": [{"type": "text", "text": "Let me see."}, use]},
            {"role": "user", "content": [result, {"type": "text", "text": "Well?"}]},
        ],
    )
    call = ToolCall(call_id="toolu_01", name="get_stock_price", arguments='{"t": "^GSPC"}')
    answered = ToolResult(call_id="toolu_01", parts=(Text(text="259.75 USD"),))
    assert found.messages == (
        system("You trade."),
        user("What's the S&P 500 at today?"),
        Message(role="assistant", parts=(Text(text="Let me see."), call)),
        Message(role="tool", parts=(answered,)),
        user("Well?"),
    )
    parameters = JsonText(json.dumps(schema).encode())
    assert found.tools == (
        Tool(name="get_stock_price", description="Get it.", parameters=parameters),
    )
    assert found.tool_choice == ToolChoice(mode="required")
    assert found.parallel_tool_calls is False
    assert found.stop == ("END",)
    assert found.fields_not_understood == ()


def test_a_request_as_claude_code_sends_it_is_understood() -> None:
    cached = {"cache_control": {"type": "ephemeral"}}
    found = read(
        stream=True,
        system=[
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329"},
            {"type": "text", "text": "You are Claude Code."} | cached,
        ],
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "say ping"} | cached]},
            {"role": "system", "content": [{"type": "text", "text": "Be brief."} | cached]},
        ],
        tools=[
            {"name": "Bash", "input_schema": {}},
            {"name": "Later", "input_schema": {}, "defer_loading": True},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
        ],
        thinking={"type": "adaptive"},
        metadata={"user_id": '{"device_id":"d"}'},
        context_management={"edits": []},
        output_config={"effort": "high"},
    )
    assert [one.role for one in found.messages] == ["system", "user", "system"]
    assert len(found.messages[0].parts) == 2
    assert [one.name for one in found.tools] == ["Bash"]
    assert found.stream
    assert found.fields_not_understood == (
        *("thinking", "metadata", "context_management"),
        *("cache_control", "tools.defer_loading", "output_config"),
    )
    assert found.parts_not_understood == ("tools.2",)
    assert found.web_searches_max == 8


def test_thinking_keeps_its_signature_byte_for_byte() -> None:
    signature = "EqQBCgIYAhIkMz+/=é"
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": signature},
        {"type": "redacted_thinking", "data": "EmwKAhgB"},
        {"type": "text", "text": "So."},
    ]
    found = read(messages=[HELLO, {"role": "assistant", "content": blocks}])
    assert found.messages[1].parts == (
        Thinking(text="hm", signature=signature),
        Thinking(text="", redacted="EmwKAhgB"),
        Text(text="So."),
    )
    assert written(found)["messages"][1]["content"] == blocks


@pytest.mark.parametrize(
    "block",
    [
        {"type": "document", "source": {"type": "text", "data": "x"}},
        {"type": "image", "source": {"type": "file", "file_id": "f"}},
        {"type": "invented_tomorrow"},
    ],
)
def test_a_block_without_words_here_travels_and_is_never_lost_silently(
    block: dict[str, Any],
) -> None:
    content = [block, {"type": "text", "text": "Read it."}]
    body = json.dumps(ASKED | {"messages": [{"role": "user", "content": content}]}).encode()
    found = server.decode_request(body)
    assert found.messages == (user("Read it."),)
    assert found.fields_not_understood == ()
    assert found.parts_not_understood == ("messages.0.content.0",)
    assert json.loads(adapted(body))["messages"][0]["content"] == content
    with pytest.raises(NotCarried) as caught:
        written(found)
    assert caught.value.facts == {"param": "messages.0.content.0"}


def test_what_a_tool_answered_beyond_words_and_pictures_is_named() -> None:
    content = [{"type": "search_result"}, {"type": "thinking", "thinking": "?"}]
    result = {"type": "tool_result", "tool_use_id": "t", "content": content}
    found = read(messages=[{"role": "user", "content": [result]}])
    assert found.messages == (Message(role="tool", parts=(ToolResult(call_id="t", parts=()),)),)
    assert found.parts_not_understood == (
        "messages.0.content.0.content.0",
        "messages.0.content.0.content.1",
    )


def test_a_tool_of_anthropics_may_be_missed_unless_it_is_demanded() -> None:
    shell = {"type": "bash_20250124", "name": "bash"}
    own = {"name": "f", "input_schema": {}}
    for choice, parts in (("f", ()), ("bash", ("tool_choice",))):
        found = read(tools=[shell, own], tool_choice={"type": "tool", "name": choice})
        assert found.fields_not_understood == ("tools.bash_20250124",)
        assert found.parts_not_understood == parts


def test_a_tool_that_anthropic_runs_is_never_missed() -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    with pytest.raises(NotCarried) as caught:
        written(read(tools=[search]))
    assert caught.value.facts == {"param": "tools.0"}


def test_only_the_model_a_missing_limit_and_our_own_fields_change_on_the_way() -> None:
    body = (
        b'{"agent_id":"a","system":[ {"type":"text", "text":"\\u00e9","cache_control":{} } ],'
        b'"model":"claude","messages":[ {"role":"user","content":"x"} ],"temperature":1.0,'
        b'"caps":{"budget":1},"routing_hint":{"floor":0.5},"task_type":"code","big":1e5}'
    )
    assert adapted(body) == (
        b'{"system":[ {"type":"text", "text":"\\u00e9","cache_control":{} } ],'
        b'"model":"upstream","messages":[ {"role":"user","content":"x"} ],"temperature":1.0,'
        b'"big":1e5,"max_tokens":77}'
    )
    found = server.decode_request(body)
    assert found.wishes == Wishes(
        agent_id="a", task_type="code", hint={"floor": 0.5}, caps={"budget": 1}
    )
    assert found.fields_not_understood == ("big", "cache_control")


def test_reasoning_of_another_vendor_does_not_travel_and_the_rest_keeps_its_bytes() -> None:
    marked = b'{"type":"thinking","thinking":"a","signature":"openai_responses.rs_1.gAAA"}'
    unsigned = b'{"thinking":"b","signature":"", "type":"thinking"}'
    ours = b'{"type":"thinking", "thinking":"c", "signature":"EqQB+/="}'
    hidden = b'{"type":"redacted_thinking","data":"Emw"}'
    text = b'{ "type":"text","text":"\\u00e9" }'
    turns = b'{"role":"assistant","content":[%s]}'
    user = b'{ "role":"user", "content":"Hi" }'
    body = b'{"model":"m","max_tokens":1,"messages":[%s]}'
    said = [user, *(turns % b",".join(one) for one in ([marked], [unsigned, ours, text, hidden]))]
    kept = turns % b",".join([ours, text, hidden])
    assert adapted(body % b",".join(said)) == body.replace(b'"m"', b'"upstream"') % (
        b",".join([user, kept])
    )
    untouched = body % b" , ".join([user, kept])
    assert adapted(untouched) == untouched.replace(b'"m"', b'"upstream"')


def test_a_signature_goes_back_to_its_maker_and_to_nobody_else() -> None:
    foreign = Thinking(text="a", signature="openai_responses.rs_1.gAAA")
    ours = Thinking(text="b", signature="EqQB.with.dots")
    message = Message(role="assistant", parts=(foreign, ours, Text(text="c")))
    assert written(said(user("Hi."), message))["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "b", "signature": "EqQB.with.dots"},
        {"type": "text", "text": "c"},
    ]


def test_a_limit_that_the_caller_gave_stays() -> None:
    assert json.loads(adapted(json.dumps(ASKED).encode()))["max_tokens"] == 1024
    body = json.dumps(ASKED | {"max_tokens": None}).encode()
    assert json.loads(adapted(body))["max_tokens"] == 77


def test_a_schema_for_the_answer_is_carried_both_ways() -> None:
    schema = {"type": "object", "properties": {}}
    config = {"format": {"type": "json_schema", "schema": schema}}
    found = read(output_config=config)
    assert found.fields_not_understood == ()
    assert written(found)["output_config"] == config
    plain = replace(found, response_format=JsonText(b'{"type":"json_object"}'))
    assert "output_config" not in written(plain)
    with pytest.raises(Invalid):
        written(replace(found, response_format=JsonText(b'{"type":1}')))


def test_results_that_follow_each_other_are_one_message() -> None:
    results = [
        Message(role="tool", parts=(ToolResult(call_id=one, parts=()),)) for one in ("a", "b")
    ]
    found = written(said(user("Go."), *results, user("And?")))["messages"]
    assert [one["role"] for one in found] == ["user", "user", "user"]
    assert [one["tool_use_id"] for one in found[1]["content"]] == ["a", "b"]


def test_an_opening_system_message_is_the_system_prompt() -> None:
    body = written(said(system("One."), system("Two."), user("Hi.")))
    assert [one["text"] for one in body["system"]] == ["One.", "Two."]
    assert body["messages"] == [{"role": "user", "content": "Hi."}]


def test_a_later_system_message_is_said_by_the_user() -> None:
    body = written(said(user("Hi."), system("Be brief.")))
    assert "system" not in body
    assert body["messages"][1] == {"role": "user", "content": "<system>\nBe brief.\n</system>"}
    alone = written(said(system("Sing.")))
    assert alone["messages"] == [{"role": "user", "content": "<system>\nSing.\n</system>"}]


def test_what_anthropic_refuses_and_nobody_misses_is_left_out() -> None:
    nothing = (Text(text=""), Thinking(text="unsigned"))
    call = ToolCall(call_id="c", name="f", arguments="{}")
    asked = replace(
        said(user("Hi."), Message(role="assistant", parts=nothing), user("Hi?")),
        temperature=1.7,
        parallel_tool_calls=False,
        tools=(Tool(name="f", description=None, parameters=JsonText(b"{ }")),),
    )
    body = written(asked)
    assert [one["content"] for one in body["messages"]] == ["Hi.", "Hi?"]
    calling = said(Message(role="assistant", parts=(*nothing, call)))
    assert [one["type"] for one in written(calling)["messages"][0]["content"]] == ["tool_use"]
    assert body["temperature"] == 1.0
    assert body["tools"][0]["input_schema"] == {"type": "object", "properties": {}}
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert "tool_choice" not in written(replace(asked, tools=()))


@pytest.mark.parametrize("arguments", ["not json", "[1]", "null", '{"a":NaN}', "{"])
def test_arguments_that_are_no_object_are_refused_with_their_place(arguments: str) -> None:
    call = ToolCall(call_id="c", name="f", arguments=arguments)
    with pytest.raises(Invalid) as caught:
        written(said(user("Hi."), Message(role="assistant", parts=(call,))))
    assert caught.value.facts == {"param": "messages.1.content.0"}


def test_a_call_without_arguments_is_a_call_with_none() -> None:
    call = ToolCall(call_id="c", name="f", arguments="")
    body = written(said(user("Hi."), Message(role="assistant", parts=(call,))))
    assert body["messages"][1]["content"][0]["input"] == {}


def test_a_picture_in_a_system_message_cannot_be_said() -> None:
    picture = Message(role="system", parts=(Image(url="https://example.org/a.png"),))
    with pytest.raises(NotCarried):
        written(said(picture, user("Hi.")))
    with pytest.raises(NotCarried):
        written(said(Message(role="user", parts=(Image(),))))
