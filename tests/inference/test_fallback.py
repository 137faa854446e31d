"""What happens after an offer has failed: who is asked next, who is not, and who pays."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest

from ainfera_server.conversation import Json
from ainfera_server.errors import (
    AllRoutedModelsFailed,
    CapExceeded,
    InsufficientFunds,
    NotCarried,
    ProviderFailed,
)
from ainfera_server.gateway import Gateway
from ainfera_server.providers.provider import Timeouts
from tests.conftest import Look
from tests.inference import books_of, callers
from tests.inference.callers import Caller
from tests.promises import proves
from tests.running_server import RunningServer
from tests.scripted_provider import ScriptedProvider

FIRST, FIRST_UPSTREAM = "mistral-large-3", "mistral-large-2512"
SECOND = "gpt-5-5"
SECOND_ANTHROPIC = "claude-opus-4-7"
SOUND: Json = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
PAGE: Json = {"type": "text", "media_type": "text/plain", "data": "A page."}
PRINTED: Json = [{"role": "user", "content": [{"type": "document", "source": PAGE}]}]
SPOKEN: Json = [{"role": "user", "content": [SOUND]}]
WHOLE_IN_S = 3.0
"""Enough for any test here, and far less than every wait that has to be cut short in one."""


@pytest.fixture
async def caller(gateway: Gateway) -> Caller:
    """An agent with plenty of money."""
    return await callers.signed_up(gateway)


def only(gateway: Gateway, *offers: str) -> Gateway:
    """The same gateway with these candidates and no others."""
    chosen = tuple(offer for offer in gateway.enrolled_offers if offer.slug in offers)
    return replace(gateway, enrolled_offers=chosen)


def with_timeouts(gateway: Gateway, timeouts: Timeouts) -> Gateway:
    """The same gateway, for which all providers have other timeouts."""
    endpoints = {
        slug: replace(one, provider=replace(one.provider, timeouts=timeouts))
        for slug, one in gateway.endpoints.items()
    }
    return replace(gateway, endpoints=endpoints)


def with_time_in_all(gateway: Gateway, seconds: int) -> Gateway:
    """The same gateway, whose inferences may take so long in all."""
    return replace(gateway, settings=replace(gateway.settings, inference_timeout_s=seconds))


def attempts_on_the_receipt(look: Look) -> list[tuple[str, str, int | None]]:
    (row,) = look("select body from receipts")
    receipt: Mapping[str, Any] = orjson.loads(row["body"])
    return [(one["offer"], one["result"], one["upstream_status"]) for one in receipt["attempts"]]


@proves("no-free-or-double-charge")
@pytest.mark.parametrize("limit", ["money", "daily_cap"])
async def test_a_second_offer_that_is_too_dear_gives_the_first_ones_money_back(
    gateway: Gateway, scripted_provider: ScriptedProvider, caller: Caller, look: Look, limit: str
) -> None:
    await caller.asks(gateway, model=SECOND)
    (dear,) = look("select amount_held from inferences")
    limits = {"money": 5_000_000, limit: int(dear["amount_held"]) - 1}
    poor = await callers.signed_up(gateway, "poor", **limits)
    scripted_provider.fails(status=503, model=FIRST_UPSTREAM)

    with pytest.raises((InsufficientFunds, CapExceeded)):
        await poor.asks(gateway)

    assert len(scripted_provider.requests) == 2, "a refusal is final, nobody else is asked"
    (outcome,) = look("select outcome_status, decision_rule from routing_outcomes")
    rejected = "rejected_funds" if limit == "money" else "rejected_cap"
    assert outcome == {"outcome_status": rejected, "decision_rule": "failed_pre_dispatch"}
    assert books_of.wallet(look, poor.payer.agent_id)["held"] == 0
    assert books_of.violations(look) == []


@pytest.mark.parametrize("streams", [True, False])
async def test_a_second_offer_without_words_for_it_gives_the_first_ones_money_back(
    gateway: Gateway,
    scripted_provider: ScriptedProvider,
    caller: Caller,
    look: Look,
    *,
    streams: bool,
) -> None:
    scripted_provider.fails(status=503, model=FIRST_UPSTREAM)
    two = only(gateway, FIRST, SECOND_ANTHROPIC)

    with pytest.raises(AllRoutedModelsFailed):
        await caller.answers(two, stream=streams, messages=SPOKEN)

    assert [one.model for one in scripted_provider.requests] == [FIRST_UPSTREAM]
    assert books_of.wallet(look, caller.payer.agent_id)["held"] == 0
    assert books_of.violations(look) == []


@proves("one-outcome-for-each-routed-call", "no-free-or-double-charge")
async def test_a_request_that_no_offer_has_words_for_costs_nothing_and_leaves_one_outcome(
    gateway: Gateway, scripted_provider: ScriptedProvider, caller: Caller, look: Look
) -> None:
    with pytest.raises(NotCarried):
        await caller.answers(only(gateway, SECOND_ANTHROPIC), messages=SPOKEN)

    assert scripted_provider.requests == []
    assert books_of.counts(look) == {"inferences": 0, "outcomes": 1, "paid": 0, "receipts": 1}
    assert books_of.violations(look) == []


@proves("no-free-or-double-charge")
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "plain"])
def test_a_refusal_by_the_vendor_is_final_and_comes_in_its_own_words(
    server: RunningServer,
    scripted_provider: ScriptedProvider,
    look: Look,
    path: str,
    *,
    streams: bool,
) -> None:
    scripted_provider.fails(status=400, message="max_tokens: too large for this model")
    model = "claude-opus-4-7" if path == "/v1/messages" else "ainfera-inference"

    answer = server.post(
        path, {"model": model, "max_tokens": 16, "messages": callers.MESSAGES, "stream": streams}
    )

    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "max_tokens: too large for this model"
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert len(scripted_provider.requests) == 1
    assert [one["status"] for one in look("select status from inferences")] == ["failed"]
    assert books_of.violations(look) == []


async def test_a_busy_provider_is_asked_again_and_every_attempt_is_on_the_receipt(
    gateway: Gateway, scripted_provider: ScriptedProvider, caller: Caller, look: Look
) -> None:
    scripted_provider.fails(status=429, model=FIRST_UPSTREAM, times=2)

    await caller.asks(gateway)

    busy = (FIRST, "rate_limited", 429)
    assert attempts_on_the_receipt(look) == [busy, busy, (FIRST, "answered", 200)]
    assert books_of.violations(look) == []


async def test_a_provider_that_stays_busy_is_asked_three_times_and_then_the_next(
    gateway: Gateway, scripted_provider: ScriptedProvider, caller: Caller, look: Look
) -> None:
    scripted_provider.fails(status=429, model=FIRST_UPSTREAM)

    await callers.read_to_its_end(await caller.listens(gateway))

    busy = (FIRST, "rate_limited", 429)
    assert attempts_on_the_receipt(look) == [busy, busy, busy, (SECOND, "answered", 200)]


@proves("waiting-is-bounded")
async def test_a_provider_that_asks_for_a_long_wait_is_left_at_once(
    gateway: Gateway, scripted_provider: ScriptedProvider, caller: Caller, look: Look
) -> None:
    scripted_provider.fails(status=429, retry_after=10_000, model=FIRST_UPSTREAM)

    async with asyncio.timeout(WHOLE_IN_S):
        await caller.asks(gateway)

    assert attempts_on_the_receipt(look) == [
        (FIRST, "rate_limited", 429),
        (SECOND, "answered", 200),
    ]


async def test_nobody_but_a_busy_provider_is_asked_twice(
    gateway: Gateway, scripted_provider: ScriptedProvider, caller: Caller
) -> None:
    for status in (500, 401, 404):
        scripted_provider.fails(status=status)
        scripted_provider.requests.clear()

        with pytest.raises(AllRoutedModelsFailed):
            await caller.asks(gateway)

        asked = [one.model for one in scripted_provider.requests]
        assert len(asked) == len(set(asked)) > 1


@proves("waiting-is-bounded", "the-next-offer-answers")
@pytest.mark.parametrize("streams", [True, False])
async def test_a_provider_that_says_nothing_is_left_for_the_next(
    gateway: Gateway,
    scripted_provider: ScriptedProvider,
    caller: Caller,
    look: Look,
    *,
    streams: bool,
) -> None:
    scripted_provider.is_silent(model=FIRST_UPSTREAM)
    short = with_timeouts(gateway, Timeouts(first_byte_s=0.1, plain_first_byte_s=0.1))

    async with asyncio.timeout(WHOLE_IN_S):
        answer = await caller.answers(short, stream=streams)

    assert b" words." in answer
    assert attempts_on_the_receipt(look) == [(FIRST, "timeout", None), (SECOND, "answered", 200)]
    assert books_of.violations(look) == []


@proves("nothing-glued", "no-silent-truncation")
@pytest.mark.parametrize("path", callers.PATHS)
async def test_after_its_first_words_no_other_model_continues_an_answer(
    gateway: Gateway, scripted_provider: ScriptedProvider, caller: Caller, look: Look, path: str
) -> None:
    scripted_provider.breaks_mid_stream(after_chunks=3, model=FIRST_UPSTREAM, times=1)
    scripted_provider.errs_mid_stream(after_chunks=3, model=FIRST_UPSTREAM, times=1)
    scripted_provider.ends_without_terminator(after_chunks=3, model=FIRST_UPSTREAM, times=1)

    for calls in (1, 2, 3):
        told = await callers.read_to_its_end(await caller.listens(gateway, path=path))
        assert len(scripted_provider.requests) == calls
        assert b" scripted" in told
        assert b"error" in told
        assert b"[DONE]" not in told
        assert b"message_stop" not in told

    ends = look("select status, usage_source, cost, amount_held from inferences")
    assert all((one["status"], one["usage_source"]) == ("failed", "estimate") for one in ends)
    assert all(0 < one["cost"] <= one["amount_held"] for one in ends)
    assert books_of.violations(look) == []


@proves("waiting-is-bounded", "no-stuck-hold")
@pytest.mark.parametrize("streams", [True, False])
async def test_all_offers_together_have_the_time_of_one_inference(
    gateway: Gateway,
    scripted_provider: ScriptedProvider,
    caller: Caller,
    look: Look,
    *,
    streams: bool,
) -> None:
    scripted_provider.is_silent()
    short = with_time_in_all(gateway, 1)

    async with asyncio.timeout(WHOLE_IN_S):
        with pytest.raises(AllRoutedModelsFailed):
            await caller.answers(short, stream=streams)

    assert books_of.violations(look) == []


@proves("waiting-is-bounded")
async def test_a_provider_that_is_busy_for_longer_than_we_have_is_not_waited_for(
    gateway: Gateway, scripted_provider: ScriptedProvider, caller: Caller
) -> None:
    scripted_provider.fails(status=429, retry_after=8)

    async with asyncio.timeout(WHOLE_IN_S):
        with pytest.raises(ProviderFailed):
            await caller.asks(with_time_in_all(gateway, 2), model=SECOND)


@proves("waiting-is-bounded", "no-silent-truncation")
async def test_a_stream_that_stalls_ends_with_an_error_when_its_time_is_over(
    gateway: Gateway, scripted_provider: ScriptedProvider, caller: Caller, look: Look
) -> None:
    scripted_provider.stalls_mid_stream(after_chunks=4)

    async with asyncio.timeout(WHOLE_IN_S):
        told = await callers.read_to_its_end(await caller.listens(with_time_in_all(gateway, 1)))

    assert b"error" in told
    assert b"[DONE]" not in told
    assert books_of.violations(look) == []
