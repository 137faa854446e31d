"""Secrets that we must be able to read again, encrypted where they are kept (AES-256-GCM)."""

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
"""Random, and never used twice with one key: 2^32 secrets may be sealed safely."""


class NotSealed(ValueError):
    """The text was changed, was sealed for something else, or was sealed with another key."""


def seal(secret: bytes, *, key: bytes, nonce: bytes, purpose: bytes) -> str:
    """Encrypt a secret; it opens only with the same key and for the same purpose."""
    octets = seal_octets(secret, key=key, nonce=nonce, purpose=purpose)
    return base64.b64encode(octets).decode("ascii")


def unseal(sealed: str, *, key: bytes, purpose: bytes) -> bytes:
    """Decrypt a secret. Raises NotSealed."""
    try:
        octets = base64.b64decode(sealed, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise _not_sealed() from problem
    return unseal_octets(octets, key=key, purpose=purpose)


def seal_octets(secret: bytes, *, key: bytes, nonce: bytes, purpose: bytes) -> bytes:
    """As `seal`, for what is kept as bytes because it is large."""
    assert len(nonce) == NONCE_BYTES, "a nonce is twelve bytes"
    return nonce + AESGCM(key).encrypt(nonce, secret, purpose)


def unseal_octets(octets: bytes, *, key: bytes, purpose: bytes) -> bytes:
    """Decrypt what was sealed as bytes. Raises NotSealed."""
    try:
        return AESGCM(key).decrypt(octets[:NONCE_BYTES], octets[NONCE_BYTES:], purpose)
    except (InvalidTag, ValueError) as problem:
        raise _not_sealed() from problem


def _not_sealed() -> NotSealed:
    return NotSealed("this is not sealed with our key for this purpose")
