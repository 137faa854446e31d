"""A cap that is lowered while many calls run is never exceeded by a call that comes after it."""

import asyncio
import itertools
from dataclasses import replace
from typing import Literal

import pytest

from ainfera_server.audit.recorder import Recorder
from ainfera_server.errors import CapExceeded
from ainfera_server.gateway import Gateway
from ainfera_server.inference import run
from ainfera_server.inference.call import Call, StreamedAnswer
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import tenancy
from ainfera_server.wallet import policy_actions
from ainfera_server.wallet.caps import Branch
from ainfera_server.wallet.policy_changes import PolicyChange, TenantPolicyChange
from tests.conftest import Look
from tests.inference import books_of, callers
from tests.inference.callers import Caller
from tests.promises import proves
from tests.scripted_provider import ScriptedProvider

CALLERS = 16
AFFORDABLE = 3
Whose = Literal["agent day", "tenant month", "session whole"]


@proves("no-overspend")
@pytest.mark.parametrize("whose", ["agent day", "tenant month", "session whole"])
async def test_no_call_after_a_lowered_cap_exceeds_it(
    gateway: Gateway,
    other_gateway: Gateway,
    scripted_provider: ScriptedProvider,
    look: Look,
    whose: Whose,
) -> None:
    caller = await callers.signed_up(gateway, "spender")
    await asks(gateway, caller)
    (row,) = look("select amount_held from inferences")
    hold = int(row["amount_held"])
    cap = UsdMicros(AFFORDABLE * hold)
    scripted_provider.stalls_mid_stream(after_chunks=1)

    through = itertools.islice(itertools.cycle((gateway, other_gateway)), CALLERS)
    half, rest = CALLERS // 2, list(through)
    first = [asyncio.ensure_future(listens(one, caller)) for one in rest[:half]]
    change = asyncio.ensure_future(change_cap(gateway, caller, whose, cap))
    second = [asyncio.ensure_future(listens(one, caller)) for one in rest[half:]]
    answers = await asyncio.gather(*first, *second, return_exceptions=True)
    await change
    late = await asyncio.gather(
        *(listens(gateway, caller) for _ in range(AFFORDABLE + 1)), return_exceptions=True
    )

    streams = [one for one in (*answers, *late) if isinstance(one, StreamedAnswer)]
    refused = [one for one in (*answers, *late) if isinstance(one, CapExceeded)]
    assert len(streams) + len(refused) == CALLERS + AFFORDABLE + 1
    assert any(isinstance(one, CapExceeded) for one in late)
    window = spent(look, whose)
    assert window["pending"] == len(streams) * hold
    # What was let through before the change may be more than the cap; nothing came on top.
    assert window["cap"] >= cap
    assert window["spent"] <= window["cap"]
    assert window["spent"] <= cap or window["cap"] == window["spent"]
    scripted_provider.releases()
    await asyncio.gather(*map(callers.read_to_its_end, streams))

    before = spent(look, whose)
    assert before["pending"] == 0
    scripted_provider.stalls_mid_stream(after_chunks=1)
    again = await asyncio.gather(*(listens(one, caller) for one in rest), return_exceptions=True)
    let_through = [one for one in again if isinstance(one, StreamedAnswer)]
    assert len(let_through) == (cap - before["spent"]) // hold
    assert spent(look, whose)["spent"] <= cap
    scripted_provider.releases()
    await asyncio.gather(*map(callers.read_to_its_end, let_through))
    assert books_of.violations(look) == []
    assert await books_of.chain_problems(gateway, caller.payer.agent_id) == []


async def listens(gateway: Gateway, caller: Caller) -> StreamedAnswer:
    answer = await run.run(gateway, in_session(caller, gateway, stream=True))
    assert isinstance(answer, StreamedAnswer), "a stream was asked for"
    return answer


async def asks(gateway: Gateway, caller: Caller) -> None:
    await run.run(gateway, in_session(caller, gateway, stream=False))


async def change_cap(gateway: Gateway, caller: Caller, whose: Whose, cap: UsdMicros) -> None:
    tenant_id, agent_id = caller.payer.tenant_id, caller.payer.agent_id
    recorder = Recorder(now=gateway.now(), new_id=gateway.new_id, signer=gateway.signer)
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        if whose == "tenant month":
            await policy_actions.update_tenant_policy(
                connection,
                recorder,
                tenant_id=tenant_id,
                change=TenantPolicyChange(monthly_cap=cap),
            )
            return
        await policy_actions.update_spend_policy(
            connection,
            recorder,
            tenant_id=tenant_id,
            agent_id=agent_id,
            change=PolicyChange(daily_cap=cap)
            if whose == "agent day"
            else PolicyChange(session_cap=cap),
        )


def in_session(caller: Caller, gateway: Gateway, *, stream: bool) -> Call:
    return replace(caller.call(gateway, stream=stream), branch=Branch(session="one"))


def spent(look: Look, whose: Whose) -> dict[str, int]:
    every = look(
        "select scope || ' ' || period as name, cap, pending, posted + pending as spent"
        " from spending"
    )
    (window,) = (one for one in every if one.pop("name") == whose)
    return window
