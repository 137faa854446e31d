"""However a call ends, and whatever becomes of its writes, a stranger finds the evidence whole."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

import pytest

from ainfera_server.conversation import Json, Usage
from ainfera_server.errors import AinferaError, InsufficientFunds
from ainfera_server.gateway import Gateway
from ainfera_server.inference import record, recover
from ainfera_server.inference.entries import Entry, Result
from ainfera_server.journal import Journal
from ainfera_server.postgres.pool import Connection
from tests.conftest import Look
from tests.inference import books_of, callers, exported
from tests.inference.callers import Caller
from tests.promises import proves
from tests.scripted_provider import ScriptedProvider

Breaks = Literal["never", "before writing", "before the commit", "after the commit"]
FIRST_UPSTREAM = "mistral-large-2512"
PINNED = "gpt-5-mini"
SOUND: Json = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
REFUSED: Sequence[dict[str, Any]] = (
    {"routing_hint": {"min_quality": 0.999}},
    {"model": "gpt-5-5", "max_tokens": 10_000_000},
    {"model": "claude-haiku-4-5", "messages": [{"role": "user", "content": [SOUND]}]},
)
TIME_IS_OVER = (
    "update transfers set expires_at = now() - interval '1 second' where state = 'pending'"
)


@proves(
    "tampering-is-named",
    "receipts-verify-without-us",
    "no-free-or-double-charge",
    "every-ending-has-a-receipt",
)
@pytest.mark.parametrize(
    "breaks", ["never", "before writing", "before the commit", "after the commit"]
)
async def test_every_ending_leaves_one_receipt_in_a_chain_that_holds_wherever_a_store_fails(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look, breaks: Breaks
) -> None:
    async with failing_once(gateway, breaks) as failing:
        caller = await callers.signed_up(failing)
        await every_ending(failing, caller, scripted_provider)
    report = await exported.report(gateway, caller)

    assert [one for one in report.checks if one.state != "holds"] == []
    said = [json.loads(row["body"]) for row in look("select body from receipts")]
    assert Counter((one["outcome"], one["billing_rule"]) for one in said) == {
        ("succeeded", "answer_delivered"): 3,
        ("failed", "part_delivered"): 1,
        ("failed", "nothing_delivered"): 2,
        ("refused", "refused"): 4,
    }
    assert {one["refusal_reason"] for one in said} == {
        None,
        "model_not_allowed",
        "no_candidate_clears_floor",
        "not_supported_by_backend",
        "wallet_insufficient",
    }
    assert books_of.violations(look) == []


@proves("no-stuck-hold", "receipts-verify-without-us", "every-ending-has-a-receipt")
async def test_a_call_that_nobody_finished_leaves_a_receipt_that_holds(
    gateway: Gateway,
    scripted_provider: ScriptedProvider,
    look: Look,
    administer_here: Callable[[str], None],
) -> None:
    caller = await callers.signed_up(gateway)
    scripted_provider.is_silent()
    for model in ("ainfera-inference", PINNED):
        abandoned = asyncio.create_task(caller.asks(gateway, model=model))
        assert await scripted_provider.sees_a_client_come()
        administer_here(TIME_IS_OVER)
        assert await recover.expired_holds(gateway) == 1
        abandoned.cancel()
        with suppress(asyncio.CancelledError):
            await abandoned
    report = await exported.report(gateway, caller)

    assert [one for one in report.checks if one.state != "holds"] == []
    said = [json.loads(row["body"]) for row in look("select body from receipts")]
    assert [(one["outcome"], one["cost_usd"]) for one in said] == [("expired", "0.000000")] * 2


@proves("receipts-verify-without-us", "money-is-exact")
async def test_a_receipt_says_what_went_to_the_provider_and_what_is_margin(
    gateway: Gateway, look: Look
) -> None:
    taking = replace(gateway, settings=replace(gateway.settings, margin=Decimal("0.05")))
    caller = await callers.signed_up(taking)
    await caller.asks(taking, model=PINNED)
    report = await exported.report(gateway, caller)

    assert [one for one in report.checks if one.state != "holds"] == []
    (said,) = (json.loads(row["body"]) for row in look("select body from receipts"))
    assert (said["margin_rate"], said["margin_usd"]) == ("0.05", "0.000001")
    parts = Decimal(said["provider_cost_usd"]) + Decimal(said["margin_usd"])
    assert parts == Decimal(said["cost_usd"])


@pytest.mark.parametrize("may_exceed_hold", [True, False])
@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "plain"])
async def test_a_price_above_the_hold_is_charged_only_where_the_owner_allows_it(
    gateway: Gateway,
    scripted_provider: ScriptedProvider,
    look: Look,
    administer_here: Callable[[str], None],
    *,
    may_exceed_hold: bool,
    streams: bool,
) -> None:
    caller = await callers.signed_up(gateway)
    if may_exceed_hold:
        administer_here("update agents set may_exceed_hold = true")
    caller = Caller(payer=replace(caller.payer, may_exceed_hold=may_exceed_hold))
    scripted_provider.answers(usage=Usage(input_tokens=11, output_tokens=50_000))
    await caller.answers(gateway, stream=streams, model=PINNED)
    report = await exported.report(gateway, caller)

    assert [one for one in report.checks if one.state != "holds"] == []
    (said,) = (json.loads(row["body"]) for row in look("select body from receipts"))
    assert said["usage"]["output_tokens"] == 50_000
    (routed,) = look("select payload from audit_events where event_type = 'inference.routed'")
    reserved = json.loads(routed["payload"])["reserved_usd"]
    assert said["cost_usd"] == said["held_usd"]
    assert (Decimal(said["held_usd"]) > Decimal(reserved)) == may_exceed_hold
    assert books_of.violations(look) == []


@proves("receipts-verify-without-us", "no-free-or-double-charge")
async def test_an_inference_whose_second_offer_cannot_be_paid_leaves_one_receipt_of_the_refusal(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look
) -> None:
    await (await callers.signed_up(gateway, "rich")).asks(gateway)
    (first,) = look("select amount_held from inferences")
    poor = await callers.signed_up(gateway, "poor", money=first["amount_held"])
    scripted_provider.fails(status=500, model=FIRST_UPSTREAM)
    with pytest.raises(InsufficientFunds) as problem:
        await poor.asks(gateway)
    report = await exported.report(gateway, poor)

    assert [one for one in report.checks if one.state != "holds"] == []
    receipts = look("select agent_id, body from receipts")
    (said,) = (
        json.loads(row["body"]) for row in receipts if row["agent_id"] == poor.payer.agent_id
    )
    assert (said["outcome"], said["refusal_reason"]) == ("refused", "wallet_insufficient")
    assert said["inference_id"] is not None
    assert said["decision_hash"] is not None
    assert said["receipt_id"] == problem.value.facts["receipt_id"]
    assert books_of.violations(look) == []


@asynccontextmanager
async def failing_once(gateway: Gateway, breaks: Breaks) -> AsyncGenerator[Gateway]:
    """The same gateway, each of whose writes fails the first time."""
    write = record.writes(gateway.signer)

    async def failing(
        connection: Connection, entries: Sequence[Entry], attempt: int
    ) -> Sequence[Result]:
        if attempt == 1 and breaks == "before writing":
            raise ConnectionResetError("told to be lost")
        results: Sequence[Any] = await write(connection, entries, attempt)
        if attempt == 1 and breaks == "after the commit":
            await connection.execute("commit")
        if attempt == 1 and breaks != "never":
            raise ConnectionResetError("told to be lost")
        return results

    async with Journal(gateway.pools.writer, failing) as journal:
        yield replace(gateway, journal=journal)
        await gateway.wait_for_running()


async def every_ending(gateway: Gateway, caller: Caller, provider: ScriptedProvider) -> None:
    """Answers of three kinds, a stream that is left, two failures and four refusals."""
    await caller.asks(gateway, model=PINNED)
    await callers.read_to_its_end(await caller.listens(gateway))
    provider.fails(status=500, model=FIRST_UPSTREAM, times=3)
    await caller.asks(gateway)
    left = await caller.listens(gateway)
    async for chunk in left.chunks:
        if b"few" in chunk:
            break
    await left.close()
    picky = Caller(payer=replace(caller.payer, allowed_models=(PINNED,)))
    provider.fails(status=503)
    for asking, asked in (
        *((caller, asked) for asked in REFUSED),
        (picky, {"model": "gpt-5-5"}),
        (caller, {"model": "ainfera-inference"}),
        (caller, {"model": PINNED}),
    ):
        with pytest.raises(AinferaError) as problem:
            await asking.answers(gateway, key=None, **asked)
        assert "receipt_id" in problem.value.facts
