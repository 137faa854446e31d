"""A process that died with a call in its hands: another finishes it, once, whoever comes first."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from ainfera_server.accounts.store import Payer
from ainfera_server.errors import IdempotencyInProgress
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AccountId, AgentId, TenantId
from ainfera_server.inference import recover
from ainfera_server.settings import Settings
from tests.conftest import Look
from tests.inference import books_of, callers
from tests.inference.callers import Caller
from tests.promises import proves
from tests.scripted_provider import ScriptedProvider

KEY = "kept-by-a-dead-process"
START_S_MAX = 20.0
REPOSITORY = Path(__file__).parents[2]
TIME_IS_OVER = (
    "update transfers set expires_at = now() - interval '1 second' where state = 'pending';"
    "update idempotency_keys set expires_at = now() - interval '1 second'"
)
OPEN = (
    "every outcome is known",
    "no hold is open",
    "no inference still runs",
)


@proves("no-stuck-hold", "retries-are-safe", "one-outcome-for-each-routed-call")
async def test_a_hold_of_a_killed_process_is_released_once_when_its_time_is_over(
    database: str,
    settings: Settings,
    gateway: Gateway,
    other_gateway: Gateway,
    scripted_provider: ScriptedProvider,
    look: Look,
    administer_here: Callable[[str], None],
) -> None:
    scripted_provider.is_silent()
    caller = await _of_a_killed_process(database, settings, scripted_provider)
    assert books_of.violations(look, but=OPEN) == []

    assert await recover.expired_holds(gateway) == 0, "its time is not over"
    held = books_of.wallet(look, caller.payer.agent_id)
    assert held["held"] == held["held_on_days"] > 0
    with pytest.raises(IdempotencyInProgress):
        await caller.asks(gateway, key=KEY)

    administer_here(TIME_IS_OVER)
    await asyncio.gather(*map(recover.expired_holds, [gateway, other_gateway] * 4))

    assert books_of.violations(look) == []
    assert books_of.wallet(look, caller.payer.agent_id)["held"] == 0
    assert look(
        "select i.status, i.failure, o.outcome_status, t.state from inferences i"
        " join routing_outcomes o on o.id = i.decision_id join transfers t using (transfer_id)"
    ) == [
        {
            "status": "failed",
            "failure": "expired",
            "outcome_status": "failed_other",
            "state": "expired",
        }
    ]
    expired = look("select 1 from audit_events where event_type = 'inference.expired'")
    assert len(expired) == 1
    assert await books_of.chain_problems(gateway, caller.payer.agent_id) == []
    await _asks_again_with_the_same_key(gateway, scripted_provider, caller)


async def test_a_hold_that_outlives_every_wait_of_its_call_is_left_alone(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look
) -> None:
    caller = await callers.signed_up(gateway)
    scripted_provider.stalls_mid_stream(after_chunks=1)
    answer = await caller.listens(gateway)

    (transfer,) = look(
        "select extract(epoch from expires_at - now()) as left_s from transfers"
        " where state = 'pending'"
    )
    assert await recover.expired_holds(gateway) == 0
    assert transfer["left_s"] > gateway.settings.inference_timeout_s
    await answer.close()


@proves("no-free-or-double-charge")
async def test_an_answer_that_comes_after_its_hold_ran_out_is_not_charged_twice_or_late(
    gateway: Gateway,
    scripted_provider: ScriptedProvider,
    look: Look,
    administer_here: Callable[[str], None],
) -> None:
    caller = await callers.signed_up(gateway)
    scripted_provider.stalls_mid_stream(after_chunks=3)
    answer = await caller.listens(gateway)
    administer_here(TIME_IS_OVER)
    assert await recover.expired_holds(gateway) == 1

    scripted_provider.releases()
    await callers.read_to_its_end(answer)

    assert books_of.counts(look)["paid"] == 0
    assert books_of.violations(look) == []


@proves("no-stuck-hold")
async def test_a_hold_that_cannot_be_released_holds_up_no_other(
    gateway: Gateway,
    scripted_provider: ScriptedProvider,
    look: Look,
    administer_here: Callable[[str], None],
) -> None:
    scripted_provider.stalls_mid_stream(after_chunks=1)
    new = [await callers.signed_up(gateway, name) for name in ("broken", "well")]
    answers = [await caller.listens(gateway) for caller in new]
    administer_here(TIME_IS_OVER)
    administer_here(
        "update accounts set debits_pending = 0"
        " where agent_id = (select agent_id from agents where handle = 'broken')"
    )

    with pytest.raises(ExceptionGroup):
        await recover.expired_holds(gateway)
    await gateway.wait_for_running()

    assert look(
        "select handle, state from transfers join agents using (agent_id)"
        " where kind = 'inference' order by handle"
    ) == [{"handle": "broken", "state": "pending"}, {"handle": "well", "state": "expired"}]
    for answer in answers:
        with contextlib.suppress(AssertionError):
            await answer.close()


async def test_an_answer_kept_for_its_key_is_forgotten_when_its_time_is_over(
    gateway: Gateway, look: Look, administer_here: Callable[[str], None]
) -> None:
    caller = await callers.signed_up(gateway)
    await caller.asks(gateway, key=KEY)
    administer_here(TIME_IS_OVER)

    await recover.expired_answers(gateway)

    assert look("select * from idempotency_keys") == []


async def _of_a_killed_process(
    database: str, settings: Settings, scripted_provider: ScriptedProvider
) -> Caller:
    """An agent whose call was being answered when its process was killed."""
    base_url = settings.provider_base_urls["mistral"]
    command = [sys.executable, "-m", "tests.inference.dying_gateway"]
    arguments = [database, base_url, str(settings.data_dir), KEY]
    dying = await asyncio.create_subprocess_exec(
        *command, *arguments, cwd=REPOSITORY, stdout=subprocess.PIPE
    )
    try:
        assert await scripted_provider.sees_a_client_come(within_s=START_S_MAX)
    finally:
        dying.kill()
    said, _ = await dying.communicate()
    tenant_id, agent_id, *accounts = map(UUID, json.loads(said))
    wallet_id, pool_id, provider_cost_id, revenue_id = map(AccountId, accounts)
    payer = Payer(
        tenant_id=TenantId(tenant_id),
        agent_id=AgentId(agent_id),
        wallet_id=wallet_id,
        pool_id=pool_id,
        provider_cost_id=provider_cost_id,
        revenue_id=revenue_id,
    )
    return Caller(payer=payer)


async def _asks_again_with_the_same_key(
    gateway: Gateway, scripted_provider: ScriptedProvider, caller: Caller
) -> None:
    scripted_provider.answers()
    assert b" words." in (await caller.asks(gateway, key=KEY)).body
