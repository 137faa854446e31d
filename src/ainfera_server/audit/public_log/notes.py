"""Signed notes, checkpoints and cosignatures, as C2SP defines them: text in, text out.

https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint, https://c2sp.org/tlog-cosignature
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ainfera_server.audit.public_log import merkle
from ainfera_server.audit.signing import Signer

ED25519 = 0x01
"""The kind of key that signs the text of a note: the log's own."""

COSIGNATURE = 0x04
"""The kind of key that signs a checkpoint and a time: a witness's."""

KEY_BYTES = 32
KEY_ID_BYTES = 4
SIGNATURE_BYTES = 64
TIME_BYTES = 8
NOTE_BYTES_MAX = 64 * 1024
SIGNATURES_MAX = 64
NAME_LENGTH_MAX = 255

SIGNATURE_MARK = "\u2014 "
NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
KEY_ID = re.compile(r"[0-9a-f]{8}", re.ASCII)


class NotAVerifierKey(ValueError):
    """A text is no verifier key; the message says why."""


class NotACheckpoint(ValueError):
    """A note is malformed, or is not signed by the log that it names; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """Whom a signature is from: a name, and a public key of a kind."""

    name: str
    kind: int
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The first bytes of a hash over name, kind and key, which stand before each signature."""
        octets = self.name.encode() + b"\n" + bytes((self.kind,)) + self.public_key
        return hashlib.sha256(octets).digest()[:KEY_ID_BYTES]

    @property
    def text(self) -> str:
        """The key as it is passed around: `<name>+<key id in hex>+<kind and key in base64>`."""
        return f"{self.name}+{self.key_id.hex()}+{_base64(bytes((self.kind,)) + self.public_key)}"

    @property
    def public_key_pem(self) -> str:
        """The key in the form that general tools read."""
        pem = Ed25519PublicKey.from_public_bytes(self.public_key).public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return pem.decode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature line; `octets` follow the key's id, and nothing is verified yet."""

    name: str
    key_id: bytes
    octets: bytes

    @property
    def line(self) -> str:
        """The line as it stands in a note, with its end."""
        return f"{SIGNATURE_MARK}{self.name} {_base64(self.key_id + self.octets)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text and the signatures under it, as they were found."""

    text: str
    signatures: tuple[Signature, ...]

    @property
    def octets(self) -> bytes:
        """The note as it travels."""
        return (self.text + "\n" + "".join(one.line for one in self.signatures)).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a log says of itself: its name, how many entries it has, and the root over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosignature:
    """A witness saw the checkpoint then (Unix seconds), and it continued what it had seen."""

    witness: str
    time_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCheckpoint:
    """A checkpoint that its log did sign, with what known witnesses said of it."""

    checkpoint: Checkpoint
    cosignatures: tuple[Cosignature, ...]
    note: bytes


def read_verifier_key(text: str) -> VerifierKey:
    """Read a key. Raises NotAVerifierKey."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    if not _is_name(name):
        raise NotAVerifierKey(f"{text!r} does not begin with a name")
    octets = _from_base64(encoded)
    if octets is None or len(octets) != 1 + KEY_BYTES:
        raise NotAVerifierKey(f"{text!r} does not end with a key in base64")
    if octets[0] not in {ED25519, COSIGNATURE}:
        raise NotAVerifierKey(f"{text!r} is of a kind that is not known here")
    key = VerifierKey(name=name, kind=octets[0], public_key=octets[1:])
    if not KEY_ID.fullmatch(key_id) or key.key_id.hex() != key_id:
        raise NotAVerifierKey(f"{text!r} does not have the id of its name and key")
    return key


def read_note(note: bytes) -> Note:
    """Take a note apart; its signatures are not looked at. Raises NotACheckpoint."""
    text = _clean_text(note)
    body, blank_line, lines = text.rpartition("\n\n")
    if not blank_line or not body:
        raise NotACheckpoint("the note has no blank line between its text and its signatures")
    return Note(text=body + "\n", signatures=_signatures(lines))


def read_signatures(lines: bytes) -> tuple[Signature, ...]:
    """Read signature lines that stand alone, as a witness answers. Raises NotACheckpoint."""
    return _signatures(_clean_text(lines))


def read_text(text: str) -> Checkpoint:
    """Read what was signed: three lines, no more. Raises NotACheckpoint."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise NotACheckpoint("a checkpoint has three lines: origin, size and root")
    origin, size, encoded, _ = lines
    if not _is_name(origin):
        raise NotACheckpoint(f"{origin!r} is no origin")
    if not NUMBER.fullmatch(size) or int(size) > merkle.SIZE_MAX:
        raise NotACheckpoint(f"{size!r} is no size")
    root = _from_base64(encoded)
    if root is None or len(root) != merkle.HASH_BYTES:
        raise NotACheckpoint(f"{encoded!r} is no root")
    return Checkpoint(origin=origin, size=int(size), root=root)


