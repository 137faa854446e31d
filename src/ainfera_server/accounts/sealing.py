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
    assert len(nonce) == NONCE_BYTES, "a nonce is twelve bytes"
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, secret, purpose)).decode("ascii")


def unseal(sealed: str, *, key: bytes, purpose: bytes) -> bytes:
    """Decrypt a secret. Raises NotSealed."""
    try:
        octets = base64.b64decode(sealed, validate=True)
        return AESGCM(key).decrypt(octets[:NONCE_BYTES], octets[NONCE_BYTES:], purpose)
    except (InvalidTag, binascii.Error, ValueError) as problem:
        raise NotSealed("this is not sealed with our key for this purpose") from problem
