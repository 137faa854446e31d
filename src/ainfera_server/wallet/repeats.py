"""The same change of money asked for again: the first answer comes again, and nothing moves twice.

A key is taken and answered in the transaction that moves the money, so either all of it happened
or nothing did.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from ainfera_server.accounts import sealing
from ainfera_server.errors import IdempotencyConflict, IdempotencyInProgress, Malformed
from ainfera_server.identifiers import TenantId
from ainfera_server.postgres.pool import Connection
from ainfera_server.wallet import store

KEY_LENGTH_MAX = 255
KEPT_S = 25 * 60 * 60.0
"""An hour more than is promised."""

PURPOSE = b"answer about money "


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeatable:
    """A request that carries a key, and what its answer is sealed with."""

    tenant_id: TenantId
    scope: str
    body_hash: str
    sealing_key: bytes = field(repr=False)
    random: Callable[[int], bytes]

    @property
    def purpose(self) -> bytes:
        """An answer opens for its own key alone."""
        return PURPOSE + self.scope.encode("ascii")


def scope(*, tenant_id: TenantId, route: str, key: str) -> str:
    """What a key means: the same key elsewhere is another. Raises Malformed."""
    if not 0 < len(key) <= KEY_LENGTH_MAX or not key.isprintable():
        raise Malformed(
            f"Idempotency-Key must be 1 to {KEY_LENGTH_MAX} printable characters.",
            param="Idempotency-Key",
        )
    return hashlib.sha256("\x00".join((str(tenant_id), route, key)).encode()).hexdigest()


async def answered(connection: Connection, asked: Repeatable) -> bytes | None:
    """The answer that this key has; None when it has none, and then it is taken.

    Raises IdempotencyConflict.
    """
    is_first = await store.take_key(
        connection,
        asked.scope,
        tenant_id=asked.tenant_id,
        body_hash=asked.body_hash,
        lifetime_s=KEPT_S,
    )
    if is_first:
        return None
    known = await store.kept_answer(connection, asked.scope, tenant_id=asked.tenant_id)
    if known is not None and known.body_hash != asked.body_hash:
        raise IdempotencyConflict(
            "This Idempotency-Key was used with another body. Use a new key for a new request.",
            param="Idempotency-Key",
        )
    if known is None or known.answer_sealed is None:
        problem = IdempotencyInProgress(
            "The first request with this Idempotency-Key still runs. Ask again in a moment."
        )
        problem.retry_after_s = 1
        raise problem
    return sealing.unseal(known.answer_sealed, key=asked.sealing_key, purpose=asked.purpose)


async def keep(connection: Connection, asked: Repeatable, answer: bytes) -> None:
    """Keep the answer, sealed, for whoever asks again with the same key."""
    sealed = sealing.seal(
        answer,
        key=asked.sealing_key,
        nonce=asked.random(sealing.NONCE_BYTES),
        purpose=asked.purpose,
    )
    await store.keep_answer(
        connection, asked.scope, tenant_id=asked.tenant_id, answer_sealed=sealed
    )
