"""Whatever a provider says of its answer, its caller pays between nothing and the hold."""

import json
from typing import Any

import pytest

from ainfera_server.conversation import Usage
from ainfera_server.gateway import Gateway
from tests.conftest import Look
from tests.inference import books_of, callers
from tests.inference.callers import Caller
from tests.promises import proves
from tests.providers import vendor_shapes
from tests.scripted_provider import DEFAULT_TEXT, ScriptedProvider

FIRST_UPSTREAM = "mistral-large-2512"
SECOND = "gpt-5-5"
LIES: dict[str, Usage | None] = {
    "nothing": None,
    "zero": Usage(),
    "negative": Usage(input_tokens=-5, output_tokens=-7),
    "a million": Usage(input_tokens=1_000_000, output_tokens=1_000_000),
    "more than a database can hold": Usage(input_tokens=10**20, output_tokens=10**20),
    "more cached than there is": Usage(input_tokens=-90, cache_read_tokens=100, output_tokens=1),
}
IMPOSSIBLE = frozenset(
    {"nothing", "negative", "more than a database can hold", "more cached than there is"}
)
"""What nobody can have counted; it is estimated instead, and the books say so."""
PINNED = {"openai": "gpt-5-5", "anthropic": "claude-opus-4-7"}


@pytest.fixture
async def caller(gateway: Gateway) -> Caller:
    """An agent with plenty of money."""
    return await callers.signed_up(gateway)


@proves("no-free-or-double-charge", "uncountable-is-estimated")
@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "plain"])
async def test_whatever_usage_is_reported_the_charge_is_between_nothing_and_the_hold(
    gateway: Gateway,
    scripted_provider: ScriptedProvider,
    caller: Caller,
    look: Look,
    *,
    streams: bool,
) -> None:
    for lie, usage in LIES.items():
        scripted_provider.answers(usage=usage)
        for path in callers.PATHS:
            for provider, model in PINNED.items():
                told = await caller.answers(gateway, path=path, model=model, stream=streams)
                assert b" words." in told, f"{lie} from {provider} on {path}"
        counted = look("select usage_source from inferences order by created_at desc")
        by_us = "estimate" if lie in IMPOSSIBLE else "provider"
        newest = counted[: len(callers.PATHS) * len(PINNED)]
        assert {one["usage_source"] for one in newest} == {by_us}, lie
        assert books_of.violations(look) == [], lie

    charged = look("select cost, amount_held from inferences where cost is not null")
    assert all(0 <= one["cost"] <= one["amount_held"] for one in charged)
    assert len(charged) == len(LIES) * len(callers.PATHS) * len(PINNED)
    assert any(one["cost"] == one["amount_held"] for one in charged)


@proves("the-next-offer-answers")
@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "plain"])
async def test_what_is_no_answer_is_a_failure_and_the_next_offer_answers(
    gateway: Gateway,
    scripted_provider: ScriptedProvider,
    caller: Caller,
    look: Look,
    *,
    streams: bool,
) -> None:
    html, sse = {"content-type": "text/html"}, {"content-type": "text/event-stream"}
    for body, headers in (
        (b"<!doctype html><title>Welcome</title>", html),
        (b"", {}),
        (b"   ", {}),
        (b'{"choices": [', {}),
        (b"null", {}),
        (b"{}", {}),
        (b'{"choices": []}', {}),
        (b'{"object": "chat.completion", "choices": [{"message": null}]}', {}),
        (b"\xff\xfe", {}),
        (b"data: {\n\n", sse),
        (b"data: [DONE]\n\n", sse),
        (b"", sse),
    ):
        scripted_provider.sends(body, headers=headers, model=FIRST_UPSTREAM, times=1)
        told = await caller.answers(gateway, stream=streams)
        assert b" words." in told, body
    served = {row["model_slug"] for row in look("select model_slug from inferences")}
    assert served == {SECOND}
    assert books_of.violations(look) == []


NASTY_REASONS = ("stop\x00", "\x1b[31mstop", "s" * 100_000)


@proves("no-stuck-hold", "no-free-or-double-charge")
@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "plain"])
async def test_a_reason_that_no_database_can_keep_costs_nobody_the_answer(
    gateway: Gateway,
    scripted_provider: ScriptedProvider,
    caller: Caller,
    look: Look,
    *,
    streams: bool,
) -> None:
    for reason in NASTY_REASONS:
        scripted_provider.answers(finish=reason)
        for path in callers.PATHS:
            told = await caller.answers(gateway, path=path, model=SECOND, stream=streams)
            assert b" words." in told
            assert b"broke" not in told
        assert books_of.violations(look) == [], reason
    assert books_of.counts(look)["paid"] == len(NASTY_REASONS) * len(callers.PATHS)


async def test_an_answer_from_another_model_than_asked_is_billed_as_what_was_asked(
    gateway: Gateway, scripted_provider: ScriptedProvider, caller: Caller, look: Look
) -> None:
    told = vendor_shapes.Told(
        text=DEFAULT_TEXT,
        tool_calls=(),
        usage=Usage(input_tokens=11, output_tokens=7),
        model="some-other-model",
        finish="stop",
    )
    await caller.asks(gateway, model=SECOND)
    scripted_provider.sends(vendor_shapes.plain("openai_chat", told))
    answer: Any = json.loads((await caller.asks(gateway, model=SECOND)).body)

    assert answer["choices"][0]["message"]["content"] == DEFAULT_TEXT
    costs = {row["cost"] for row in look("select cost from inferences")}
    assert len(costs) == 1
