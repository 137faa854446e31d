"""Whoever calls may leave at any moment: at each place where a call waits, it is cancelled once."""

import asyncio
import functools
from collections.abc import Coroutine, Generator
from typing import Any, Literal

import pytest

from ainfera_server.gateway import Gateway
from ainfera_server.inference import run
from ainfera_server.inference.call import StreamedAnswer
from tests.conftest import Look
from tests.inference import books_of, callers
from tests.inference.callers import Caller
from tests.promises import proves
from tests.scripted_provider import ScriptedProvider

CHEAPEST_UPSTREAM = "mistral-large-2512"
WAITS_MAX = 200

When = Literal["while it waits", "when its wait is over"]


class CancelledAt:
    """Awaits a coroutine, and cancels it where it is suspended for the nth time.

    A task may be told to end while what it waits for is still to come, or in the moment when it
    came and the task has not heard of it yet.
    """

    def __init__(self, work: Coroutine[Any, Any, None], *, wait: int, when: When) -> None:
        self._work = work
        self._wait = wait
        self._when = when
        self.was_cancelled = False

    def __await__(self) -> Generator[Any, None, None]:
        step = functools.partial(self._work.send, None)
        for wait in range(1, WAITS_MAX):
            try:
                waited_for = step()
            except StopIteration:
                return
            self.was_cancelled |= wait == self._wait
            if wait == self._wait and self._when == "while it waits":
                # The future is cancelled in the moment in which the task begins to wait for it.
                _this_task().cancel()
            try:
                yield waited_for
            except asyncio.CancelledError as cancelled:
                step = functools.partial(self._work.throw, cancelled)
            else:
                step = functools.partial(self._work.send, None)
            if wait == self._wait and self._when == "when its wait is over":
                step = functools.partial(self._work.throw, asyncio.CancelledError())
        raise AssertionError("it waits more often than anything that ends")


@proves("no-stuck-hold", "no-free-or-double-charge", "one-outcome-for-each-routed-call")
@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "plain"])
@pytest.mark.parametrize("when", ["while it waits", "when its wait is over"])
async def test_wherever_a_call_is_cancelled_the_books_are_right_and_its_key_is_free(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look, *, streams: bool, when: When
) -> None:
    caller = await callers.signed_up(gateway)
    scripted_provider.fails(status=503, model=CHEAPEST_UPSTREAM)

    for wait in range(1, WAITS_MAX):
        work = _served(gateway, caller, key=f"key-{wait}", streams=streams)
        cancelled = CancelledAt(work, wait=wait, when=when)
        await asyncio.wait({asyncio.ensure_future(_awaited(cancelled))})
        await gateway.wait_for_running()
        assert _left_over(look) == [], f"cancelled {when}, at wait {wait}"
        if not cancelled.was_cancelled:
            break

    assert books_of.violations(look) == []
    assert await books_of.chain_problems(gateway, caller.payer.agent_id) == []
    assert books_of.counts(look)["paid"] >= 1


async def _served(gateway: Gateway, caller: Caller, *, key: str, streams: bool) -> None:
    """Call, take the answer to its end, and close it, as a door does."""
    answer = await run.run(gateway, caller.call(gateway, key=key, stream=streams))
    if isinstance(answer, StreamedAnswer):
        try:
            async for _ in answer.chunks:
                pass
        finally:
            await gateway.finish(answer.close())


def _this_task() -> "asyncio.Task[Any]":
    task = asyncio.current_task()
    assert task is not None, "a coroutine is awaited in a task"
    return task


async def _awaited(cancelled: CancelledAt) -> None:
    await cancelled


def _left_over(look: Look) -> list[dict[str, Any]]:
    return look(
        "select 'hold' as what, memo as of from transfers where state = 'pending' union all"
        " select 'key', body_hash from idempotency_keys where state = 'running' union all"
        " select 'inference', offer_slug from inferences where status = 'running' union all"
        " select 'outcome', decision_rule from routing_outcomes where outcome_status is null"
    )
