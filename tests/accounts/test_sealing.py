"""What is sealed opens with its key, for its purpose, unchanged; otherwise not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.accounts import sealing
from ainfera_server.accounts.sealing import NotSealed

KEY = b"k" * 32
NONCE = b"n" * 12


@given(st.binary())
def test_a_secret_opens_as_it_was_sealed(secret: bytes) -> None:
    sealed = sealing.seal(secret, key=KEY, nonce=NONCE, purpose=b"card")
    assert sealing.unseal(sealed, key=KEY, purpose=b"card") == secret


def test_a_secret_does_not_open_for_another_purpose_or_key() -> None:
    sealed = sealing.seal(b"secret", key=KEY, nonce=NONCE, purpose=b"card of one")
    with pytest.raises(NotSealed):
        sealing.unseal(sealed, key=KEY, purpose=b"card of another")
    with pytest.raises(NotSealed):
        sealing.unseal(sealed, key=b"l" * 32, purpose=b"card of one")


@pytest.mark.parametrize("text", ["", "AAAA", "no base64!", "A" * 64])
def test_a_text_that_was_never_sealed_does_not_open(text: str) -> None:
    with pytest.raises(NotSealed):
        sealing.unseal(text, key=KEY, purpose=b"card")
