"""Tools that come and go within a conversation: who has them at its end, and what that may cost."""

import json
from typing import Any

import pytest

from ainfera_server.catalog import token_counts
from ainfera_server.conversation import Message, Request, Text, ToolResult
from ainfera_server.dialects.anthropic_messages import client, server
from ainfera_server.dialects.openai_chat import client as ask_openai
from ainfera_server.dialects.sides import Quirks
from ainfera_server.errors import Invalid, Malformed, NotCarried
from tests.promises import proves

HELLO: Any = {"role": "user", "content": "Find me a tool."}
LISTED: Any = {"name": "Read", "input_schema": {"type": "object"}}
DEFERRED: Any = {"name": "Fetch", "input_schema": {"type": "object"}, "defer_loading": True}


def read(*messages: Any, tools: tuple[Any, ...] = (LISTED, DEFERRED), **fields: Any) -> Request:
    asked = {"model": "m", "messages": [HELLO, *messages], "tools": tools, **fields}
    return server.decode_request(json.dumps(asked).encode())


def names(request: Request) -> list[str]:
    return [tool.name for tool in request.tools]


def found(*tool_names: str) -> Any:
    """What a search for tools answers."""
    references = [{"type": "tool_reference", "tool_name": name} for name in tool_names]
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": references}
    return {"role": "user", "content": [result]}


def changed(kind: str, **tool: Any) -> Any:
    """A block that gives the model a tool or takes one away."""
    return {"role": "system", "content": [{"type": kind, "tool": tool}]}


def asked_openai(request: Request) -> Any:
    quirks = Quirks()
    return json.loads(ask_openai.encode_request(request, model="m", max_tokens=9, quirks=quirks))


def test_a_deferred_tool_is_there_once_a_search_found_it() -> None:
    assert names(read()) == ["Read"]
    request = read(found("Fetch"))
    assert names(request) == ["Read", "Fetch"]
    said = (Text(text="The tool Fetch can be called now."),)
    answered = ToolResult(call_id="toolu_1", parts=said)
    assert request.messages[1:] == (Message(role="tool", parts=(answered,)),)
    assert request.parts_not_understood == ()


@proves("vendor-clients-work")
def test_a_conversation_that_searched_for_tools_is_put_into_openais_words() -> None:
    asked = asked_openai(read(found("Fetch")))
    assert [one["function"]["name"] for one in asked["tools"]] == ["Read", "Fetch"]
    assert asked["messages"][1]["content"] == "The tool Fetch can be called now."


def test_a_deferred_tool_that_is_demanded_is_there() -> None:
    assert names(read(tool_choice={"type": "tool", "name": "Fetch"})) == ["Read", "Fetch"]


def test_the_last_word_about_a_tool_counts() -> None:
    addition = changed("tool_addition", type="tool_reference", name="Fetch")
    removal = changed("tool_removal", type="tool_reference", name="Fetch")
    assert names(read(addition)) == ["Read", "Fetch"]
    assert names(read(addition, removal)) == ["Read"]
    assert names(read(changed("tool_removal", type="tool_reference", name="Read"))) == []


def test_a_tool_that_is_defined_within_the_conversation_is_carried() -> None:
    new = {"name": "New", "description": "Is new.", "input_schema": {"type": "object"}}
    request = read(changed("tool_addition", type="tool_definition", definition=new))
    assert names(request) == ["Read", "New"]
    assert [one.role for one in request.messages] == ["user"]
    assert request.fields_not_understood == ("messages.tool_addition", "tools.defer_loading")
    assert [one["function"]["name"] for one in asked_openai(request)["tools"]] == ["Read", "New"]


def test_words_beside_a_change_of_tools_stay() -> None:
    addition = changed("tool_addition", type="tool_reference", name="Fetch")
    addition["content"].append({"type": "text", "text": "It is new."})
    request = read(addition)
    assert request.messages[1] == Message(role="system", parts=(Text(text="It is new."),))


def test_a_search_that_anthropic_runs_is_no_less_anthropics_where_it_is_added() -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    request = read(changed("tool_addition", type="tool_definition", definition=search))
    assert request.web_searches_max == 2
    with pytest.raises(NotCarried) as caught:
        asked_openai(request)
    assert caught.value.facts == {"param": "messages.1.content.0.tool.definition"}


@pytest.mark.parametrize("inside", ["system", "messages"])
def test_a_reference_outside_of_a_result_is_for_anthropic_alone(inside: str) -> None:
    block = {"type": "tool_reference", "tool_name": "Fetch"}
    request = (
        read(system=[block]) if inside == "system" else read({"role": "user", "content": [block]})
    )
    assert names(request) == ["Read"]
    assert len(request.parts_not_understood) == 1


@proves("no-overspend")
def test_a_definition_that_is_read_twice_counts_twice_in_the_bound() -> None:
    once, twice = read(found("Fetch")), read(found("Fetch"), found("Fetch"))
    more = token_counts.most_input_tokens(twice) - token_counts.most_input_tokens(once)
    assert more > token_counts.TOKENS_A_PART_NOT_UNDERSTOOD_MAX
    assert twice.parts_not_understood == ("messages.2.content.0.content.0",)
    listed = read(found("Read"))
    assert listed.parts_not_understood == ("messages.1.content.0.content.0",)


@proves("no-overspend")
def test_a_long_definition_may_be_read_once_and_not_again() -> None:
    long: Any = DEFERRED | {"description": "x" * 10_000}
    assert names(read(found("Fetch"), tools=(long,))) == ["Fetch"]
    with pytest.raises(Invalid) as caught:
        read(found("Fetch"), found("Fetch"), tools=(long,))
    assert caught.value.facts == {"param": "messages.2.content.0.content.0"}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "tool_addition"},
        {"type": "tool_addition", "tool": "Fetch"},
        {"type": "tool_removal", "tool": {"name": 1}},
        {"type": "tool_addition", "tool": {"definition": 1}},
    ],
)
def test_a_change_of_tools_that_cannot_be_read_is_refused_with_its_place(block: Any) -> None:
    with pytest.raises(Malformed) as caught:
        read({"role": "system", "content": [block]})
    assert str(caught.value.facts["param"]).startswith("messages.1.content.0")


def test_what_is_said_of_tools_reaches_anthropic_as_it_was_written() -> None:
    blocks = b'[{"type":"tool_addition" ,"tool":{"type":"tool_reference","name":"f"}}]'
    body = b'{"messages":[{"role":"system","content":%s}],"model":"m","max_tokens":1}' % blocks
    request = server.decode_request(body)
    adapted = client.adapt_request(request, model="m", max_tokens=9, quirks=Quirks())
    assert adapted == body
