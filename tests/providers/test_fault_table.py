"""The table of every way in which a provider can fail us, and the tests of each, wherever."""

import ast
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WIRE = "providers/test_fault_matrix.py"
TRANSPORT = "providers/test_transport_failures.py"
FALLBACK = "inference/test_fallback.py"
KEYS = "providers/test_credentials.py"
LAST = "providers/test_tried_last.py"
LIES = "inference/test_upstream_lies.py"

MATRIX: Mapping[str, tuple[str, ...]] = {
    "F1 refuses the connection": (
        f"{WIRE}::test_nobody_there_is_unreachable_at_once",
        f"{WIRE}::test_the_next_offer_answers_whatever_happens_before_the_first_word",
    ),
    "F2 never takes the connection": (
        f"{WIRE}::test_a_connection_that_is_never_taken_ends_at_its_deadline",
    ),
    "F3 has a wrong or an old certificate": (
        f"{WIRE}::test_a_certificate_that_is_not_right_ends_the_call_before_the_key_is_sent",
        f"{TRANSPORT}::test_a_server_that_does_not_speak_tls_is_unreachable",
    ),
    "F4 takes the question and never answers": (
        f"{WIRE}::test_a_fault_ends_in_time_and_for_its_reason",
        f"{FALLBACK}::test_a_provider_that_says_nothing_is_left_for_the_next",
    ),
    "F5 sends headers, then nothing": (
        f"{WIRE}::test_a_fault_ends_in_time_and_for_its_reason",
        f"{TRANSPORT}::test_silence_after_the_headers_ends_at_the_first_bytes_deadline",
    ),
    "F6 stalls in the middle": (
        f"{WIRE}::test_a_fault_ends_in_time_and_for_its_reason",
        f"{FALLBACK}::test_a_stream_that_stalls_ends_with_an_error_when_its_time_is_over",
    ),
    "F7 resets the connection in the middle": (
        f"{WIRE}::test_a_fault_ends_in_time_and_for_its_reason",
        f"{FALLBACK}::test_after_its_first_words_no_other_model_continues_an_answer",
    ),
    "F8 ends cleanly without its last event": (
        "providers/test_every_provider.py::test_a_stream_without_its_end_is_never_a_whole_answer",
        f"{FALLBACK}::test_after_its_first_words_no_other_model_continues_an_answer",
    ),
    "F9 half-closes, or sends late bytes": (
        f"{WIRE}::test_what_comes_after_a_whole_answer_harms_neither_it_nor_the_next",
        f"{TRANSPORT}::test_what_follows_the_end_of_an_answer_is_not_waited_for_long",
    ),
    "F10 answers with an error status": (
        f"{WIRE}::test_an_error_status_leaves_the_call_to_the_next_offer",
        "providers/test_every_provider.py::test_a_status_means_the_same_whoever_answers_with_it",
        "clients/test_upstream_failures.py::test_the_openai_client_raises_what_openai_said",
        "clients/test_upstream_failures.py::test_the_anthropic_client_raises_what_anthropic_said",
        "providers/test_tried_last.py::test_a_provider_is_not_asked_again_once_its_budget_is_spent",
    ),
    "F11 is too busy, for as long as it likes": (
        f"{WIRE}::test_how_long_to_stay_away_is_understood_in_every_form",
        "providers/test_health.py::test_nothing_that_happens_later_shortens_a_cooldown",
        f"{FALLBACK}::test_a_provider_that_asks_for_a_long_wait_is_left_at_once",
    ),
    "F12 refuses our key": (
        f"{LAST}::test_our_refused_key_never_looks_like_the_callers",
        f"{LAST}::test_a_key_that_is_refused_makes_way_for_the_next_within_the_same_call",
        f"{KEYS}::test_a_refused_key_is_set_aside_for_every_offer_and_tried_again_after_a_while",
    ),
    "F13 answers with what is no answer": (
        f"{WIRE}::test_what_is_no_answer_is_a_failure",
        f"{LIES}::test_what_is_no_answer_is_a_failure_and_the_next_offer_answers",
    ),
    "F14 sends events that are none": (
        "test_sse.py::test_events_are_those_of_the_standard_wherever_the_chunks_end",
        "test_sse.py::test_an_event_without_an_end_is_given_up",
        "dialects/test_any_stream.py::test_a_stream_reads_back_as_it_was_however_it_is_cut",
        f"{WIRE}::test_a_broken_event_breaks_the_answer",
    ),
    "F15 drips": (
        f"{WIRE}::test_a_fault_ends_in_time_and_for_its_reason",
        f"{TRANSPORT}::test_an_answer_that_drips_for_ever_ends_at_the_total_deadline",
    ),
    "F16 packs its body, or a bomb": (
        f"{TRANSPORT}::test_a_packed_answer_is_unpacked",
        f"{TRANSPORT}::test_a_body_that_cannot_be_unpacked_is_malformed",
        f"{TRANSPORT}::test_an_answer_is_measured_as_it_is_unpacked_and_refused_when_too_large",
    ),
    "F17 redirects": (
        f"{TRANSPORT}::test_a_redirect_is_not_followed_because_it_would_take_the_key_along",
    ),
    "F18 counts what cannot be": (
        f"{LIES}::test_whatever_usage_is_reported_the_charge_is_between_nothing_and_the_hold",
        "providers/test_every_provider.py::test_no_usage_is_told_as_not_known_and_not_as_none_used",
    ),
}


def test_every_fault_has_its_tests_and_they_are_there() -> None:
    assert [name.split()[0] for name in MATRIX] == [f"F{number}" for number in range(1, 19)]
    missing = [one for tests in MATRIX.values() for one in tests if not is_there(one)]
    assert missing == []


def is_there(reference: str) -> bool:
    """Whether `file::name` is a test."""
    file, _, name = reference.partition("::")
    path = ROOT / "tests" / file
    if not path.is_file():
        return False
    tree = ast.parse(path.read_text())
    return any(getattr(one, "name", None) == name for one in ast.walk(tree))
