"""An outcome is said once by each source, about an answer that the tenant got."""

from decimal import Decimal

import orjson
import pytest

from ainfera_server.accounts.actions import SignedUp
from ainfera_server.accounts.signup import Signup
from ainfera_server.audit import store as audit_store
from ainfera_server.errors import Invalid, NotFound
from ainfera_server.identifiers import Cell, InferenceId
from ainfera_server.outcomes import actions, rewards, store
from ainfera_server.outcomes.store import Outcome, Source
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Pools
from tests.accounts import newcomer
from tests.promises import proves
from tests.usage import calls


async def say(
    pools: Pools,
    by: SignedUp,
    inference_id: InferenceId,
    reward: str,
    *,
    source: Source = "caller",
    note: str | None = None,
) -> Outcome:
    async with tenancy.tenant_transaction(pools.app, by.tenant.tenant_id) as connection:
        return await actions.record(
            connection,
            newcomer.recorder(),
            tenant_id=by.tenant.tenant_id,
            inference_id=inference_id,
            reward=rewards.parse(reward),
            source=source,
            note=note,
        )


async def test_an_outcome_is_recorded_with_its_event(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    inference_id = await calls.made(pools, new)
    said = await say(pools, new, inference_id, "0.75", note="größtenteils richtig")
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        assert await store.outcomes(connection, inference_id) == (said,)
        (link,) = await audit_store.links(connection, new.agent.agent_id, since_seq=4)
    facts = orjson.loads(link.payload)
    assert facts["event_type"] == "outcome.recorded"
    assert (facts["reward"], facts["source"]) == ("0.75", "caller")
    assert "richtig" not in link.payload


async def test_the_same_outcome_again_changes_nothing(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    inference_id = await calls.made(pools, new)
    first = await say(pools, new, inference_id, "0.750")
    assert await say(pools, new, inference_id, "0.75") == first
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        assert await audit_store.head(connection, new.agent.agent_id) is not None
        assert len(await audit_store.links(connection, new.agent.agent_id, since_seq=4)) == 1


async def test_another_outcome_of_the_same_source_is_refused(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    inference_id = await calls.made(pools, new)
    await say(pools, new, inference_id, "1")
    with pytest.raises(Invalid, match="already said 1 "):
        await say(pools, new, inference_id, "0")
    await say(pools, new, inference_id, "0", source="verify")
    async with tenancy.tenant_transaction(pools.app, new.tenant.tenant_id) as connection:
        both = await store.outcomes(connection, inference_id)
    assert [(one.source, one.reward) for one in both] == [("caller", 1), ("verify", 0)]


@pytest.mark.parametrize("status", ["running", "failed", "refused"])
async def test_a_call_without_an_answer_cannot_be_judged(pools: Pools, status: str) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    inference_id = await calls.made(pools, new, status=status)
    with pytest.raises(Invalid, match="no answer"):
        await say(pools, new, inference_id, "1")


@proves("tenants-are-strangers")
async def test_nobody_judges_or_sees_another_tenants_answer(pools: Pools) -> None:
    one = await newcomer.signed_up(pools, Signup(agent_handle="one"))
    two = await newcomer.signed_up(pools, Signup(agent_handle="two"))
    inference_id = await calls.made(pools, one)
    await say(pools, one, inference_id, "1")
    for wanted in (inference_id, InferenceId(newcomer.new_id(Cell(7)))):
        with pytest.raises(NotFound, match=r"There is no such inference\."):
            await say(pools, two, wanted, "0")
    async with tenancy.tenant_transaction(pools.app, two.tenant.tenant_id) as connection:
        assert await store.answered_inference(connection, inference_id) is None
        assert await store.outcome(connection, inference_id, "caller") is None
        assert await store.outcomes(connection, inference_id) == ()


async def test_a_note_without_end_is_refused(pools: Pools) -> None:
    new = await newcomer.signed_up(pools, Signup(agent_handle="scout"))
    inference_id = await calls.made(pools, new)
    for note in ("x" * 1001, "zero \0"):
        with pytest.raises(Invalid, match="note"):
            await say(pools, new, inference_id, "1", note=note)


@pytest.mark.parametrize("value", ["1.01", -1, "nan", "", True, "0.0000001"])
def test_a_reward_that_is_no_share_of_one_is_refused(value: str | float) -> None:
    with pytest.raises(Invalid, match="reward"):
        rewards.parse(value)


def test_a_reward_is_read_as_it_was_written() -> None:
    assert rewards.parse(0.1) == Decimal("0.1")
    assert rewards.parse("1") == 1
