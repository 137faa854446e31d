"""Signatures under events and receipts: Ed25519, from one key of the server's."""

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHM = "Ed25519"
PREFIX = "ed25519:"


class NotAPublicKey(ValueError):
    """A text is no Ed25519 key in PEM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Signs with a key that nobody else sees; `public_key_pem` is what others verify with."""

    key_id: str
    public_key_pem: str
    sign: Callable[[bytes], bytes] = field(repr=False)


def signer(seed: bytes) -> Signer:
    """Make the signer whose key grows from these 32 bytes."""
    private_key = Ed25519PrivateKey.from_private_bytes(seed)
    public_key = private_key.public_key()
    return Signer(key_id=key_id(public_key), public_key_pem=pem(public_key), sign=private_key.sign)


def key_id(public_key: Ed25519PublicKey) -> str:
    """Name a key by the first 16 hex digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(public_key.public_bytes_raw()).hexdigest()[:16]


def pem(public_key: Ed25519PublicKey) -> str:
    """Write a key as everybody reads it."""
    octets = public_key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return octets.decode("ascii")


def signature(by: Signer, message: bytes) -> str:
    """Sign, and write the signature as text: `ed25519:` and base64."""
    return PREFIX + base64.b64encode(by.sign(message)).decode("ascii")


@lru_cache(maxsize=256)
def public_key(public_key_pem: str) -> Ed25519PublicKey:
    """Read a key; the same few verify everything, so they are remembered. Raises NotAPublicKey."""
    try:
        key = serialization.load_pem_public_key(public_key_pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise NotAPublicKey("the text is no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise NotAPublicKey("the key is not an Ed25519 key")
    return key


def is_signature(text: str, *, message: bytes, public_key_pem: str) -> bool:
    """Whether this text is the key's signature under the message; anything odd is not."""
    if not text.startswith(PREFIX):
        return False
    written = text.removeprefix(PREFIX)
    try:
        octets = base64.b64decode(written, validate=True)
        public_key(public_key_pem).verify(octets, message)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    # The last character of base64 has bits that decoding ignores: one spelling is the signature.
    return base64.b64encode(octets).decode("ascii") == written
