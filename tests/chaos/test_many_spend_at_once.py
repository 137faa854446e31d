"""Several processes with many callers each spend from the same money: the sums are exact.

Each answer costs exactly what was held for it, so that what is there pays for a known number of
calls, and which of the callers gets them is all that chance decides.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from ainfera_server import gateway as gateways
from ainfera_server.cli import first_start
from ainfera_server.gateway import Gateway
from ainfera_server.inference import record, recover
from ainfera_server.selfcheck import checks
from ainfera_server.selfcheck.checks import Asked
from tests.chaos import (
    asking,
    busy_gateway,
    busy_gateways,
    instant_provider,
    provider_settings,
    saying,
    spenders,
)
from tests.chaos.asking import Heard, Question
from tests.chaos.busy_gateway import Told, Work
from tests.chaos.fleet import NewDatabase
from tests.chaos.lanes import TIME_IS_OVER
from tests.chaos.spenders import Spender
from tests.promises import proves
from tests.selfcheck import clocks

CALLERS = 64
ONE_WALLET_CALLS = 150
AGENTS = 8
PLENTY = 1_000_000
PAID = "select agent_id, amount_posted from transfers where kind = 'inference' and state = 'posted'"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A database with prices in it, and what each call costs, in micro-dollars."""

    dsn: str
    superuser: "asyncpg.Connection[asyncpg.Record]"
    gateway: Gateway
    price: int

    async def spend(self, spending: Sequence[Spender], *, processes: int) -> "Spent":
        """Have so many processes spend until everybody is refused."""
        keys = tuple(spending[number % len(spending)].api_key for number in range(CALLERS))
        work = Work(
            dsn=self.dsn,
            data_dir=str(self.gateway.settings.data_dir),
            api_keys=keys,
            until_refused=True,
            keyed=False,
            output_tokens=instant_provider.FAR_TOO_MANY_TOKENS,
        )
        agents = {one.payer.agent_id for one in spending}
        async with busy_gateways.running([work] * processes) as busy:
            busy.begin()
            await busy.have_ended()
        rest = await self._spend_the_rest(spending)
        rows = [row for row in await self.superuser.fetch(PAID) if row["agent_id"] in agents]
        return Spent(
            told=(*busy.told, *rest),
            calls=Counter(row["agent_id"] for row in rows),
            amount=sum(row["amount_posted"] for row in rows),
        )

    async def _spend_the_rest(self, spending: Sequence[Spender]) -> list[Told]:
        """Give back what a call holds that could not be settled for too much work, and spend it."""
        await self.superuser.execute(TIME_IS_OVER)
        await recover.expired_holds(self.gateway)
        told: list[Told] = []
        for one in spending:
            while not told or told[-1].api_key != one.api_key or told[-1].is_answer:
                told.append(await busy_gateway.told(self.gateway, one.api_key))
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What callers heard, and what was paid in the end, agent by agent and in all."""

    told: tuple[Told, ...]
    calls: "Counter[object]"
    amount: int

    @property
    def answered(self) -> int:
        """How many callers were told that they have an answer."""
        return sum(one.is_answer for one in self.told)

    @property
    def refused(self) -> int:
        """How many were refused for money or for a cap."""
        return sum(one.status == busy_gateway.REFUSED for one in self.told)

    @property
    def unheard(self) -> int:
        """How many heard neither: the machine had too much to do."""
        return len(self.told) - self.answered - self.refused


@pytest_asyncio.fixture
async def world(migrated: NewDatabase, tmp_path: Path) -> AsyncIterator[World]:
    """Nobody has spent there but the scout who found out the price."""
    settings = provider_settings.settings("http://127.0.0.1:9", tmp_path)
    with migrated() as (dsn, superuser_dsn):
        async with gateways.opened(settings, dsn=dsn, writes=record.writes) as opened:
            instant = instant_provider.transport(output_tokens=instant_provider.FAR_TOO_MANY_TOKENS)
            gateway = replace(opened, transport=instant, retry_waits_s=())
            await first_start.prepare(gateway)
            scout = await spenders.signed_up(gateway, money=PLENTY)
            heard = Heard()
            question = Question(api_key=scout.api_key, words=busy_gateway.WORDS)
            await asking.ask(gateway, question, lambda message: asking.hear(heard, message))
            assert heard.is_answer, heard.body
            superuser = await asyncpg.connect(superuser_dsn)
            (row,) = await superuser.fetch(PAID)
            yield World(dsn=dsn, superuser=superuser, gateway=gateway, price=row["amount_posted"])
            await superuser.close()


@proves("no-overspend", "no-free-or-double-charge", "tampering-is-named")
async def test_one_wallet_that_pays_for_so_many_calls_pays_for_exactly_as_many(
    world: World,
) -> None:
    rest = world.price - 1
    money = ONE_WALLET_CALLS * world.price + rest
    spender = await spenders.signed_up(world.gateway, money=money)

    spent = await world.spend([spender], processes=3)

    _say(spent)
    assert spent.calls.total() == ONE_WALLET_CALLS
    assert spent.calls.total() - spent.unheard <= spent.answered <= spent.calls.total()
    assert spent.refused == 3 * CALLERS + 1
    assert spent.amount == money - rest
    assert _faults(world) == []


@proves("no-overspend", "no-free-or-double-charge", "tampering-is-named")
@pytest.mark.parametrize("tenant_calls", [None, 19])
async def test_wallets_with_a_pool_behind_them_and_caps_above_them_spend_exactly_what_may_be(
    world: World, tenant_calls: int | None
) -> None:
    each, pool, capped = 2, 11, 1
    first = await spenders.signed_up(world.gateway, money=each * world.price)
    tenant_id = first.payer.tenant_id
    others = [
        await spenders.beside(world.gateway, first, money=each * world.price)
        for _ in range(AGENTS - 1)
    ]
    await spenders.top_up(world.gateway, tenant_id, place=None, money=pool * world.price)
    await spenders.allow(world.gateway, first, daily_cap=(capped + 1) * world.price - 1)
    if tenant_calls is not None:
        cap = (tenant_calls + 1) * world.price - 1
        await spenders.allow_all(world.gateway, tenant_id, daily_cap=cap)

    spent = await world.spend([first, *others], processes=2)

    _say(spent)
    affordable = capped + (AGENTS - 1) * each + pool
    allowed = affordable if tenant_calls is None else tenant_calls
    assert spent.calls.total() == allowed
    assert spent.calls.total() - spent.unheard <= spent.answered <= spent.calls.total()
    assert spent.refused == 2 * CALLERS + AGENTS
    assert spent.amount == allowed * world.price
    assert spent.calls[first.payer.agent_id] <= capped
    assert _faults(world) == []


def _say(spent: Spent) -> None:
    saying.say(
        f"{len(spent.told)} calls were tried, by {CALLERS} callers in each process:"
        f" {spent.answered} were answered, {spent.refused} refused and {spent.unheard} neither"
    )


def _faults(world: World) -> list[str]:
    """Whatever the self-check finds, every chain included: that two processes wrote forks none."""
    asked = Asked(deep=True, clock=clocks.right)
    return [str(fault) for one in checks.check(world.dsn, asked) for fault in one.faults]
