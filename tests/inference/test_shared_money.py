"""What agents share: a session's money down its tree, a tenant's pool, and what we earn on top."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
import pytest_asyncio

from ainfera_server import gateway as gateways
from ainfera_server.audit.recorder import Recorder
from ainfera_server.conversation import Usage
from ainfera_server.errors import CapExceeded, InsufficientFunds
from ainfera_server.gateway import Gateway
from ainfera_server.inference import record, run
from ainfera_server.inference.call import Answer, StreamedAnswer
from ainfera_server.money import UsdMicros
from ainfera_server.postgres import tenancy
from ainfera_server.settings import Settings
from ainfera_server.wallet import actions, policy_actions
from ainfera_server.wallet.caps import Branch
from ainfera_server.wallet.policy_changes import PolicyChange, TenantPolicyChange
from tests import running_server
from tests.conftest import Look
from tests.inference import books_of, callers
from tests.inference.callers import Caller
from tests.promises import proves
from tests.scripted_provider import ScriptedProvider

MARGIN = Decimal("0.5")
PINNED = "gpt-5-5"
CALLERS = 64
AFFORDABLE = 5


@proves("no-overspend", "a-runaway-subagent-stops-alone")
async def test_a_subagent_that_runs_away_stops_and_the_one_above_it_goes_on(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look
) -> None:
    caller = await callers.signed_up(gateway)
    up, child = Branch(session="s", node="up"), Branch(session="s", node="child", parent="up")
    sibling = replace(child, node="sibling")
    await asks(gateway, caller, up)
    hold = size_of_the_hold(look)
    await allow(gateway, caller, PolicyChange(subagent_cap=UsdMicros(4 * hold)))
    scripted_provider.stalls_mid_stream(after_chunks=1)

    answers = [await tries(gateway, caller, child) for _ in range(5)]
    others = [await tries(gateway, caller, one) for one in (sibling, up, Branch(session="s"))]

    assert [isinstance(one, StreamedAnswer) for one in answers] == [True] * 4 + [False]
    assert reason(answers[-1]) == "subagent_cap_exceeded"
    stopped, goes_on, root = others
    assert reason(stopped) == "subagent_cap_exceeded", "what is below one agent has one cap"
    assert isinstance(goes_on, StreamedAnswer)
    assert isinstance(root, StreamedAnswer)
    scripted_provider.releases()
    await read_all([*answers, *others])
    assert books_of.violations(look) == []


async def test_a_subagent_stands_where_it_first_said_and_cannot_leave_by_naming_another(
    gateway: Gateway, look: Look
) -> None:
    caller = await callers.signed_up(gateway)
    silent = Branch(session="s", node="n")
    for branch in (
        Branch(session="s", node="up"),
        silent,
        replace(silent, parent="up"),
        replace(silent, parent="elsewhere"),
        silent,
    ):
        await asks(gateway, caller, branch)

    assert look(
        "select subagents, count(*) as calls from transfers where subagents is not null"
        ' group by subagents order by subagents collate "C"'
    ) == [
        {"subagents": '["s","n","up"]', "calls": 3},
        {"subagents": '["s","n"]', "calls": 1},
        {"subagents": '["s","up"]', "calls": 1},
    ]
    assert books_of.violations(look) == []


@proves("pool-behind-wallets")
@proves("no-overspend")
async def test_the_pool_pays_for_whom_the_wallet_cannot_unless_each_is_left_to_its_own(
    gateway: Gateway, look: Look
) -> None:
    caller = await callers.signed_up(gateway, money=1)
    with pytest.raises(InsufficientFunds):
        await asks(gateway, caller, None)
    await pay_into_the_pool(gateway, caller, 5_000_000)

    await asks(gateway, caller, None)
    await allow_all(gateway, caller, TenantPolicyChange(wallet_strict_per_agent=True))
    with pytest.raises(InsufficientFunds) as strict:
        await asks(gateway, caller, None)

    assert strict.value.facts["reason"] == "wallet_insufficient_per_agent"
    assert look(
        "select kind, credits_posted - debits_posted < 5000000 as less from accounts"
        " where account_id in (select debit_account_id from transfers where kind = 'inference')"
    ) == [{"kind": "pool", "less": True}]
    assert books_of.violations(look) == []


@proves("no-overspend")
async def test_a_pool_that_pays_for_five_holds_lets_exactly_five_of_many_callers_through(
    gateway: Gateway, other_gateway: Gateway, scripted_provider: ScriptedProvider, look: Look
) -> None:
    scout = await callers.signed_up(gateway, "scout")
    await asks(gateway, scout, None)
    hold = size_of_the_hold(look)
    caller = await callers.signed_up(gateway, "spender", money=1)
    await pay_into_the_pool(gateway, caller, AFFORDABLE * hold + hold - 1)
    scripted_provider.stalls_mid_stream(after_chunks=1)

    through = itertools.islice(itertools.cycle((gateway, other_gateway)), CALLERS)
    answers = await asyncio.gather(
        *(caller.listens(one, model=PINNED) for one in through), return_exceptions=True
    )

    streams = [one for one in answers if isinstance(one, StreamedAnswer)]
    assert len(streams) == AFFORDABLE
    refused = [one for one in answers if isinstance(one, InsufficientFunds)]
    assert len(refused) == CALLERS - AFFORDABLE
    scripted_provider.releases()
    await read_all(streams)
    assert books_of.violations(look) == []
    assert await books_of.chain_problems(gateway, caller.payer.agent_id) == []


@pytest_asyncio.fixture
async def earning_gateway(database: str, settings: Settings) -> AsyncIterator[Gateway]:
    """A gateway that asks for half as much again as its providers do."""
    earning = replace(settings, margin=MARGIN)
    async with gateways.opened(earning, dsn=database, writes=record.writes) as opened:
        yield running_server.impatient(opened)


@proves("money-is-exact")
async def test_what_a_caller_pays_goes_to_the_provider_and_the_margin_to_us(
    earning_gateway: Gateway, look: Look
) -> None:
    caller = await callers.signed_up(earning_gateway)

    await asks(earning_gateway, caller, None)

    (paid,) = look("select amount_posted, amount_held from transfers where kind = 'inference'")
    earned = {
        row["kind"]: int(row["balance"])
        for row in look("select kind, credits_posted - debits_posted as balance from accounts")
    }
    assert earned["provider_cost"] + earned["revenue"] == paid["amount_posted"]
    assert earned["revenue"] == -(-earned["provider_cost"] // 2), "half, rounded up"
    assert books_of.violations(look) == []


@pytest.mark.parametrize("may_exceed", [True, False], ids=["it may", "it may not"])
async def test_an_answer_that_costs_more_than_its_hold_is_paid_in_full_only_if_the_owner_says_so(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look, *, may_exceed: bool
) -> None:
    scripted_provider.answers("Words.", usage=Usage(input_tokens=100_000, output_tokens=10))
    new = await callers.signed_up(gateway)
    await allow(gateway, new, PolicyChange(may_exceed_hold=may_exceed))
    caller = Caller(payer=replace(new.payer, may_exceed_hold=may_exceed))

    await asks(gateway, caller, None)

    (transfer,) = look(
        "select t.amount_held, t.amount_posted, i.amount_held as said from transfers t"
        " join inferences i using (inference_id)"
    )
    events = look("select payload::json ->> 'reserved_usd' as reserved from audit_events")
    (first,) = (float(row["reserved"]) for row in events if row["reserved"] is not None)
    assert transfer["amount_posted"] == transfer["amount_held"] == transfer["said"]
    assert (transfer["amount_held"] > round(first * 1_000_000)) == may_exceed
    assert books_of.violations(look) == []


async def asks(gateway: Gateway, caller: Caller, branch: Branch | None) -> Answer:
    return await run.run(gateway, replace(caller.call(gateway, model=PINNED), branch=branch))


async def tries(gateway: Gateway, caller: Caller, branch: Branch) -> Answer | CapExceeded:
    call = replace(caller.call(gateway, model=PINNED, stream=True), branch=branch)
    try:
        return await run.run(gateway, call)
    except CapExceeded as problem:
        return problem


def reason(answer: Answer | CapExceeded) -> str:
    assert isinstance(answer, CapExceeded), "it was refused"
    return answer.reason


async def read_all(answers: Sequence[Answer | CapExceeded]) -> None:
    streams = (one for one in answers if isinstance(one, StreamedAnswer))
    await asyncio.gather(*map(callers.read_to_its_end, streams))


def size_of_the_hold(look: Look) -> int:
    (row,) = look("select amount_held from inferences")
    return int(row["amount_held"])


def recorder(gateway: Gateway) -> Recorder:
    return Recorder(now=gateway.now(), new_id=gateway.new_id, signer=gateway.signer)


async def allow(gateway: Gateway, caller: Caller, change: PolicyChange) -> None:
    payer = caller.payer
    async with tenancy.tenant_transaction(gateway.pools.app, payer.tenant_id) as connection:
        await policy_actions.update_spend_policy(
            connection,
            recorder(gateway),
            tenant_id=payer.tenant_id,
            agent_id=payer.agent_id,
            change=change,
        )


async def allow_all(gateway: Gateway, caller: Caller, change: TenantPolicyChange) -> None:
    tenant_id = caller.payer.tenant_id
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        await policy_actions.update_tenant_policy(
            connection, recorder(gateway), tenant_id=tenant_id, change=change
        )


async def pay_into_the_pool(gateway: Gateway, caller: Caller, amount: int) -> None:
    tenant_id = caller.payer.tenant_id
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        await actions.top_up(
            connection,
            recorder(gateway),
            tenant_id=tenant_id,
            place=None,
            amount=UsdMicros(amount),
        )
