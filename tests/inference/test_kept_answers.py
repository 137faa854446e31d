"""An answer that was paid for is given again to its key: to everybody, for a day, and sealed."""

import asyncio
import hashlib
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ainfera_server.accounts import actions as accounts_actions
from ainfera_server.accounts import store as accounts_store
from ainfera_server.errors import IdempotencyInProgress, InsufficientFunds
from ainfera_server.gateway import Gateway
from ainfera_server.inference import idempotency, recover
from ainfera_server.inference import store as inference_store
from ainfera_server.inference.call import Call, WholeAnswer
from ainfera_server.postgres import pool as pools
from ainfera_server.postgres import tenancy
from ainfera_server.settings import Settings
from tests.conftest import Look
from tests.inference import books_of, callers, word_keepers
from tests.inference.callers import Caller
from tests.promises import proves
from tests.scripted_provider import ScriptedProvider

KEY = "once"
PROCESSES = 2
CALLERS = 64
START_S_MAX = 20.0
REPOSITORY = Path(__file__).parents[2]
MANY_OLD_ANSWERS = (
    "insert into idempotency_keys (cell, scope, tenant_id, body_hash, state, answer_sealed,"
    " created_at, expires_at) select cell, encode(sha256(n::text::bytea), 'hex'), tenant_id,"
    " 'hash', 'answered', 'sealed', now(), now() - interval '1 second'"
    " from tenants cross join generate_series(1, 1700) n"
)
TIME_IS_OVER = "update idempotency_keys set expires_at = now() - interval '1 second'"


@proves("retries-are-safe")
async def test_of_sixty_four_callers_of_two_processes_with_one_key_one_asks_and_all_have_its_answer(
    database: str,
    settings: Settings,
    gateway: Gateway,
    scripted_provider: ScriptedProvider,
    look: Look,
) -> None:
    scripted_provider.stalls_mid_stream()
    caller = await callers.signed_up(gateway)
    async with asking_at_once(database, settings, caller) as processes:
        await tell(processes)
        refused = [one async for one in said(processes, CALLERS - 1)]
        assert refused == ["refused idempotency_key_in_progress"] * (CALLERS - 1)
        assert len(scripted_provider.requests) == 1
        scripted_provider.releases()
        (first,) = [one async for one in said(processes, 1)]
        assert first.startswith("answered first ")

        await tell(processes)
        again = [one async for one in said(processes, CALLERS)]

    assert again == [first.replace("first", "again")] * CALLERS
    answer = await caller.asks(gateway, key=KEY)
    assert hashlib.sha256(answer.body).hexdigest() == first.split()[-1]
    assert len(scripted_provider.requests) == 1
    assert books_of.counts(look) == {"inferences": 1, "outcomes": 1, "paid": 1, "receipts": 1}
    assert books_of.violations(look) == []


@proves("retries-are-safe")
async def test_the_same_key_of_another_agent_of_the_same_tenant_is_another_key(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look
) -> None:
    caller = await callers.signed_up(gateway)
    sibling = await another_agent(gateway, caller)
    assert sibling.payer.tenant_id == caller.payer.tenant_id

    await caller.asks(gateway, key=KEY)
    with pytest.raises(InsufficientFunds):
        await sibling.asks(gateway, key=KEY)

    assert books_of.counts(look)["paid"] == 1
    assert len(look("select 1 from idempotency_keys")) == 1


@proves("retries-are-safe")
@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "plain"])
async def test_an_answer_is_given_again_by_another_process_when_nothing_is_left_to_pay_or_to_ask(
    gateway: Gateway,
    other_gateway: Gateway,
    scripted_provider: ScriptedProvider,
    look: Look,
    administer_here: Callable[[str], None],
    *,
    streams: bool,
) -> None:
    caller = await callers.signed_up(gateway)
    first = await caller.answers(gateway, key=KEY, stream=streams)
    scripted_provider.fails(status=500)
    administer_here("update agents set per_call_cap = 1")
    before = look("select * from accounts order by account_id")

    again = await caller.answers(other_gateway, key=KEY, stream=streams)

    assert again == first
    assert len(scripted_provider.requests) == 1
    assert look("select * from accounts order by account_id") == before
    assert books_of.counts(look) == {"inferences": 1, "outcomes": 1, "paid": 1, "receipts": 1}


