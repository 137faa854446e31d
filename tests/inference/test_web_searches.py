"""A model that searches the web: what is set aside for it, what is charged, what is refused."""

import json

import pytest

from ainfera_server import sse
from ainfera_server.conversation import Json
from ainfera_server.errors import AinferaError, Invalid, NotCarried
from ainfera_server.gateway import Gateway
from tests.conftest import Look
from tests.inference import books_of, callers
from tests.promises import proves
from tests.scripted_provider import ScriptedProvider

MESSAGES = "/v1/messages"
HAIKU = "claude-haiku-4-5"
SEARCH: dict[str, Json] = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
FOUND: dict[str, Json] = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [{"type": "web_search_result", "url": "https://a.example", "title": "A"}],
}
USAGE: dict[str, Json] = {
    "input_tokens": 30_000,
    "output_tokens": 10,
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
}
COST = 50_050
"""30,000 tokens at 1 and 10 at 5 dollars a million, 2 searches at a cent: 30,000 + 50 + 20,000."""
HELD = 1_220_080
"""Three windows of 200,000 tokens at 2 dollars, 16 tokens at 5, 2 searches at a cent:
1,200,000 + 80 + 20,000."""
ANSWER: dict[str, Json] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": HAIKU,
    "content": [FOUND, {"type": "text", "text": "Found."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": USAGE,
}
BILLS = "select cost, amount_held, usage_source, failure from inferences"


def events(*, until: int = 99) -> bytes:
    """The same answer as a stream, or as much of it as came."""
    begun: Json = {**ANSWER, "content": [], "usage": {"input_tokens": 100, "output_tokens": 1}}
    words: Json = {"type": "text_delta", "text": "Found."}
    ending: Json = {"stop_reason": "end_turn", "stop_sequence": None}
    told: list[dict[str, Json]] = [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": FOUND},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": words},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": ending, "usage": USAGE},
        {"type": "message_stop"},
    ]
    return b"".join(
        sse.encode(json.dumps(one).encode(), name=str(one["type"])) for one in told[:until]
    )


@proves("no-overspend", "no-free-or-double-charge")
@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "plain"])
async def test_searches_are_set_aside_for_and_charged_beside_the_tokens(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look, *, streams: bool
) -> None:
    caller = await callers.signed_up(gateway)
    if streams:
        scripted_provider.sends(events(), headers={"content-type": "text/event-stream"})
    else:
        scripted_provider.sends(json.dumps(ANSWER).encode())
    told = await caller.answers(gateway, path=MESSAGES, model=HAIKU, tools=[SEARCH], stream=streams)
    assert b"Found." in told
    assert look(BILLS) == [
        {"cost": COST, "amount_held": HELD, "usage_source": "provider", "failure": None}
    ]
    assert json.loads(scripted_provider.requests[0].body)["tools"] == [SEARCH]
    assert books_of.violations(look) == []


@proves("no-free-or-double-charge")
async def test_a_search_is_paid_although_the_answer_broke_off_behind_it(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look
) -> None:
    caller = await callers.signed_up(gateway)
    broken = events(until=3)
    scripted_provider.sends(broken, headers={"content-type": "text/event-stream"})
    await caller.answers(gateway, path=MESSAGES, model=HAIKU, tools=[SEARCH], stream=True)
    (bill,) = look(BILLS)
    assert (bill["usage_source"], bill["failure"]) == ("estimate", "incomplete")
    # The prompt of 100 tokens twice, the result at four characters a token, 1 token at 5 dollars
    # and a search.
    found = -(-len(json.dumps(FOUND["content"])) // 4)
    assert bill["cost"] == 200 + found + 5 + 10_000


@proves("unpriced-is-never-served", "bad-input-changes-nothing")
@pytest.mark.parametrize("model", [HAIKU, "ainfera-inference"])
async def test_what_cannot_be_held_is_refused_before_anything_is_asked(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look, model: str
) -> None:
    caller = await callers.signed_up(gateway)
    unbounded: Json = {"type": "web_search_20250305", "name": "web_search"}
    code: Json = {"type": "code_execution_20260521", "name": "code_execution"}
    for tool, place in ((unbounded, "tools.0.max_uses"), (code, "tools.0.type")):
        with pytest.raises(Invalid) as caught:
            await caller.asks(gateway, path=MESSAGES, model=model, tools=[tool])
        assert caught.value.facts == {"param": place}
    assert scripted_provider.requests == []
    assert look(BILLS) == []


@proves("unpriced-is-never-served")
async def test_a_model_that_cannot_be_paid_for_searches_is_not_asked_without_them(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look
) -> None:
    caller = await callers.signed_up(gateway)
    with pytest.raises(NotCarried):
        await caller.asks(gateway, path=MESSAGES, model="gpt-5-5", tools=[SEARCH])
    assert scripted_provider.requests == []
    assert look(BILLS) == []


def test_the_refusal_is_in_the_words_of_the_callers_dialect() -> None:
    speaks = callers.door.ROUTES[MESSAGES]
    search: Json = {"type": "web_search_20250305", "name": "web_search"}
    body = {"model": HAIKU, "max_tokens": 8, "messages": callers.MESSAGES, "tools": [search]}
    with pytest.raises(AinferaError) as caught:
        speaks.decode_request(json.dumps(body).encode())
    answer = speaks.encode_error(caught.value, request_id="req_1")
    told = json.loads(answer.body)
    assert 400 <= answer.status < 500
    assert told["error"]["type"] == "invalid_request_error"
    assert "max_uses" in told["error"]["message"]
