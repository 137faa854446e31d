"""Many callers at once, through two processes: what is held and spent never exceeds what there is.

The provider falls silent until all have asked, so that every hold is decided while no other call
has been settled: the hardest moment for a wallet.
"""

import asyncio
import itertools

import pytest

from ainfera_server.errors import CapExceeded, InsufficientFunds
from ainfera_server.gateway import Gateway
from ainfera_server.inference.call import StreamedAnswer
from tests.conftest import Look
from tests.inference import books_of, callers
from tests.inference.callers import Caller
from tests.promises import proves
from tests.scripted_provider import ScriptedProvider

CALLERS = 64
AFFORDABLE = 5
PLENTY = 5_000_000
PINNED = "gpt-5-5"


@proves("no-overspend", "tampering-is-named")
@pytest.mark.parametrize("limit", ["wallet", "daily cap"])
async def test_what_pays_for_five_holds_lets_exactly_five_of_sixty_four_callers_through(
    gateway: Gateway,
    other_gateway: Gateway,
    scripted_provider: ScriptedProvider,
    look: Look,
    limit: str,
) -> None:
    hold = await _size_of_a_hold(gateway, look)
    enough = AFFORDABLE * hold + hold - 1
    caller = await callers.signed_up(
        gateway,
        "spender",
        money=enough if limit == "wallet" else PLENTY,
        daily_cap=enough if limit == "daily cap" else None,
    )
    scripted_provider.stalls_mid_stream(after_chunks=1)

    answers = await _all_at_once(caller, gateway, other_gateway)

    streams = [one for one in answers if isinstance(one, StreamedAnswer)]
    refusal = InsufficientFunds if limit == "wallet" else CapExceeded
    assert len(streams) == AFFORDABLE
    assert sum(isinstance(one, refusal) for one in answers) == CALLERS - AFFORDABLE
    agent_id = caller.payer.agent_id
    full = books_of.wallet(look, agent_id)
    assert full["held"] == full["held_on_days"] == AFFORDABLE * hold
    scripted_provider.releases()
    await asyncio.gather(*map(callers.read_to_its_end, streams))
    assert books_of.wallet(look, agent_id)["held"] == 0
    assert books_of.violations(look) == []
    assert await books_of.chain_problems(gateway, agent_id) == []


@proves("no-overspend", "no-free-or-double-charge")
async def test_a_wallet_that_is_drained_by_many_ends_above_zero_and_pays_for_every_answer(
    gateway: Gateway, other_gateway: Gateway, look: Look
) -> None:
    hold = await _size_of_a_hold(gateway, look)
    caller = await callers.signed_up(gateway, "spender", money=10 * hold)
    before = books_of.counts(look)["paid"]

    async def ask_until_refused(through: Gateway) -> int:
        for asked in itertools.count():
            try:
                await caller.asks(through)
            except InsufficientFunds:
                return asked
        raise AssertionError("money comes to an end")

    gateways = itertools.islice(itertools.cycle((gateway, other_gateway)), 16)
    answered = sum(await asyncio.gather(*map(ask_until_refused, gateways)))

    assert answered == books_of.counts(look)["paid"] - before
    assert answered > 10
    assert 0 <= books_of.wallet(look, caller.payer.agent_id)["balance"] < hold
    assert books_of.violations(look) == []
    assert await books_of.chain_problems(gateway, caller.payer.agent_id) == []


@proves("no-free-or-double-charge")
async def test_a_refused_call_changes_no_counter_and_asks_nobody(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look
) -> None:
    plenty = {"money": PLENTY, "per_call_cap": PLENTY, "daily_cap": PLENTY}
    refused = [
        await callers.signed_up(gateway, f"without-{number}", **{**plenty, limit: 1})
        for number, limit in enumerate(plenty)
    ]
    before = _counters(look)

    for caller in refused:
        with pytest.raises((InsufficientFunds, CapExceeded)):
            await caller.asks(gateway, model=PINNED)

    assert _counters(look) == before
    assert scripted_provider.requests == []
    assert books_of.violations(look) == []


async def _size_of_a_hold(gateway: Gateway, look: Look) -> int:
    scout = await callers.signed_up(gateway, "scout")
    await scout.asks(gateway)
    (row,) = look("select amount_held from inferences")
    return int(row["amount_held"])


async def _all_at_once(
    caller: Caller, gateway: Gateway, other_gateway: Gateway
) -> list[StreamedAnswer | BaseException]:
    through = itertools.islice(itertools.cycle((gateway, other_gateway)), CALLERS)
    return await asyncio.gather(*map(caller.listens, through), return_exceptions=True)


def _counters(look: Look) -> list[list[dict[str, object]]]:
    return [
        look("select * from accounts order by account_id"),
        look("select * from spending where posted + pending > 0"),
        look("select * from transfers order by transfer_id"),
        look("select * from ledger_entries order by entry_id"),
    ]
