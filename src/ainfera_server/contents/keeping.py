"""Whether prompts and answers are kept, for how long, and how they are sealed meanwhile; pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from ainfera_server.accounts import sealing
from ainfera_server.identifiers import InferenceId, TenantId

DAYS_DEFAULT = 30
DAYS_MAX = 365
KEY_BYTES = 32

CONTENT_BYTES_MAX = 4 * 1024 * 1024
"""Of a request and its answer together; what is larger is left out, and never cut."""

LeftOut = Literal["too_large", "too_much_at_once"]
Part = Literal["request", "answer", "salt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What a tenant chose: nothing is kept unless it says so."""

    store_content: bool = False
    days: int = DAYS_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """For a tenant that wants it: how long, and with which key, itself sealed with the server's."""

    days: int
    key_id: UUID
    sealed_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What was asked and answered, byte for byte, and the salt of the hashes that say so."""

    request: bytes = field(repr=False)
    answer: bytes = field(repr=False)
    salt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedContent:
    """The same, each part encrypted."""

    request: bytes = field(repr=False)
    answer: bytes = field(repr=False)
    salt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPlace:
    """The row that a tenant's key lies in."""

    tenant_id: TenantId
    key_id: UUID

    @property
    def purpose(self) -> bytes:
        """What the key is sealed for."""
        return f"content key {self.key_id} of {self.tenant_id}".encode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentPlace:
    """The row that a content lies in."""

    tenant_id: TenantId
    inference_id: InferenceId

    def purpose(self, part: Part) -> bytes:
        """What one part is sealed for."""
        return f"{part} of {self.inference_id} of {self.tenant_id}".encode("ascii")


def is_too_large(*, request_bytes: int, answer_bytes: int) -> bool:
    """Whether a request and its answer are more than is kept of one inference."""
    return request_bytes + answer_bytes > CONTENT_BYTES_MAX


def sealed_key(key: bytes, *, server_key: bytes, nonce: bytes, place: KeyPlace) -> str:
    """A tenant's key as it is kept: it opens in its own row and nowhere else."""
    return sealing.seal(key, key=server_key, nonce=nonce, purpose=place.purpose)


def opened_key(sealed: str, *, server_key: bytes, place: KeyPlace) -> bytes:
    """The key that a tenant's contents are sealed with. Raises NotSealed."""
    return sealing.unseal(sealed, key=server_key, purpose=place.purpose)


def seal(
    content: Content, *, key: bytes, random: Callable[[int], bytes], place: ContentPlace
) -> SealedContent:
    """Encrypt each part, so that it opens as that part of that inference and as nothing else."""

    def sealed(part: Part, octets: bytes) -> bytes:
        nonce = random(sealing.NONCE_BYTES)
        return sealing.seal_octets(octets, key=key, nonce=nonce, purpose=place.purpose(part))

    return SealedContent(
        request=sealed("request", content.request),
        answer=sealed("answer", content.answer),
        salt=sealed("salt", content.salt),
    )


def unseal(kept: SealedContent, *, key: bytes, place: ContentPlace) -> Content:
    """Decrypt each part. Raises NotSealed."""

    def opened(part: Part, octets: bytes) -> bytes:
        return sealing.unseal_octets(octets, key=key, purpose=place.purpose(part))

    return Content(
        request=opened("request", kept.request),
        answer=opened("answer", kept.answer),
        salt=opened("salt", kept.salt),
    )
