"""A database that is killed or cut off under load, again and again, and what is left then."""

import asyncio
import itertools
import os
import random  # noqa: TID251 (seeded, so that a failure is found again)
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg

from ainfera_server import gateway as gateways
from ainfera_server import money
from ainfera_server.cli import first_start
from ainfera_server.errors import StoreUnavailable
from ainfera_server.gateway import Gateway
from ainfera_server.inference import record, recover
from ainfera_server.postgres import embedded
from ainfera_server.postgres.embedded import Server
from ainfera_server.selfcheck import checks
from ainfera_server.selfcheck.checks import Asked
from tests.chaos import (
    asking,
    busy_gateway,
    busy_gateways,
    instant_provider,
    provider_settings,
    spenders,
)
from tests.chaos.busy_gateway import Told, Work
from tests.chaos.lanes import TIME_IS_OVER
from tests.cli import running_command
from tests.selfcheck import clocks

PROCESSES = 2
CALLERS = 16
AGENTS = 5
MONEY = 50_000_000
OUTPUT_TOKENS = 7
ANSWERS_BEFORE = (8, 40)
"""How many calls are answered between two outages, at least and at most."""

RECEIPTS = "select receipt_id::text, cost from inferences where status = 'succeeded'"
PAID = "select count(*) from transfers where kind = 'inference' and state = 'posted'"
SERVED = "select pid from pg_stat_activity where application_name like 'ainfera_%' order by pid"
CUT_OFF = "select pg_terminate_backend($1)"

Outage = Callable[[random.Random], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What there was, and whatever is not as it must be."""

    outages: int
    answered: int
    unanswered: int
    faults: tuple[str, ...]

    def counted(self) -> str:
        """A line for people."""
        return (
            f"{self.outages} outages, {self.answered} calls answered, {self.unanswered} not and"
            f" asked again with their keys, {len(self.faults)} faults"
        )


async def endured(
    dsn: str, superuser_dsn: str, data_dir: Path, outage: Outage, *, rounds: int, seed: int
) -> Aftermath:
    """Have two gateways under load while the database goes away again and again."""
    draws = random.Random(seed)  # noqa: S311 (a failure is found again by its seed)
    settings = provider_settings.settings("http://127.0.0.1:9", data_dir)
    async with gateways.opened(settings, dsn=dsn, writes=record.writes) as opened:
        instant = instant_provider.transport(output_tokens=OUTPUT_TOKENS)
        gateway = replace(opened, transport=instant, retry_waits_s=())
        await first_start.prepare(gateway)
        agents = [await spenders.signed_up(gateway, money=MONEY) for _ in range(AGENTS)]
        work = Work(
            dsn=dsn,
            data_dir=str(data_dir),
            api_keys=tuple(agents[number % AGENTS].api_key for number in range(CALLERS)),
            until_refused=False,
            keyed=True,
            output_tokens=OUTPUT_TOKENS,
        )
        async with busy_gateways.running([work] * PROCESSES) as busy:
            busy.begin()
            for _ in range(rounds):
                await busy.answers(draws.randint(*ANSWERS_BEFORE))
                await outage(draws)
            await busy.answers(ANSWERS_BEFORE[0])
            await busy.end()
        faults = await _faults_after(gateway, superuser_dsn, busy.told)
    faults += await asyncio.to_thread(_faults_in_books, dsn)
    answered = sum(one.is_answer for one in busy.told)
    return Aftermath(
        outages=rounds,
        answered=answered,
        unanswered=len(busy.told) - answered,
        faults=tuple(faults),
    )


def kills(server: Server) -> Outage:
    """Kill the server, all of its processes, and start it again."""

    async def outage(_: random.Random) -> None:
        postmaster = int(server.cluster.pid_file.read_text().splitlines()[0])
        doomed = (postmaster, *running_command.descendants(postmaster))
        for process_id in doomed:
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
        await asyncio.to_thread(embedded.start_again, server)

    return outage


def cuts(superuser_dsn: str, *, most: int) -> Outage:
    """Cut the connections of gateways, up to so many of them."""

    async def outage(draws: random.Random) -> None:
        connection = await asyncpg.connect(superuser_dsn)
        try:
            served = [row["pid"] for row in await connection.fetch(SERVED)]
            for process_id in draws.sample(served, min(most, len(served))):
                await connection.execute(CUT_OFF, process_id)
        finally:
            await connection.close()

    return outage


async def _faults_after(gateway: Gateway, superuser_dsn: str, told: Sequence[Told]) -> list[str]:
    """What was acknowledged and is not there; and what no second asking brings to its end."""
    faults: list[str] = []
    superuser = await asyncpg.connect(superuser_dsn)
    try:
        await superuser.execute(TIME_IS_OVER)
        await _recovered(gateway)
        kept = {row[0]: row[1] for row in await superuser.fetch(RECEIPTS)}
        faults += [
            f"an answer was acknowledged and is not paid for: {one}"
            for one in told
            if one.is_answer and not _is_paid(one, kept)
        ]
        at_once = asyncio.Semaphore(CALLERS)
        unanswered = (one for one in told if not one.is_answer)
        again = [_faults_asking_again(gateway, one, at_once) for one in unanswered]
        faults += itertools.chain(*await asyncio.gather(*again))
        paid: int = await superuser.fetchval(PAID)
        if paid != len({one.idempotency_key for one in told}):
            faults.append(f"{len(told)} calls were paid for {paid} times")
    finally:
        await superuser.close()
    return faults


async def _recovered(gateway: Gateway) -> None:
    """Release what is over; our own connections may have been among those that were cut."""
    for _ in range(asking.TRIES_MAX):
        try:
            while await recover.expired_holds(gateway):
                pass
            await recover.expired_answers(gateway)
        except StoreUnavailable:
            continue
        return
    raise AssertionError("a pool connects again")


def _is_paid(told: Told, kept: dict[str, Any]) -> bool:
    cost = kept.get(told.receipt_id)
    said = None if not told.cost_usd else money.parse_usd(told.cost_usd)
    return cost is not None and said in {None, cost}


async def _faults_asking_again(
    gateway: Gateway, told: Told, at_once: asyncio.Semaphore
) -> list[str]:
    """Whoever got no answer asks again; a stream that broke off is given again as it was."""
    async with at_once:
        heard = await asking.heard_again(gateway, busy_gateway.question(told))
    return [] if heard.is_answer else [f"asked again with its key after {told}: {heard}"]


def _faults_in_books(dsn: str) -> list[str]:
    return [
        f"{verdict.promise}: {fault}"
        for verdict in checks.check(dsn, Asked(deep=True, clock=clocks.right))
        for fault in verdict.faults
    ]
