"""Reasoning goes back to its maker alone."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.conversation import Dialect, Thinking
from ainfera_server.dialects import signatures

DIALECTS: tuple[Dialect, ...] = get_args(Dialect)


@pytest.mark.parametrize("dialect", ["openai_chat", "openai_responses", "native"])
@given(text=st.text())
def test_a_marked_signature_is_its_makers_and_comes_back_whole(dialect: Dialect, text: str) -> None:
    signature = signatures.marked(dialect, text)
    assert signatures.maker(signature) == dialect
    assert signatures.unmarked(signature) == text
    thinking = Thinking(text="Hm.", signature=signature)
    assert [one for one in DIALECTS if signatures.is_signed_by(one, thinking)] == [dialect]


@given(st.from_regex(r"[A-Za-z0-9+/]+=*", fullmatch=True))
def test_a_signature_without_a_mark_is_anthropics(signature: str) -> None:
    thinking = Thinking(text="Hm.", signature=signature)
    signers = [one for one in DIALECTS if signatures.is_signed_by(one, thinking)]
    assert signers == ["anthropic_messages"]


def test_reasoning_that_nobody_signed_goes_back_to_nobody_and_hidden_one_to_anthropic() -> None:
    unsigned, hidden = Thinking(text="Hm."), Thinking(text="", redacted="Emw")
    assert not any(signatures.is_signed_by(one, unsigned) for one in DIALECTS)
    signers = [one for one in DIALECTS if signatures.is_signed_by(one, hidden)]
    assert signers == ["anthropic_messages"]
