"""What we remember of an offer helps to choose, and one bad moment is not held against it."""

from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.errors import FailureReason, ProviderFailed
from ainfera_server.providers.health import (
    COOLDOWN_S_MAX,
    COOLDOWN_S_OF_SHARE,
    FAILURES_BEFORE_COOLING,
    LATENCIES_KEPT,
    PROBE_S_MAX,
    WINDOW_CALLS_MIN,
    WINDOW_S,
    Health,
)

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
    health.observe_success(OFFER, latency_ms=1000, now_s=0.0)
    assert health.expected_latency_ms(OFFER) == 1000
    health.observe_success(OFFER, latency_ms=2000, now_s=0.0)
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
        health.observe_success(OFFER, latency_ms=10, now_s=0.0)
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
            health.observe_success(OFFER, latency_ms=5, now_s=float(now_s))
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


def half_of_them_fail(health: Health, *, calls: int, now_s: float) -> None:
    """Answers and failures by turns, so that none follows another."""
    for number in range(calls):
        if number % 2 == 0:
            health.observe_success(OFFER, latency_ms=10, now_s=now_s)
        else:
            health.observe_failure(OFFER, failed("unavailable"), now_s=now_s)


def test_an_offer_that_fails_half_of_the_time_cools_once_there_is_enough_to_say_so() -> None:
    health = Health()
    half_of_them_fail(health, calls=WINDOW_CALLS_MIN - 1, now_s=100.0)
    assert not health.is_cooling(OFFER, now_s=100.0)
    health.observe_failure(OFFER, failed("unavailable"), now_s=100.0)
    assert health.is_cooling(OFFER, now_s=100.0 + COOLDOWN_S_OF_SHARE - 0.1)


def test_failures_of_an_earlier_half_minute_count_no_more() -> None:
    health = Health()
    half_of_them_fail(health, calls=WINDOW_CALLS_MIN - 1, now_s=100.0)
    health.observe_failure(OFFER, failed("unavailable"), now_s=100.0 + WINDOW_S)
    assert not health.is_cooling(OFFER, now_s=100.0 + WINDOW_S)
    standing = health.standing(OFFER, now_s=100.0 + WINDOW_S)
    assert standing is not None
    assert standing.failure_share == 1.0


def test_after_its_cooldown_one_probe_goes_to_an_offer_and_the_others_ask_it_last() -> None:
    health = Health()
    health.observe_failure(OFFER, failed("rate_limited", retry_after_s=30), now_s=0.0)
    assert not health.lets_through(OFFER, now_s=29.9)
    assert breaker(health, now_s=29.9) == "open"
    assert breaker(health, now_s=30.0) == "half_open"
    assert health.lets_through(OFFER, now_s=30.0)
    assert not health.lets_through(OFFER, now_s=30.0)


def test_a_probe_that_is_answered_closes_the_breaker() -> None:
    health = Health()
    health.observe_failure(OFFER, failed("rate_limited", retry_after_s=30), now_s=0.0)
    assert health.lets_through(OFFER, now_s=30.0)
    health.observe_success(OFFER, latency_ms=10, now_s=31.0)
    assert breaker(health, now_s=31.0) == "closed"
    assert health.lets_through(OFFER, now_s=31.0)
    assert health.lets_through(OFFER, now_s=31.0)


def test_a_probe_that_fails_opens_the_breaker_again() -> None:
    health = Health()
    health.observe_failure(OFFER, failed("rate_limited", retry_after_s=30), now_s=0.0)
    assert health.lets_through(OFFER, now_s=30.0)
    health.observe_failure(OFFER, failed("incomplete"), now_s=31.0)
    assert breaker(health, now_s=31.0) == "open"
    assert not health.lets_through(OFFER, now_s=31.0)


def test_a_probe_that_was_refused_as_a_question_lets_the_next_one_through() -> None:
    health = Health()
    health.observe_failure(OFFER, failed("rate_limited", retry_after_s=30), now_s=0.0)
    assert health.lets_through(OFFER, now_s=30.0)
    health.observe_failure(OFFER, failed("rejected"), now_s=31.0)
    assert health.lets_through(OFFER, now_s=31.0)


def test_a_probe_that_nobody_heard_of_again_does_not_block_for_ever() -> None:
    health = Health()
    health.observe_failure(OFFER, failed("rate_limited", retry_after_s=30), now_s=0.0)
    assert health.lets_through(OFFER, now_s=30.0)
    assert not health.lets_through(OFFER, now_s=30.0 + PROBE_S_MAX - 0.1)
    assert health.lets_through(OFFER, now_s=30.0 + PROBE_S_MAX)


def test_how_fast_an_offer_is_comes_from_its_last_answers_only() -> None:
    health = Health()
    for _ in range(10 * LATENCIES_KEPT):
        health.observe_success(OFFER, latency_ms=9000, now_s=0.0)
    for number in range(LATENCIES_KEPT):
        health.observe_success(OFFER, latency_ms=number, now_s=1.0)
    standing = health.standing(OFFER, now_s=1.0)
    assert standing is not None
    assert (standing.latency_ms_p50, standing.latency_ms_p95) == (32, 60)


def test_nothing_is_said_of_an_offer_that_was_never_asked() -> None:
    health = Health()
    assert health.standing(OFFER, now_s=0.0) is None
    assert list(health.standings(now_s=0.0)) == []


@given(st.lists(st.tuples(REASONS, st.floats(0, 1000)), max_size=200))
def test_an_offer_is_let_through_again_however_it_failed(
    happenings: list[tuple[FailureReason, float]],
) -> None:
    health = Health()
    for reason, now_s in sorted(happenings, key=lambda one: one[1]):
        health.observe_failure(OFFER, failed(reason), now_s=now_s)
    assert health.lets_through(OFFER, now_s=1000 + COOLDOWN_S_MAX)


def breaker(health: Health, *, now_s: float) -> str:
    """The state of the offer's breaker."""
    standing = health.standing(OFFER, now_s=now_s)
    assert standing is not None
    return standing.breaker
