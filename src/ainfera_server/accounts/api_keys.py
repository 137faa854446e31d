"""API keys: `ainfera_`, the key's public id, `_`, the secret; only a keyed hash is kept."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Literal, NewType

from ainfera_server.identifiers import Cell

KeyId = NewType("KeyId", str)
"""Sixteen hex digits; the first two are the cell, so a key says where to look it up."""

KeyScope = Literal["owner", "inference"]
"""What a key may do: all that its tenant may, or ask for its own agent and read."""

PREFIX = "ainfera_"
RANDOM_BYTES = 39
"""How much randomness `make` asks for: 7 bytes for the id, 32 for the secret."""
PRESENTED_CHARACTERS_MAX = 200

_PRESENTED = re.compile(
    rf"{PREFIX}(?P<key_id>[0-9a-f]{{16}})_(?P<secret>[A-Za-z0-9_-]{{43}})", re.ASCII
)
_NO_KEY = "0" * 64
"""Compared with when there is no such key, so that the answer takes as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key just made; `presented` is shown to its owner once and then forgotten."""

    key_id: KeyId
    presented: str = field(repr=False)
    secret_hash: str
    last_four: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """A key as a caller sent it: well formed, and not yet believed."""

    key_id: KeyId
    secret: str = field(repr=False)

    @property
    def cell(self) -> Cell:
        """Where the key would be kept."""
        return Cell(int(self.key_id[:2], 16))


def make(*, cell: Cell, random: bytes, pepper: bytes) -> NewKey:
    """Make a key out of random bytes."""
    assert len(random) == RANDOM_BYTES, "a key takes exactly 39 random bytes"
    key_id = KeyId(bytes([cell]).hex() + random[:7].hex())
    secret = base64.urlsafe_b64encode(random[7:]).decode("ascii").rstrip("=")
    return NewKey(
        key_id=key_id,
        presented=f"{PREFIX}{key_id}_{secret}",
        secret_hash=secret_hash(secret, pepper),
        last_four=secret[-4:],
    )


def parse(text: str) -> Presented | None:
    """Read what a caller sent; None when it cannot be a key, without asking any database."""
    if len(text) > PRESENTED_CHARACTERS_MAX:
        return None
    match = _PRESENTED.fullmatch(text)
    if match is None:
        return None
    return Presented(key_id=KeyId(match["key_id"]), secret=match["secret"])


def matches(presented: Presented, stored_hash: str | None, pepper: bytes) -> bool:
    """Whether the secret is the one on record; `stored_hash` None is a key nobody has."""
    found = hmac.compare_digest(secret_hash(presented.secret, pepper), stored_hash or _NO_KEY)
    return found and stored_hash is not None


def secret_hash(secret: str, pepper: bytes) -> str:
    """What is kept of a secret: without the pepper it cannot even be guessed at."""
    return hmac.new(pepper, secret.encode("ascii"), hashlib.sha256).hexdigest()