@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "plain"])
async def test_an_answer_is_kept_for_a_day_from_when_it_was_there(
    gateway: Gateway, look: Look, *, streams: bool
) -> None:
    caller = await callers.signed_up(gateway)
    await caller.answers(gateway, key=KEY, stream=streams)

    (kept,) = look("select extract(epoch from expires_at - now()) as left_s from idempotency_keys")

    assert 24 * 3600 - 60 < kept["left_s"] <= 24 * 3600 + 60


async def test_a_call_without_a_key_leaves_no_answer(gateway: Gateway, look: Look) -> None:
    caller = await callers.signed_up(gateway)
    await caller.answers(gateway)
    await caller.answers(gateway, stream=True)
    assert look("select * from idempotency_keys") == []


@proves("retries-are-safe", "no-stuck-hold")
async def test_a_key_whose_process_died_before_it_held_anything_is_free_when_its_time_is_over(
    gateway: Gateway, look: Look, administer_here: Callable[[str], None]
) -> None:
    caller = await callers.signed_up(gateway)
    await take_key_and_die(gateway, caller.call(gateway, key=KEY))
    with pytest.raises(IdempotencyInProgress):
        await caller.asks(gateway, key=KEY)

    administer_here(TIME_IS_OVER)
    first = await caller.asks(gateway, key=KEY)

    assert isinstance(first, WholeAnswer)
    assert (await caller.asks(gateway, key=KEY)).body == first.body
    assert books_of.counts(look)["paid"] == 1


async def test_every_answer_whose_time_is_over_is_deleted_however_many_there_are(
    gateway: Gateway, other_gateway: Gateway, look: Look, administer_here: Callable[[str], None]
) -> None:
    caller = await callers.signed_up(gateway)
    administer_here(MANY_OLD_ANSWERS)
    await caller.asks(gateway, key=KEY)

    await asyncio.gather(*map(recover.expired_answers, (gateway, other_gateway)))

    assert len(look("select 1 from idempotency_keys")) == 1, "the one whose time is not over"


async def take_key_and_die(gateway: Gateway, call: Call) -> None:
    """What a process has done that dies before it holds anything."""
    assert call.idempotency_scope is not None
    async with pools.transaction(gateway.pools.writer) as connection:
        assert await inference_store.begin_idempotency(
            connection,
            scope=call.idempotency_scope,
            tenant_id=call.payer.tenant_id,
            body_hash=idempotency.body_hash(gateway, call),
            lifetime_s=600,
        )


async def another_agent(gateway: Gateway, caller: Caller) -> Caller:
    """Another agent of the same tenant, with an empty wallet."""
    tenant_id = caller.payer.tenant_id
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        born = await accounts_actions.register(
            connection, word_keepers.minting(gateway), tenant_id=tenant_id, name="sibling"
        )
        payer = await accounts_store.payer(connection, born.agent_id)
    assert payer is not None, "who is registered can pay"
    return Caller(payer=payer)


@asynccontextmanager
async def asking_at_once(
    database: str, settings: Settings, caller: Caller
) -> AsyncGenerator[list[Process]]:
    """Processes that are there, and gone when the block ends."""
    ids = (str(caller.payer.tenant_id), str(caller.payer.agent_id))
    command = (sys.executable, "-m", "tests.inference.asking_at_once")
    base_url = settings.provider_base_urls["mistral"]
    given = (database, base_url, str(settings.data_dir), *ids, KEY, str(CALLERS // PROCESSES))
    processes = [
        await asyncio.create_subprocess_exec(
            *command, *given, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(PROCESSES)
    ]
    try:
        assert [one async for one in said(processes, PROCESSES)] == ["there"] * PROCESSES
        yield processes
    finally:
        for process in processes:
            process.kill()
            await process.communicate()


async def tell(processes: list[Process]) -> None:
    """Have everybody ask."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"ask\n")
        await process.stdin.drain()


async def said(processes: list[Process], count: int) -> AsyncIterator[str]:
    """The next so many lines, whoever says them."""
    reading = {asyncio.create_task(line(one)): one for one in processes}
    try:
        for _ in range(count):
            done, _ = await asyncio.wait(
                reading, timeout=START_S_MAX, return_when=asyncio.FIRST_COMPLETED
            )
            assert done, "nobody said anything"
            task = done.pop()
            process = reading.pop(task)
            yield task.result()
            reading[asyncio.create_task(line(process))] = process
    finally:
        for task in reading:
            task.cancel()


async def line(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()
