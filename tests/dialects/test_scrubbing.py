"""What looks like a secret is not shown, and what callers say is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.dialects import scrubbing


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-4f9aQ2bC7dE1fG3h",
        "sk-ant-********************abcd",
        "gsk_4f9aQ2bC7dE1",
        "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
        "0123456789abcdef0123456789abcdef",
        "ainfera_Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZmc",
        "Bearer abc.def",
        "org-4f9aQ2bC7dE1fG3h5J",
    ],
)
def test_a_secret_is_found_and_removed(secret: str) -> None:
    text = f"bad header: {secret} (check)"
    assert scrubbing.holds_a_secret(text)
    assert scrubbing.without_secrets(text, characters_max=200) == "bad header: [removed] (check)"


@pytest.mark.parametrize(
    "text",
    [
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        "prompt is too long: 205000 tokens > 200000 maximum",
        "tool_use ids were found without tool_result blocks: toolu_01A09q90qw90lq917835lq9",
        "key-value pairs and org-wide limits, sk-based or not",
        "req_011CSHoEeqs5C35K2UUqR7Fy",
        "0b7e6c1e-0000-7000-8000-000000000001",
    ],
)
def test_the_words_by_which_clients_mend_their_requests_stay(text: str) -> None:
    assert not scrubbing.holds_a_secret(text)
    assert scrubbing.without_secrets(text, characters_max=200) == text


@given(st.text(max_size=60), st.text(max_size=60), st.integers(0, 100))
def test_no_cut_leaves_half_a_key(before: str, after: str, limit: int) -> None:
    key = "sk-proj-4f9aQ2bC7dE1fG3h"
    shown = scrubbing.without_secrets(f"{before} {key} {after}", characters_max=limit)
    assert len(shown) <= limit
    assert key[:12] not in shown