def read_checkpoint(note: bytes, *, verifier_keys: Sequence[str]) -> SignedCheckpoint:
    """Read a checkpoint that the log which it names signed with one of these keys.

    Signatures by other keys mean nothing here and are carried along; a wrong one by a key that is
    known spoils the note. Raises NotACheckpoint, and NotAVerifierKey for keys that are none.
    """
    keys = {(key.name, key.key_id): key for key in map(read_verifier_key, verifier_keys)}
    parts = read_note(note)
    checkpoint = read_text(parts.text)
    is_signed = False
    cosignatures: list[Cosignature] = []
    for one in parts.signatures:
        key = keys.get((one.name, one.key_id))
        if key is None:
            continue
        if key.kind == COSIGNATURE:
            cosignatures.append(verified_cosignature(one, key=key, text=parts.text))
        else:
            _require_signature(one, key=key, message=parts.text.encode())
            is_signed = is_signed or key.name == checkpoint.origin
    if not is_signed:
        raise NotACheckpoint(f"no known key of {checkpoint.origin!r} signed the checkpoint")
    return SignedCheckpoint(
        checkpoint=checkpoint, cosignatures=tuple(cosignatures), note=bytes(note)
    )


def verified_cosignature(one: Signature, *, key: VerifierKey, text: str) -> Cosignature:
    """What a witness says of a checkpoint's text. Raises NotACheckpoint when it does not."""
    if key.kind != COSIGNATURE or (one.name, one.key_id) != (key.name, key.key_id):
        raise NotACheckpoint(f"the signature is not by the witness {key.name!r}")
    if len(one.octets) != TIME_BYTES + SIGNATURE_BYTES:
        raise NotACheckpoint(f"the cosignature of {one.name!r} has not the right length")
    time_s = int.from_bytes(one.octets[:TIME_BYTES], "big")
    message = cosigned_message(text, time_s=time_s)
    bare = Signature(name=one.name, key_id=one.key_id, octets=one.octets[TIME_BYTES:])
    _require_signature(bare, key=key, message=message)
    return Cosignature(witness=key.name, time_s=time_s)


def cosigned_message(text: str, *, time_s: int) -> bytes:
    """What a witness signs: the time and the checkpoint's text."""
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def log_key(origin: str, signer: Signer) -> VerifierKey:
    """The key of a log that is called `origin` and signs with this signer."""
    if not _is_name(origin):
        raise NotAVerifierKey(f"{origin!r} cannot be the name of a log")
    key = serialization.load_pem_public_key(signer.public_key_pem.encode("ascii"))
    assert isinstance(key, Ed25519PublicKey), "our keys are Ed25519"
    return VerifierKey(name=origin, kind=ED25519, public_key=key.public_bytes_raw())


def signed(checkpoint: Checkpoint, by: Signer) -> bytes:
    """Sign a checkpoint in the name of its log."""
    key = log_key(checkpoint.origin, by)
    octets = by.sign(checkpoint.text.encode())
    line = Signature(name=key.name, key_id=key.key_id, octets=octets)
    return Note(text=checkpoint.text, signatures=(line,)).octets


def _require_signature(one: Signature, *, key: VerifierKey, message: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(one.octets, message)
    except (InvalidSignature, ValueError):
        raise NotACheckpoint(f"the signature of {one.name!r} is wrong") from None


def _signatures(lines: str) -> tuple[Signature, ...]:
    *whole, rest = lines.split("\n")
    if rest or not whole:
        raise NotACheckpoint("the last signature has no end")
    if len(whole) > SIGNATURES_MAX:
        raise NotACheckpoint(f"there are more than {SIGNATURES_MAX} signatures")
    return tuple(map(_signature, whole))


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(SIGNATURE_MARK).partition(" ")
    octets = _from_base64(encoded)
    is_whole = line.startswith(SIGNATURE_MARK) and space and _is_name(name)
    if not is_whole or octets is None or len(octets) <= KEY_ID_BYTES:
        raise NotACheckpoint(f"{line!r} is no signature line")
    return Signature(name=name, key_id=octets[:KEY_ID_BYTES], octets=octets[KEY_ID_BYTES:])


def _clean_text(octets: bytes) -> str:
    """Text without control characters but line ends, so that it looks the same to everybody."""
    if len(octets) > NOTE_BYTES_MAX:
        raise NotACheckpoint(f"the note is longer than {NOTE_BYTES_MAX} bytes")
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise NotACheckpoint("the note is not UTF-8") from None
    if any(one < " " and one != "\n" for one in text):
        raise NotACheckpoint("the note has control characters")
    return text


def _is_name(text: str) -> bool:
    """Names of keys, and origins of logs, which are the names of their keys."""
    return (
        0 < len(text) <= NAME_LENGTH_MAX
        and "+" not in text
        and all(one.isprintable() and not one.isspace() for one in text)
    )


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")


def _from_base64(text: str) -> bytes | None:
    """Read base64 in its one right spelling; None for everything else."""
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return octets if _base64(octets) == text else None
