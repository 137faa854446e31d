"""A commit whose end nobody heard: the batch is written again, and nothing is there twice."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from ainfera_server.errors import AllRoutedModelsFailed, InsufficientFunds, NoCandidate
from ainfera_server.gateway import Gateway
from ainfera_server.inference import record
from ainfera_server.inference.entries import Entry, Result
from ainfera_server.journal import Journal
from ainfera_server.postgres.pool import Connection
from tests.conftest import Look
from tests.inference import books_of, callers
from tests.promises import proves
from tests.scripted_provider import ScriptedProvider

TARGETS = ("ainfera-inference", "gpt-5-5")


@pytest_asyncio.fixture
async def unheard(gateway: Gateway) -> AsyncIterator[Gateway]:
    """A gateway that hears of no commit at the first attempt."""
    write = record.writes(gateway.signer)

    async def lose_the_answer(
        connection: Connection, entries: Sequence[Entry], attempt: int
    ) -> Sequence[Result]:
        results: Sequence[Any] = await write(connection, entries, attempt)
        if attempt == 1:
            await connection.execute("commit")
            raise ConnectionResetError("told to be lost")
        return results

    async with Journal(gateway.pools.writer, lose_the_answer) as journal:
        yield replace(gateway, journal=journal)
        await gateway.wait_for_running()


@proves("no-free-or-double-charge")
@pytest.mark.parametrize("model", TARGETS)
async def test_an_answer_is_held_and_paid_once_although_its_commits_were_not_heard(
    unheard: Gateway, look: Look, model: str
) -> None:
    caller = await callers.signed_up(unheard)
    await caller.asks(unheard, model=model)
    await callers.read_to_its_end(await caller.listens(unheard, model=model))

    assert books_of.violations(look) == []
    assert books_of.counts(look)["paid"] == 2
    assert await books_of.chain_problems(unheard, caller.payer.agent_id) == []


@proves("one-outcome-for-each-routed-call")
@pytest.mark.parametrize("model", TARGETS)
async def test_a_refusal_is_recorded_once_although_its_commit_was_not_heard(
    unheard: Gateway, look: Look, model: str
) -> None:
    caller = await callers.signed_up(unheard, money=1)
    with pytest.raises(InsufficientFunds):
        await caller.asks(unheard, model=model)

    assert books_of.violations(look) == []
    refusals = look("select 1 from audit_events where event_type like 'inference.rejected_%'")
    assert len(refusals) == 1


async def test_a_call_that_nobody_may_answer_is_recorded_once(unheard: Gateway, look: Look) -> None:
    caller = await callers.signed_up(unheard)
    with pytest.raises(NoCandidate):
        await caller.asks(unheard, routing_hint={"min_quality": 0.999})

    assert books_of.violations(look) == []
    assert [row["outcome_status"] for row in look("select * from routing_outcomes")] == [
        "rejected_floor"
    ]


async def test_every_failed_offer_gives_its_money_back_once(
    unheard: Gateway, scripted_provider: ScriptedProvider, look: Look
) -> None:
    scripted_provider.fails(status=503)
    caller = await callers.signed_up(unheard)
    with pytest.raises(AllRoutedModelsFailed):
        await caller.asks(unheard)

    assert books_of.violations(look) == []
    assert books_of.wallet(look, caller.payer.agent_id)["held"] == 0
