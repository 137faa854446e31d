"""A key opens what it was made for; everything else is refused before any lookup."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.accounts import api_keys
from ainfera_server.identifiers import Cell
from tests.promises import proves

PEPPER = b"p" * 32
RANDOM = bytes(range(39))
KEY = api_keys.make(cell=Cell(0x2A), random=RANDOM, pepper=PEPPER)


@given(st.binary(min_size=39, max_size=39), st.integers(0, 255))
def test_a_key_is_read_back_and_matches_itself(random: bytes, cell: int) -> None:
    key = api_keys.make(cell=Cell(cell), random=random, pepper=PEPPER)
    presented = api_keys.parse(key.presented)
    assert presented is not None
    assert presented.cell == cell
    assert presented.key_id == key.key_id
    assert api_keys.matches(presented, key.secret_hash, PEPPER)
    assert key.presented.endswith(key.last_four)


def test_a_key_says_where_it_lives_and_begins_with_our_name() -> None:
    assert KEY.presented.startswith("ainfera_2a")
    assert len(KEY.presented) == len("ainfera_") + 16 + 1 + 43


def test_another_secret_pepper_or_nothing_on_record_does_not_match() -> None:
    presented = api_keys.parse(KEY.presented)
    assert presented is not None
    other = api_keys.make(cell=Cell(0x2A), random=bytes(39), pepper=PEPPER)
    assert not api_keys.matches(presented, other.secret_hash, PEPPER)
    assert not api_keys.matches(presented, KEY.secret_hash, b"q" * 32)
    assert not api_keys.matches(presented, None, PEPPER)


def test_nobody_matches_the_key_that_stands_for_no_key() -> None:
    presented = api_keys.parse(KEY.presented)
    assert presented is not None
    assert not api_keys.matches(presented, "", PEPPER)


@proves("no-key-no-lookup")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "ainfera_",
        "Bearer " + KEY.presented,
        KEY.presented + " ",
        KEY.presented + "\n",
        KEY.presented[:-1],
        KEY.presented + "A",
        KEY.presented.upper(),
        KEY.presented.replace("ainfera_", "ai_infera_"),
        "ainfera_٢a" + KEY.presented[10:],
        "ainfera_" + "a" * 1_000_000,
        "' or 1=1 --",
    ],
)
def test_a_text_that_cannot_be_a_key_is_refused_without_a_lookup(text: str) -> None:
    assert api_keys.parse(text) is None


def test_a_key_is_not_shown_by_accident() -> None:
    secret = KEY.presented[-43:]
    assert secret not in repr(KEY)
    assert secret not in repr(api_keys.parse(KEY.presented))
