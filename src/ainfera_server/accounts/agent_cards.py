"""Agent cards: who an agent is, as a compact JWS (RFC 7515) under the agent's own key.

ES256 is what every published client can verify; EdDSA is there for those who ask for it. Keys grow
from random bytes that are given; only the nonce of an ES256 signature is the library's own.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, cast

import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

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


CardFault = Literal["malformed", "wrong_algorithm", "signature_mismatch"]


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
    header = {"alg": key.alg, "kid": key.key_id, "typ": "JWT"}
    text = jws.serialize_compact(
        header, orjson.dumps(payload), _imported(key.alg, key.private_key_pem), [key.alg]
    )
    return Card(jws=text, payload=payload, key_id=key.key_id)


def read(text: str) -> Card | None:
    """Decode a card without believing it; None when it is no compact JWS with an object inside."""
    segments = text.split(".")
    if len(text) > JWS_CHARACTERS_MAX or len(segments) != 3 or not text.isascii():
        return None
    header, payload = _segment(segments[0]), _segment(segments[1])
    key_id = None if header is None else header.get("kid")
    if payload is None or not isinstance(key_id, str):
        return None
    return Card(jws=text, payload=payload, key_id=key_id)


def fault(card: Card, *, alg: CardAlg, public_key_pem: str) -> CardFault | None:
    """What is wrong with a card, checked against the key on record; None when it is genuine.

    The algorithm is that of the key, never what the card claims.
    """
    header = _segment(card.jws.split(".")[0])
    if header is None:
        return "malformed"
    if header.get("alg") != alg:
        return "wrong_algorithm"
    try:
        jws.deserialize_compact(card.jws, _imported(alg, public_key_pem.encode("ascii")), [alg])
    except (JoseError, ValueError):
        return "signature_mismatch"
    return None


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


def _imported(alg: CardAlg, pem: bytes) -> ECKey | OKPKey:
    return ECKey.import_key(pem) if alg == "ES256" else OKPKey.import_key(pem)


def _segment(text: str) -> dict[str, Json] | None:
    """Decode a segment of base64url JSON; None when it is not an object."""
    try:
        octets = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        decoded = orjson.loads(octets)
    except (binascii.Error, ValueError):
        return None
    return cast("dict[str, Json]", decoded) if isinstance(decoded, dict) else None
