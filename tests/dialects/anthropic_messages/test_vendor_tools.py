"""Tools that Anthropic defines: what a caller may ask for, and how often it may be charged for."""

import json
from typing import Any

import pytest

from ainfera_server.conversation import Request
from ainfera_server.dialects.anthropic_messages import server
from ainfera_server.errors import Invalid
from tests.promises import proves

HELLO = {"role": "user", "content": "Hello, Claude"}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
LATER_SEARCH = {"type": "web_search_20260318", "name": "web_search", "max_uses": 3}
OWN = {"name": "f", "input_schema": {"type": "object"}}
UNPRICED = (
    *("code_execution_20250522", "code_execution_20260521", "web_fetch_20250910"),
    *("web_fetch_20260318", "tool_search_tool_regex", "tool_search_tool_bm25_20251119"),
    *("advisor_20260301", "mcp_toolset", "invented_tomorrow", "web_search", "web_search_20250305x"),
)
RUN_BY_CALLERS = (
    *("bash_20250124", "text_editor_20250728", "memory_20250818", "computer_20251124"),
    *("computer_toolset_20260801", "browser_toolset_20260801"),
)


def asked(*tools: object, messages: tuple[object, ...] = (HELLO,)) -> Request:
    body: dict[str, Any] = {"model": "m", "max_tokens": 8, "messages": messages, "tools": tools}
    return server.decode_request(json.dumps(body).encode())


def added(tool: object) -> dict[str, object]:
    """A message that gives the model a tool in the middle of the conversation."""
    return {"role": "system", "content": [{"type": "tool_addition", "tool": tool}]}


def refused(*tools: object, messages: tuple[object, ...] = (HELLO,)) -> Invalid:
    with pytest.raises(Invalid) as caught:
        asked(*tools, messages=messages)
    return caught.value


def test_the_bound_of_every_search_tool_counts() -> None:
    assert asked(OWN).web_searches_max == 0
    assert asked(OWN, SEARCH | {"max_uses": 5}).web_searches_max == 5
    direct = LATER_SEARCH | {"allowed_callers": ["direct"]}
    assert asked(SEARCH | {"max_uses": 5}, direct).web_searches_max == 8


@proves("no-overspend")
@pytest.mark.parametrize("limit", [{}, {"max_uses": None}])
def test_a_search_without_a_limit_is_refused_because_its_cost_has_none(
    limit: dict[str, None],
) -> None:
    problem = refused(OWN, SEARCH | limit)
    assert problem.facts == {"param": "tools.1.max_uses"}
    assert "no money can be set aside" in problem.sentence


@pytest.mark.parametrize("limit", [0, -1, 2**31])
def test_a_limit_of_searches_is_a_number_of_searches(limit: int) -> None:
    assert refused(SEARCH | {"max_uses": limit}).facts == {"param": "tools.0.max_uses"}


@proves("no-overspend")
@pytest.mark.parametrize(
    "tool",
    [
        LATER_SEARCH,
        LATER_SEARCH | {"allowed_callers": ["direct", "code_execution_20260521"]},
        SEARCH | {"max_uses": 3, "allowed_callers": ["code_execution_20250825"]},
    ],
)
def test_code_may_not_search_because_it_reads_the_prompt_without_bound(tool: object) -> None:
    assert refused(tool).facts == {"param": "tools.0.allowed_callers"}


@proves("unpriced-is-never-served")
@pytest.mark.parametrize("kind", UNPRICED)
def test_a_tool_of_the_vendors_without_a_known_price_is_refused(kind: str) -> None:
    problem = refused(OWN, {"type": kind, "name": "it", "max_uses": 1})
    assert problem.facts == {"param": "tools.1.type"}
    assert repr(kind) in problem.sentence


@pytest.mark.parametrize("kind", RUN_BY_CALLERS)
def test_a_tool_that_the_caller_runs_costs_tokens_alone(kind: str) -> None:
    found = asked({"type": kind, "name": "it"})
    assert found.fields_not_understood == (f"tools.{kind}",)
    assert found.web_searches_max == 0


@proves("unpriced-is-never-served")
def test_a_tool_that_is_defined_within_the_conversation_is_a_tool_like_any_other() -> None:
    defined = {"type": "tool_definition", "definition": SEARCH | {"max_uses": 4}}
    assert asked(messages=(HELLO, added(defined))).web_searches_max == 4
    code = {"type": "tool_definition", "definition": {"type": "code_execution_20260521"}}
    place = "messages.1.content.0.tool.definition.type"
    assert refused(messages=(HELLO, added(code))).facts == {"param": place}


def test_a_reference_to_a_tool_of_the_list_is_no_tool_of_its_own() -> None:
    reference = added({"type": "tool_reference", "name": "f"})
    assert asked(OWN, messages=(HELLO, reference)).web_searches_max == 0
