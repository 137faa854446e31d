"""Agent cards: who an agent is, as a compact JWS (RFC 7515) under the agent's own key.

ES256 is what every published client can verify; EdDSA is there for those who ask for it. Keys grow
from random bytes that are given, and ES256 takes its nonce from the message (RFC 6979), so the same
card has the same bytes. Written on `cryptography` because JOSE libraries warn at each EdDSA since
RFC 9864 renamed it, and the published clients know no other name for it.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, cast

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ainfera_server.audit import events
from ainfera_server.conversation import Json
from ainfera_server.identifiers import AgentId, TenantId

CardAlg = Literal["ES256", "EdDSA"]

ISSUER = "ainfera.ai"
CAPABILITIES = ("inference",)
RANDOM_BYTES = 48
"""How much randomness `make_key` asks for: a third more than a key, so that none is favoured."""
JWS_CHARACTERS_MAX = 16_384

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, slots=True, kw_only=True)
class CardKey:
    """An agent's key pair; `key_id` is the card's `kid`."""

    key_id: str
    alg: CardAlg
    public_key_pem: str
    private_key_pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """What anybody may know of a key; `valid_until` is None for the one that signs cards now."""

    key_id: str
    alg: CardAlg
    public_key_pem: str
    valid_from: datetime
    valid_until: datetime | None


Standing = Literal["current", "overlapping", "expired"]
"""`overlapping`: another key signs by now, and cards of this one still count for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """The agent that a card speaks of."""

    agent_id: AgentId
    tenant_id: TenantId
    handle: str
    canonical_uri: str
    did_web: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A signed card; `payload` is exactly what the second segment of `jws` decodes to."""

    jws: str
    payload: Mapping[str, Json]
    key_id: str


CardFault = Literal["malformed", "wrong_algorithm", "signature_mismatch", "expired_key"]


def make_key(alg: CardAlg, random: bytes) -> CardKey:
    """Make an agent's key pair out of random bytes."""
    assert len(random) == RANDOM_BYTES, "a card's key takes exactly 48 random bytes"
    private_key = _private_key(alg, random)
    public_key = private_key.public_key()
    public_bytes = public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return CardKey(
        key_id=hashlib.sha256(public_bytes).hexdigest()[:16],
        alg=alg,
        public_key_pem=public_key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode("ascii"),
        private_key_pem=private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def mint(bearer: Bearer, key: CardKey, issued_at: datetime) -> Card:
    """Issue a card."""
    payload = _claims(bearer, key, issued_at)
    header: Mapping[str, Json] = {"alg": key.alg, "kid": key.key_id, "typ": "JWT"}
    signed = f"{_base64url(orjson.dumps(header))}.{_base64url(orjson.dumps(payload))}"
    signature = _base64url(_signature(key, signed.encode("ascii")))
    return Card(jws=f"{signed}.{signature}", payload=payload, key_id=key.key_id)


def read(text: str) -> Card | None:
    """Decode a card without believing it; None when it is no compact JWS with an object inside."""
    segments = text.split(".")
    if len(text) > JWS_CHARACTERS_MAX or len(segments) != 3 or not text.isascii():
        return None
    header, payload = _object(segments[0]), _object(segments[1])
    key_id = None if header is None else header.get("kid")
    if payload is None or not isinstance(key_id, str):
        return None
    return Card(jws=text, payload=payload, key_id=key_id)


def fault(card: Card, key: PublicKey, now: datetime) -> CardFault | None:
    """What is wrong with a card, checked against a key on record; None when it counts.

    The algorithm is that of the key, never what the card claims. Only a card that the key did sign
    is said to be expired.
    """
    signed, _, signature = card.jws.rpartition(".")
    header, octets = _object(signed.partition(".")[0]), _octets(signature)
    if header is None or octets is None:
        return "malformed"
    if header.get("alg") != key.alg:
        return "wrong_algorithm"
    public_key = serialization.load_pem_public_key(key.public_key_pem.encode("ascii"))
    if not _is_signature(octets, signed.encode("ascii"), key.alg, public_key):
        return "signature_mismatch"
    return "expired_key" if standing(key, now) == "expired" else None


def standing(key: PublicKey, now: datetime) -> Standing:
    """Whether cards of a key count at a moment, and whether it still signs new ones."""
    if key.valid_until is None:
        return "current"
    return "overlapping" if now < key.valid_until else "expired"


def jwk(key: PublicKey) -> Mapping[str, Json]:
    """A key as every JOSE library reads it (RFC 7517, RFC 8037)."""
    public_key = serialization.load_pem_public_key(key.public_key_pem.encode("ascii"))
    named: Mapping[str, Json] = {"kid": key.key_id, "alg": key.alg, "use": "sig"}
    if isinstance(public_key, Ed25519PublicKey):
        x = _base64url(public_key.public_bytes_raw())
        return {**named, "kty": "OKP", "crv": "Ed25519", "x": x}
    assert isinstance(public_key, ec.EllipticCurvePublicKey), "a card's key is one of two kinds"
    point = public_key.public_numbers()
    x, y = (_base64url(number.to_bytes(32, "big")) for number in (point.x, point.y))
    return {**named, "kty": "EC", "crv": "P-256", "x": x, "y": y}


def _claims(bearer: Bearer, key: CardKey, issued_at: datetime) -> Mapping[str, Json]:
    return {
        "iss": ISSUER,
        "sub": str(bearer.agent_id),
        "iat": int(issued_at.timestamp()),
        "issued_at": events.timestamp(issued_at),
        "agent_id": str(bearer.agent_id),
        "tenant_id": str(bearer.tenant_id),
        "handle": bearer.handle,
        "canonical_uri": bearer.canonical_uri,
        "did_web": bearer.did_web,
        "public_key": key.public_key_pem,
        "fingerprint": key.key_id,
        "layer": "L1",
        "capabilities": list(CAPABILITIES),
    }


def _private_key(alg: CardAlg, random: bytes) -> ec.EllipticCurvePrivateKey | Ed25519PrivateKey:
    if alg == "EdDSA":
        return Ed25519PrivateKey.from_private_bytes(random[:32])
    number = 1 + int.from_bytes(random, "big") % (_P256_ORDER - 1)
    return ec.derive_private_key(number, ec.SECP256R1())


def _signature(key: CardKey, message: bytes) -> bytes:
    """Sign as RFC 7518 (ES256: both numbers, 32 bytes each) and RFC 8037 (EdDSA) say."""
    private_key = serialization.load_pem_private_key(key.private_key_pem, password=None)
    if isinstance(private_key, Ed25519PrivateKey):
        return private_key.sign(message)
    assert isinstance(private_key, ec.EllipticCurvePrivateKey), "a card's key is one of two kinds"
    encoded = private_key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    first, second = utils.decode_dss_signature(encoded)
    return first.to_bytes(32, "big") + second.to_bytes(32, "big")


def _is_signature(octets: bytes, message: bytes, alg: CardAlg, public_key: object) -> bool:
    try:
        if alg == "EdDSA" and isinstance(public_key, Ed25519PublicKey):
            public_key.verify(octets, message)
        elif isinstance(public_key, ec.EllipticCurvePublicKey) and len(octets) == 64:
            first, second = (int.from_bytes(half, "big") for half in (octets[:32], octets[32:]))
            encoded = utils.encode_dss_signature(first, second)
            public_key.verify(encoded, message, ec.ECDSA(hashes.SHA256()))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode("ascii").rstrip("=")


def _octets(segment: str) -> bytes | None:
    """Decode a segment; None when it is not base64url."""
    try:
        padded = segment + "=" * (-len(segment) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def _object(segment: str) -> dict[str, Json] | None:
    """Decode a segment of JSON; None when it is not an object."""
    octets = _octets(segment)
    try:
        decoded = None if octets is None else orjson.loads(octets)
    except orjson.JSONDecodeError:
        return None
    return cast("dict[str, Json]", decoded) if isinstance(decoded, dict) else None
