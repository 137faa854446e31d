"""A refusal says what remains, until when, what would still fit and what to do, in every case."""

from datetime import UTC, datetime
from typing import get_args

import pytest

from ainfera_server.errors import AgentNotActive, AinferaError, CapExceeded, InsufficientFunds
from ainfera_server.inference import refusals
from ainfera_server.inference.entries import NotActive, WhyRefused
from ainfera_server.money import UsdMicros
from ainfera_server.wallet.caps import CapBroken, Reason
from ainfera_server.wallet.ledger import Lacking, Shortfall

MIDNIGHT = datetime(2026, 1, 3, tzinfo=UTC)
NEVER = ("per_call_cap_exceeded", "session_cap_exceeded", "subagent_cap_exceeded")


def error(why: WhyRefused) -> AinferaError:
    return refusals.error(why, model="dear", alternative=lambda limit: f"costs-{limit}")


@pytest.mark.parametrize("reason", get_args(Reason))
def test_a_broken_cap_says_what_is_left_of_it_and_when_it_is_whole_again(reason: Reason) -> None:
    why = CapBroken(
        reason=reason,
        cap=UsdMicros(1_000_000),
        spent=UsdMicros(0 if reason == "per_call_cap_exceeded" else 400_000),
        needed=UsdMicros(2_000_000),
        resets_at=None if reason in NEVER else MIDNIGHT,
    )
    problem = error(why)
    assert isinstance(problem, CapExceeded)
    assert problem.reason == refusals.reason(why) == reason
    assert "2.000000 USD" in problem.sentence
    assert "1.000000 USD" in problem.sentence
    assert problem.sentence.endswith("/spend-policy changes it.")
    assert ("/v1/tenants/" in problem.sentence) == reason.startswith("tenant_")
    left = "1.000000" if reason == "per_call_cap_exceeded" else "0.600000"
    assert problem.facts["remaining_usd"] == left
    assert problem.facts["cheapest_feasible_model"] == f"costs-{why.remaining}"
    resets_at = None if reason in NEVER else "2026-01-03T00:00:00.000000Z"
    assert problem.facts["resets_at"] == resets_at
    assert resets_at is None or f"until {resets_at}" in problem.sentence
    assert reason == "per_call_cap_exceeded" or f"{left} USD of the" in problem.sentence


@pytest.mark.parametrize("reason", get_args(Lacking))
def test_a_shortfall_says_what_there_is_and_how_to_top_it_up(reason: Lacking) -> None:
    why = Shortfall(needed=UsdMicros(2_000_000), available=UsdMicros(600_000), reason=reason)
    problem = error(why)
    assert isinstance(problem, InsufficientFunds)
    assert problem.facts["reason"] == refusals.reason(why) == reason
    assert problem.facts["remaining_usd"] == "0.600000"
    assert problem.facts["cheapest_feasible_model"] == "costs-600000"
    assert "has 0.600000 USD to spend, and this call may cost up to 2.000000 USD." in str(problem)
    assert "POST /v1/wallets/topup" in problem.sentence


def test_an_agent_that_was_paused_meanwhile_is_told_so() -> None:
    assert isinstance(error(NotActive()), AgentNotActive)
    assert refusals.reason(NotActive()) == "agent_not_active"
