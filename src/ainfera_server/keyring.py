"""The server's own secrets: one root, made at the first start, and a key derived for each use."""

import contextlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ROOT_BYTES = 32


class BadSecret(ValueError):
    """The root secret cannot be read, or is not 64 hex digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """One key for each use, so that none can stand in for another."""

    api_key_pepper: bytes = field(repr=False)
    sealing_key: bytes = field(repr=False)
    signing_seed: bytes = field(repr=False)
    log_seed: bytes = field(repr=False)
    body_hash_key: bytes = field(repr=False)


def derived(root: bytes) -> Keyring:
    """Derive every key from the root (HKDF, RFC 5869)."""
    return Keyring(
        api_key_pepper=_key(root, b"ainfera api key pepper"),
        sealing_key=_key(root, b"ainfera sealing"),
        signing_seed=_key(root, b"ainfera event and receipt signatures"),
        log_seed=_key(root, b"ainfera public log checkpoints"),
        body_hash_key=_key(root, b"ainfera bodies of idempotency keys"),
    )


def parse_root(text: str) -> bytes:
    """Read a root secret as hex digits. Raises BadSecret."""
    try:
        root = bytes.fromhex(text.strip())
    except ValueError:
        raise BadSecret("the secret is not written in hex digits") from None
    if len(root) != ROOT_BYTES:
        raise BadSecret(f"the secret must be {2 * ROOT_BYTES} hex digits long")
    return root


def kept_root(data_dir: Path) -> bytes:
    """Read the root secret of a data folder, or make it, readable by its owner alone.

    It appears whole or not at all, and of two processes that make it one wins.
    """
    path = data_dir / "secret"
    if not path.exists():
        fresh = data_dir / f"secret.{os.getpid()}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(ROOT_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(fresh)
        fresh.unlink()
    return parse_root(path.read_text(encoding="ascii"))


def _key(root: bytes, label: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=label).derive(root)
