"""Every stored decision can be made again from what was stored with it, and from no more."""

import pytest

from ainfera_server.conversation import Json
from ainfera_server.errors import AinferaError
from ainfera_server.gateway import Gateway
from ainfera_server.routing import decide, decision, snapshot
from tests.conftest import Look
from tests.inference import callers
from tests.promises import proves
from tests.scripted_provider import ScriptedProvider

PRE_DISPATCH = "failed_pre_dispatch"
"""The money said no: what was decided before stands in the candidates."""

TOOL: Json = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
REQUESTS: tuple[dict[str, Json], ...] = (
    {},
    {"stream": True},
    {"model": "ainfera-auto", "tools": [TOOL]},
    {"routing_hint": {"min_quality": 0.9}},
    {"routing_hint": {"min_quality": 0.999}},
    {"routing_hint": {"budget_cap_usd": "0.000001"}},
    {"caps": {"max_cost_usd": 0.001}},
    {"max_tokens": 100_000},
    {"task_type": "code", "messages": [{"role": "user", "content": "Größe \u2028 \U0001f600"}]},
)


@proves("decisions-can-be-made-again")
async def test_every_stored_decision_comes_out_the_same_when_it_is_made_again(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look
) -> None:
    rich = await callers.signed_up(gateway)
    poor = await callers.signed_up(gateway, "poor", money=1, per_call_cap=1_000)
    scripted_provider.fails(status=503, times=2)
    for caller in (rich, poor):
        for path in callers.PATHS:
            for asked in REQUESTS:
                try:
                    await caller.answers(gateway, path=path, key=None, **asked)
                except AinferaError:
                    continue

    rows = look("select * from routing_outcomes")
    for row in rows:
        made_again = decide.decide(snapshot.decode(row["snapshot"].encode()))
        assert row["candidates"] == decision.encode_candidates(made_again).decode()
        assert row["decision_rule"] in {made_again.rule_fired, PRE_DISPATCH}
        assert row["policy_version"] == made_again.policy_version
        assert row["ruleset_hash"] == made_again.ruleset_hash
        assert row["chosen_model_slug"] == made_again.chosen_model_slug
        assert row["cost_projected"] == made_again.cost_projected
    rules = {row["decision_rule"] for row in rows}
    assert rules >= {"cheapest_clearing_floor", "no_candidate_clears_floor", PRE_DISPATCH}
    assert len(rows) >= 40


@pytest.mark.parametrize("setting", ["0", "1"])
async def test_a_decision_does_not_depend_on_what_is_set_when_it_is_made_again(
    gateway: Gateway, look: Look, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv("AINFERA_ROUTING_PREFERENCE_LIVE", setting)
    caller = await callers.signed_up(gateway)
    await caller.asks(gateway, routing_hint={"routing_preference": "cost"})
    monkeypatch.setenv("AINFERA_ROUTING_PREFERENCE_LIVE", "1" if setting == "0" else "0")

    (row,) = look("select * from routing_outcomes")
    made_again = decide.decide(snapshot.decode(row["snapshot"].encode()))
    assert row["policy_version"] == made_again.policy_version
    assert row["candidates"] == decision.encode_candidates(made_again).decode()
