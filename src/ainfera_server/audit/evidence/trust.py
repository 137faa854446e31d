"""Whose signatures count: keys that the checker brought along, or those that the file names."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import orjson

from ainfera_server.audit import signing
from ainfera_server.audit.evidence.exhibits import PublicKey
from ainfera_server.audit.evidence.findings import Fault
from ainfera_server.audit.public_log import notes
from ainfera_server.audit.public_log.notes import NotAVerifierKey
from ainfera_server.audit.signing import NotAPublicKey

PEM = re.compile(r"-----BEGIN PUBLIC KEY-----[^-]{1,4096}-----END PUBLIC KEY-----\n?")


class NotKeys(ValueError):
    """The content given as keys holds none; the message says what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Public keys by their ids, and the keys of logs as text."""

    pems: Mapping[str, str]
    log_keys: tuple[str, ...]

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """What two people compare: the SHA-256 of the bytes of each key, and logs' keys whole."""
        octets = [
            signing.public_key(pem).public_bytes_raw() for _, pem in sorted(self.pems.items())
        ]
        named = [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in octets]
        return (*named, *sorted(self.log_keys))


NO_KEYS = Keys(pems={}, log_keys=())


def read(contents: Sequence[bytes]) -> Keys:
    """Read PEM, the server's key document, or a log's key as text. Raises NotKeys."""
    found = [_read(one) for one in contents]
    return Keys(
        pems={key_id: pem for keys in found for key_id, pem in keys.pems.items()},
        log_keys=tuple(sorted({text for keys in found for text in keys.log_keys})),
    )


def of_file(public_keys: Sequence[PublicKey], log_keys: Sequence[str]) -> Keys:
    """The keys that a file names, each under the id that is its own. Raises Fault."""
    pems: dict[str, str] = {}
    for place, one in enumerate(public_keys, start=1):
        record = f"key {one.kid[:40]}"
        try:
            key = signing.public_key(one.public_key_pem)
        except NotAPublicKey:
            raise Fault("it is no Ed25519 key in PEM", record=record, place=place) from None
        if signing.pem(key) != one.public_key_pem:
            raise Fault("its PEM is not written as usual", record=record, place=place)
        key_id = signing.key_id(key)
        if key_id != one.kid:
            raise Fault(f"the key's own id is {key_id}", record=record, place=place)
        if key_id in pems:
            raise Fault("the key is there twice", record=record, place=place)
        pems[key_id] = one.public_key_pem
    for place, text in enumerate(log_keys, start=len(pems) + 1):
        try:
            notes.read_verifier_key(text)
        except NotAVerifierKey as problem:
            raise Fault(str(problem), record="a key of the log", place=place) from None
    if len(set(log_keys)) != len(log_keys):
        raise Fault("a key of the log is there twice")
    return Keys(pems=pems, log_keys=tuple(log_keys))


def pinned(brought: Keys, own: Keys) -> Keys:
    """Those that were brought along count alone, wherever any of their sort was.

    Raises Fault for a file that names none of them, which is another server's.
    """
    if brought.pems and own.pems and not set(brought.pems) & set(own.pems):
        raise Fault(f"the file names {', '.join(sorted(own.pems))}, and none of the keys given")
    if brought.log_keys and own.log_keys and not set(brought.log_keys) & set(own.log_keys):
        raise Fault("the file names other keys of a log than those given")
    return Keys(pems=brought.pems or own.pems, log_keys=brought.log_keys or own.log_keys)


def signature_fault(
    signature: str, *, key_id: str, message: bytes, keys: Keys, listed: Keys
) -> str | None:
    """Why a signature is none; None when it is one, by a key that counts and the file names."""
    if key_id not in keys.pems or key_id not in listed.pems:
        return f"the key {key_id[:40]!r} is unknown"
    if not signing.is_signature(signature, message=message, public_key_pem=keys.pems[key_id]):
        return "the signature is not one of that key under this text"
    return None


def _read(content: bytes) -> Keys:
    text = content.decode("utf-8", errors="replace").strip()
    if text.startswith("{"):
        return _read_document(text)
    if "-----BEGIN" in text:
        return Keys(pems=_pems(PEM.findall(text)), log_keys=())
    return Keys(pems={}, log_keys=(_log_key(text),))


def _read_document(text: str) -> Keys:
    """The server's document of keys: those of events under `keys`, and the log's in its `log`."""
    try:
        document = cast("dict[str, object]", orjson.loads(text))
    except orjson.JSONDecodeError as problem:
        raise NotKeys(f"the document of keys is no JSON: {problem}") from None
    pems = [
        pem
        for one in _objects(document.get("keys"))
        if isinstance(pem := one.get("public_key_pem"), str) and one.get("alg") == signing.ALGORITHM
    ]
    log = document.get("log")
    found = cast("dict[str, object]", log).get("verifier_key") if isinstance(log, dict) else None
    log_keys = (_log_key(found),) if isinstance(found, str) else ()
    return Keys(pems=_pems(pems), log_keys=log_keys)


def _objects(found: object) -> Sequence[Mapping[str, object]]:
    if not isinstance(found, list) or not found:
        raise NotKeys("the document has no `keys`; GET /.well-known/ainfera-public-key.json has")
    members = cast("list[object]", found)
    return [cast("dict[str, object]", one) for one in members if isinstance(one, dict)]


def _pems(texts: Sequence[str]) -> Mapping[str, str]:
    if not texts:
        raise NotKeys("no PEM block with a public key was found")
    try:
        return {signing.key_id(signing.public_key(text)): text for text in texts}
    except NotAPublicKey as problem:
        raise NotKeys(str(problem)) from None


def _log_key(text: str) -> str:
    try:
        return notes.read_verifier_key(text).text
    except NotAVerifierKey as problem:
        raise NotKeys(
            f"neither PEM nor the document of keys nor a log's verifier key: {problem}"
        ) from None
