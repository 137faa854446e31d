"""Signatures hold for one key and one message, and anything else is refused, never raised."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ainfera_server.audit import signing

SIGNER = signing.signer(bytes(range(32)))


def test_a_key_is_named_by_the_hash_of_its_public_half() -> None:
    key = serialization.load_pem_public_key(SIGNER.public_key_pem.encode())
    assert isinstance(key, Ed25519PublicKey)
    assert signing.key_id(key) == SIGNER.key_id
    assert len(SIGNER.key_id) == 16
    assert signing.signer(bytes(range(32))).key_id == SIGNER.key_id


def test_a_signature_holds_for_its_own_message_only() -> None:
    text = signing.signature(SIGNER, b"message")
    assert text.startswith("ed25519:")
    pem = SIGNER.public_key_pem
    assert signing.is_signature(text, message=b"message", public_key_pem=pem)
    assert not signing.is_signature(text, message=b"massage", public_key_pem=pem)


@pytest.mark.parametrize(
    "text", ["", "ed25519:", "ed25519:???", "ed25519:AAAA", "rsa:AAAA", "ed25519:é"]
)
def test_a_text_that_is_no_signature_is_refused(text: str) -> None:
    assert not signing.is_signature(text, message=b"m", public_key_pem=SIGNER.public_key_pem)


def test_a_signer_does_not_show_its_key() -> None:
    assert "sign=" not in repr(SIGNER)
