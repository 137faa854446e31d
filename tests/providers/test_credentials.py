"""Several keys of one provider: in turn, without the refused ones, and never none at all."""

import logging

import pytest

from ainfera_server.errors import FailureReason, ProviderFailed
from ainfera_server.providers.credentials import SET_ASIDE_S_FIRST, SET_ASIDE_S_MAX, Credentials
from ainfera_server.providers.openai import OPENAI
from ainfera_server.providers.provider import Endpoint, NotAnEndpoint, endpoint
from tests.promises import proves

FIRST, SECOND, THIRD = (f"sk-canary-000000-{name}" for name in ("aaaa", "bbbb", "cccc"))
OFFER, ANOTHER = "gpt-5-5", "gpt-5-5-mini"


def of(*keys: str) -> Endpoint:
    found = endpoint(OPENAI, key=",".join(keys), base_url=None)
    assert found is not None
    return found


def failed(
    reason: FailureReason, *, status: int | None = None, after: int | None = None
) -> ProviderFailed:
    failure = ProviderFailed("It failed.", reason=reason, upstream_status=status)
    failure.retry_after_s = after
    return failure


def chosen(credentials: Credentials, at: Endpoint, *, now_s: float, offer: str = OFFER) -> str:
    return credentials.keyed(at, offer, now_s=now_s).api_key.revealed()


def chosen_of(credentials: Credentials, at: Endpoint, key: str, *, now_s: float) -> Endpoint:
    """The endpoint on the turn of this key."""
    for _ in at.every_key():
        keyed = credentials.keyed(at, OFFER, now_s=now_s)
        if keyed.api_key.revealed() == key:
            return keyed
    raise AssertionError(f"{key!r} has no turn")


def test_a_list_with_commas_is_several_keys_each_once() -> None:
    keys = of(FIRST, f" {SECOND} ", FIRST).every_key()
    assert [one.revealed() for one in keys] == [FIRST, SECOND]


@proves("secrets-stay")
@pytest.mark.parametrize("text", [f"{FIRST},", f",{FIRST}", f"{FIRST},,{SECOND}", f"{FIRST},a b"])
def test_a_list_with_a_hole_or_a_broken_key_is_refused_without_showing_a_key(text: str) -> None:
    with pytest.raises(NotAnEndpoint, match="OPENAI_API_KEY") as refused:
        endpoint(OPENAI, key=text, base_url=None)
    assert FIRST not in str(refused.value)


def test_keys_take_turns() -> None:
    credentials, at = Credentials(), of(FIRST, SECOND, THIRD)
    turns = [chosen(credentials, at, now_s=0.0) for _ in range(6)]
    assert turns == [FIRST, SECOND, THIRD] * 2


def test_a_refused_key_is_set_aside_for_every_offer_and_tried_again_after_a_while() -> None:
    credentials, at = Credentials(), of(FIRST, SECOND)
    used = chosen_of(credentials, at, FIRST, now_s=0.0)
    credentials.observe_failure(used, OFFER, failed("credential_refused", status=401), now_s=0.0)
    assert {chosen(credentials, at, now_s=1.0, offer=ANOTHER) for _ in range(4)} == {SECOND}
    assert credentials.healthy_keys(at, now_s=1.0) == 1
    later_s = SET_ASIDE_S_FIRST
    assert {chosen(credentials, at, now_s=later_s) for _ in range(4)} == {FIRST, SECOND}


def test_a_key_that_reached_its_limit_rests_for_that_offer_alone() -> None:
    credentials, at = Credentials(), of(FIRST, SECOND)
    used = chosen_of(credentials, at, FIRST, now_s=0.0)
    credentials.observe_failure(used, OFFER, failed("rate_limited", after=30), now_s=0.0)
    assert {chosen(credentials, at, now_s=29.0) for _ in range(4)} == {SECOND}
    assert {chosen(credentials, at, now_s=29.0, offer=ANOTHER) for _ in range(4)} == {FIRST, SECOND}
    assert credentials.healthy_keys(at, now_s=1.0) == 2
    assert {chosen(credentials, at, now_s=30.0) for _ in range(4)} == {FIRST, SECOND}


def test_a_later_shorter_wait_does_not_shorten_an_earlier_longer_one() -> None:
    credentials, at = Credentials(), of(FIRST, SECOND)
    used = chosen_of(credentials, at, FIRST, now_s=0.0)
    credentials.observe_failure(used, OFFER, failed("rate_limited", after=600), now_s=0.0)
    credentials.observe_failure(used, OFFER, failed("rate_limited", after=1), now_s=1.0)
    assert {chosen(credentials, at, now_s=599.0) for _ in range(4)} == {SECOND}


def test_when_no_key_is_left_the_one_that_is_free_first_is_used() -> None:
    credentials, at = Credentials(), of(FIRST, SECOND)
    for key, after in ((FIRST, 100), (SECOND, 10)):
        used = chosen_of(credentials, at, key, now_s=0.0)
        credentials.observe_failure(used, OFFER, failed("rate_limited", after=after), now_s=0.0)
    assert not credentials.has_free_key(at, OFFER, now_s=1.0)
    assert credentials.wait_s(at, OFFER, now_s=1.0) == 9.0
    assert chosen(credentials, at, now_s=1.0) == SECOND


def test_the_only_key_is_always_used() -> None:
    credentials, at = Credentials(), of(FIRST)
    credentials.observe_failure(at, OFFER, failed("credential_refused", status=401), now_s=0.0)
    assert chosen(credentials, at, now_s=1.0) == FIRST
    assert not credentials.has_free_key(at, OFFER, now_s=1.0)
    assert credentials.healthy_keys(at, now_s=1.0) == 0


@proves("secrets-stay")
def test_a_refused_key_is_told_once_by_its_last_four_characters_until_it_is_taken_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    credentials, at = Credentials(), of(FIRST)
    refused = failed("credential_refused", status=401)
    with caplog.at_level(logging.ERROR):
        for now_s in (0.0, 100.0, 1000.0):
            credentials.observe_failure(at, OFFER, refused, now_s=now_s)
        credentials.observe_success(at)
        credentials.observe_failure(at, OFFER, refused, now_s=2000.0)
    told = [vars(one) for one in caplog.records]
    assert [one["key_ends_in"] for one in told] == ["aaaa", "aaaa"]
    assert FIRST not in str(told)


def test_a_key_that_is_refused_again_and_again_is_tried_less_often_but_tried() -> None:
    credentials, at = Credentials(), of(FIRST)
    refused = failed("credential_refused", status=403)
    for _ in range(50):
        credentials.observe_failure(at, OFFER, refused, now_s=0.0)
    assert not credentials.has_free_key(at, OFFER, now_s=SET_ASIDE_S_MAX - 1)
    assert credentials.has_free_key(at, OFFER, now_s=SET_ASIDE_S_MAX)


def test_a_failure_that_is_not_about_the_key_says_nothing_about_it() -> None:
    credentials, at = Credentials(), of(FIRST, SECOND)
    for reason in ("unavailable", "timeout", "rejected", "malformed"):
        credentials.observe_failure(at, OFFER, failed(reason), now_s=0.0)
    assert credentials.healthy_keys(at, now_s=0.0) == 2
    assert credentials.has_free_key(at, OFFER, now_s=0.0)
