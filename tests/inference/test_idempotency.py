"""One key means one call, one charge and one answer; a call that cost nothing frees its key."""

import asyncio
from typing import Literal
from uuid import UUID

import pytest

from ainfera_server.errors import (
    AllRoutedModelsFailed,
    IdempotencyConflict,
    IdempotencyInProgress,
    InsufficientFunds,
    Malformed,
    NoCandidate,
)
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId, TenantId
from ainfera_server.inference import idempotency, run
from ainfera_server.inference.call import WholeAnswer
from tests.conftest import Look
from tests.inference import books_of, callers
from tests.inference.callers import CHAT, Caller
from tests.promises import proves
from tests.running_server import RunningServer
from tests.scripted_provider import ScriptedProvider

KEY = "once"
DUPLICATES = 16


@pytest.fixture
async def caller(gateway: Gateway) -> Caller:
    """An agent with plenty of money."""
    return await callers.signed_up(gateway)


@proves("retries-are-safe")
async def test_of_many_calls_with_one_key_at_once_one_is_made_and_the_others_are_told_so(
    gateway: Gateway,
    other_gateway: Gateway,
    scripted_provider: ScriptedProvider,
    caller: Caller,
    look: Look,
) -> None:
    scripted_provider.is_silent()
    through = [gateway, other_gateway] * (DUPLICATES // 2)
    running = {asyncio.create_task(caller.asks(one, key=KEY)) for one in through}
    while len(running) > 1:
        done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            with pytest.raises(IdempotencyInProgress) as refused:
                await one
            assert refused.value.retry_after_s
    with pytest.raises(IdempotencyConflict):
        await caller.asks(other_gateway, key=KEY, max_tokens=17)

    assert await scripted_provider.sees_a_client_come()
    scripted_provider.answers(model="gpt-5.5")
    scripted_provider.releases()
    first = await running.pop()

    assert await caller.asks(other_gateway, key=KEY) == WholeAnswer(
        headers={**first.headers, "idempotent-replayed": "true"}, body=first.body
    )
    assert books_of.counts(look) == {"inferences": 1, "outcomes": 1, "paid": 1, "receipts": 1}
    assert books_of.violations(look) == []


@proves("retries-are-safe")
@pytest.mark.parametrize("streams", [True, False])
async def test_a_call_that_failed_frees_its_key(
    gateway: Gateway,
    scripted_provider: ScriptedProvider,
    caller: Caller,
    look: Look,
    *,
    streams: bool,
) -> None:
    scripted_provider.fails(status=503)
    with pytest.raises(AllRoutedModelsFailed):
        await caller.answers(gateway, key=KEY, stream=streams)
    with pytest.raises(NoCandidate):
        await caller.answers(gateway, key="other", routing_hint={"min_quality": 0.999})
    scripted_provider.answers()

    assert b" words." in await caller.answers(gateway, key=KEY, stream=streams)
    assert b" words." in await caller.answers(gateway, key="other", stream=streams)
    assert books_of.counts(look)["paid"] == 2
    assert books_of.violations(look) == []


async def test_a_call_that_was_refused_frees_its_key(gateway: Gateway) -> None:
    poor = await callers.signed_up(gateway, "poor", money=1)
    for _ in range(2):
        with pytest.raises(InsufficientFunds):
            await poor.asks(gateway, key=KEY)


@proves("retries-are-safe", "no-stuck-hold")
@pytest.mark.parametrize("how", ["it broke", "its caller left"])
async def test_a_stream_that_ended_before_its_first_word_frees_its_key(
    gateway: Gateway,
    scripted_provider: ScriptedProvider,
    caller: Caller,
    look: Look,
    how: Literal["it broke", "its caller left"],
) -> None:
    scripted_provider.ends_without_terminator(after_chunks=1, times=1)
    broken = await caller.listens(gateway, key=KEY)
    if how == "it broke":
        await callers.read_to_its_end(broken)
    else:
        await broken.close()

    whole = await callers.read_to_its_end(await caller.listens(gateway, key=KEY))

    assert b"[DONE]" in whole
    assert books_of.counts(look)["paid"] == 1
    assert books_of.violations(look) == []


@proves("retries-are-safe", "no-silent-truncation")
@pytest.mark.parametrize("path", callers.PATHS)
async def test_a_stream_whose_caller_left_is_not_given_again_as_a_whole_answer(
    gateway: Gateway, scripted_provider: ScriptedProvider, caller: Caller, look: Look, path: str
) -> None:
    scripted_provider.stalls_mid_stream(after_chunks=4)
    answer = await caller.listens(gateway, path=path, key=KEY)
    heard = b""
    async for chunk in answer.chunks:
        heard += chunk
        if b" scripted" in heard:
            break
    await answer.close()

    again = await run.run(gateway, caller.call(gateway, path=path, key=KEY, stream=True))

    assert isinstance(again, WholeAnswer), "a stored answer is given whole"
    assert again.body.startswith(heard)
    assert b"error" in again.body
    assert b"[DONE]" not in again.body
    assert b"message_stop" not in again.body
    assert len(scripted_provider.requests) == 1
    assert books_of.violations(look) == []


@proves("retries-are-safe")
async def test_the_same_key_of_another_agent_or_on_another_route_is_another_key(
    gateway: Gateway, scripted_provider: ScriptedProvider, caller: Caller
) -> None:
    stranger = await callers.signed_up(gateway, "stranger")
    for asker in (caller, stranger):
        for path in callers.PATHS:
            await asker.asks(gateway, path=path, key=KEY)

    assert len(scripted_provider.requests) == 2 * len(callers.PATHS)


@proves("bad-input-changes-nothing")
@pytest.mark.parametrize("key", ["", "k" * 256, "tab\there", "line\u2028break"])
def test_a_key_that_is_too_long_or_cannot_be_printed_is_refused(key: str) -> None:
    somebody = UUID(int=1)
    with pytest.raises(Malformed):
        idempotency.scope(
            tenant_id=TenantId(somebody), agent_id=AgentId(somebody), route=CHAT, key=key
        )


@proves("bad-input-changes-nothing")
def test_a_key_that_will_not_do_is_told_in_the_dialect_and_asks_nobody(
    server: RunningServer, scripted_provider: ScriptedProvider
) -> None:
    body = {"model": "ainfera-inference", "max_tokens": 16, "messages": callers.MESSAGES}

    for path, status in zip(callers.PATHS, (422, 400, 400), strict=True):
        answer = server.post(path, body, idempotency_key="k" * 256)
        assert answer.status_code == status, answer.text
        assert "Idempotency-Key must be 1 to 255 printable characters." in answer.text
    assert scripted_provider.requests == []
