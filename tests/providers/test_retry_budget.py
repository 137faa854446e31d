"""Asking again is a share of the traffic, so that a provider in trouble is not asked thrice."""

from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.providers.retry_budget import RESERVE, RETRIES_OF_CALLS, RetryBudget
from tests.promises import proves

PROVIDER = "mistral"


@proves("retries-are-bounded")
@given(st.integers(0, 2000))
def test_retries_are_at_most_a_fifth_of_the_calls_beyond_the_reserve(calls: int) -> None:
    budget = RetryBudget()
    made = 0
    for _ in range(calls):
        budget.note_call(PROVIDER)
        made += budget.takes(PROVIDER) + budget.takes(PROVIDER)
    assert made <= RESERVE + calls / RETRIES_OF_CALLS
    assert budget.made.get(PROVIDER, 0) == made
    assert budget.refused.get(PROVIDER, 0) == 2 * calls - made


def test_quiet_times_save_up_no_more_than_the_reserve() -> None:
    budget = RetryBudget()
    for _ in range(10_000):
        budget.note_call(PROVIDER)
    assert sum(budget.takes(PROVIDER) for _ in range(100)) == RESERVE


def test_each_provider_has_a_budget_of_its_own() -> None:
    budget = RetryBudget()
    while budget.takes(PROVIDER):
        pass
    assert budget.takes("another")
