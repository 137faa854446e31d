"""What we remember of an offer helps to choose, and one bad moment is not held against it."""

from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.errors import FailureReason, ProviderFailed
from ainfera_server.providers.health import COOLDOWN_S_MAX, FAILURES_BEFORE_COOLING, Health

OFFER = "gpt-5-5"


def failed(reason: FailureReason, *, retry_after_s: int | None = None) -> ProviderFailed:
    failure = ProviderFailed("It failed.", reason=reason)
    failure.retry_after_s = retry_after_s
    return failure


def test_an_offer_that_was_never_tried_is_well_and_of_unknown_speed() -> None:
    health = Health()
    assert health.expected_latency_ms(OFFER) is None
    assert not health.is_cooling(OFFER, now_s=0.0)


def test_the_first_answer_sets_the_expected_latency_and_later_ones_move_it() -> None:
    health = Health()
    health.observe_success(OFFER, latency_ms=1000)
    assert health.expected_latency_ms(OFFER) == 1000
    health.observe_success(OFFER, latency_ms=2000)
    assert health.expected_latency_ms(OFFER) == 1200


def test_an_offer_cools_for_as_long_as_its_provider_asks() -> None:
    health = Health()
    health.observe_failure(OFFER, failed("rate_limited", retry_after_s=30), now_s=100.0)
    assert health.is_cooling(OFFER, now_s=129.9)
    assert not health.is_cooling(OFFER, now_s=130.0)


def test_a_wait_of_zero_seconds_is_no_cooldown() -> None:
    health = Health()
    health.observe_failure(OFFER, failed("rate_limited", retry_after_s=0), now_s=100.0)
    assert not health.is_cooling(OFFER, now_s=100.0)


def test_a_single_breakage_does_not_cool_an_offer_and_several_in_a_row_do() -> None:
    health = Health()
    for _ in range(FAILURES_BEFORE_COOLING - 1):
        health.observe_failure(OFFER, failed("unavailable"), now_s=100.0)
    assert not health.is_cooling(OFFER, now_s=100.0)
    health.observe_failure(OFFER, failed("timeout"), now_s=100.0)
    assert health.is_cooling(OFFER, now_s=100.0)


def test_an_answer_ends_the_row_of_failures() -> None:
    health = Health()
    for _ in range(10):
        health.observe_failure(OFFER, failed("unavailable"), now_s=0.0)
        health.observe_success(OFFER, latency_ms=10)
    assert not health.is_cooling(OFFER, now_s=0.0)


def test_a_question_that_was_refused_says_nothing_about_the_offer() -> None:
    health = Health()
    for _ in range(10):
        health.observe_failure(OFFER, failed("rejected"), now_s=0.0)
    assert not health.is_cooling(OFFER, now_s=0.0)


def test_one_offers_failures_are_not_held_against_another() -> None:
    health = Health()
    health.observe_failure(OFFER, failed("rate_limited", retry_after_s=30), now_s=0.0)
    assert not health.is_cooling("another", now_s=0.0)


REASONS = st.sampled_from(["rate_limited", "unavailable", "credential_refused", "rejected"])
WAITS = st.none() | st.integers(0, 3600)


@given(st.lists(st.tuples(REASONS, WAITS, st.booleans()), max_size=30))
def test_nothing_that_happens_later_shortens_a_cooldown(
    happenings: list[tuple[FailureReason, int | None, bool]],
) -> None:
    health = Health()
    health.observe_failure(OFFER, failed("rate_limited", retry_after_s=600), now_s=0.0)
    for now_s, (reason, wait_s, is_success) in enumerate(happenings):
        if is_success:
            health.observe_success(OFFER, latency_ms=5)
        else:
            failure = failed(reason, retry_after_s=wait_s)
            health.observe_failure(OFFER, failure, now_s=float(now_s))
        assert health.is_cooling(OFFER, now_s=599.9)


@given(st.integers(1, 2000))
def test_a_cooldown_that_nobody_named_has_an_end(failures: int) -> None:
    health = Health()
    for _ in range(failures):
        health.observe_failure(OFFER, failed("unavailable"), now_s=0.0)
    assert not health.is_cooling(OFFER, now_s=COOLDOWN_S_MAX)
