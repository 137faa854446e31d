"""The tree of errors: every kind has its name, its status, its sentence and its place."""

import inspect
import re
from collections.abc import Iterator
from typing import get_args

import pytest

from ainfera_server import errors
from ainfera_server.errors import (
    AinferaError,
    CapExceeded,
    FailureReason,
    IdempotencyInProgress,
    Internal,
    MoneyRefused,
    NoCandidate,
    ProviderFailed,
    RequestError,
)


def branches(branch: type[AinferaError]) -> Iterator[type[AinferaError]]:
    for one in branch.__subclasses__():
        yield one
        yield from branches(one)


EVERY = tuple(branches(AinferaError))
LEAVES = tuple(one for one in EVERY if not one.__subclasses__())


def test_the_drawing_of_the_tree_is_the_tree() -> None:
    drawn = re.findall(r"^[│ ]*[├└]── (\w+)", inspect.getdoc(errors) or "", re.MULTILINE)
    assert drawn == [one.__name__ for one in EVERY]


def test_no_two_leaves_share_a_kind_but_for_what_is_named_by_its_rule() -> None:
    kinds = [one.kind for one in LEAVES if one is not NoCandidate]
    assert len(kinds) == len(set(kinds))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", kind) for kind in kinds)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda one: one.__name__)
def test_a_status_is_of_the_class_that_its_branch_says(leaf: type[AinferaError]) -> None:
    is_ours = not issubclass(leaf, RequestError | MoneyRefused) or leaf is errors.NotBuilt
    assert leaf.status // 100 == (5 if is_ours else 4)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda one: one.__name__)
def test_every_leaf_says_what_it_means(leaf: type[AinferaError]) -> None:
    assert (leaf.__doc__ or "").split("\n\n")[0].rstrip().endswith(".")


def test_an_error_carries_its_sentence_and_its_facts() -> None:
    problem = errors.Invalid("The key is too long.", param="key")
    assert str(problem) == problem.sentence == "The key is too long."
    assert problem.facts == {"param": "key"}
    assert (problem.code, problem.retry_after_s) == ("invalid_request", None)


@pytest.mark.parametrize("rule", ["no_candidate_clears_floor", "no_candidate_enrolled"])
def test_a_refused_choice_is_named_by_the_rule_that_fired(rule: str) -> None:
    problem = NoCandidate("Nobody.", rule=rule)  # pyright: ignore[reportArgumentType]
    assert problem.code == rule


def test_a_broken_cap_says_which() -> None:
    problem = CapExceeded("Too much.", reason="daily_cap_exceeded", remaining_usd="0.10")
    assert (problem.code, problem.reason) == ("spend_policy_exceeded", "daily_cap_exceeded")
    assert problem.facts == {"remaining_usd": "0.10"}


@pytest.mark.parametrize("reason", get_args(FailureReason))
def test_another_offer_is_worth_asking_unless_the_vendor_refused_the_request(
    reason: FailureReason,
) -> None:
    problem = ProviderFailed("It failed.", reason=reason)
    assert problem.is_worth_another_offer == (reason != "rejected")
    assert (problem.upstream_body, problem.upstream_headers) == (b"", {})


def test_what_is_ours_to_mend_and_what_only_has_to_wait_are_different_kinds() -> None:
    assert not issubclass(Internal, RequestError)
    assert issubclass(IdempotencyInProgress, RequestError)
    assert IdempotencyInProgress.status == 409
