"""A retried call with the same key: the stored answer, and never a second debit."""

import asyncio
import contextlib
import hashlib
import hmac
from collections.abc import AsyncGenerator

import msgspec

from ainfera_server import identifiers
from ainfera_server.accounts import sealing
from ainfera_server.errors import (
    AinferaError,
    AnswerDeleted,
    IdempotencyConflict,
    IdempotencyInProgress,
    Malformed,
)
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId, TenantId
from ainfera_server.inference import store
from ainfera_server.inference.call import Call, StoredAnswer
from ainfera_server.postgres import pool as pools

KEY_LENGTH_MAX = 255
GRACE_S = 60.0
"""How much longer than an inference may take a key stays taken when its process died."""

PURPOSE = b"idempotent answer "


def scope(*, tenant_id: TenantId, agent_id: AgentId, route: str, key: str) -> str:
    """What a key means: the same key elsewhere is another. Raises Malformed."""
    if not 0 < len(key) <= KEY_LENGTH_MAX or not key.isprintable():
        raise Malformed(
            f"Idempotency-Key must be 1 to {KEY_LENGTH_MAX} printable characters.",
            param="Idempotency-Key",
        )
    whole = "\x00".join((str(tenant_id), str(agent_id), route, key))
    return hashlib.sha256(whole.encode()).hexdigest()


def body_hash(gateway: Gateway, call: Call) -> str:
    """Tell one body from another, with a key of ours, so that nobody guesses a short prompt."""
    return hmac.digest(gateway.keyring.body_hash_key, call.request.body, "sha256").hex()


@contextlib.asynccontextmanager
async def taken(gateway: Gateway, call: Call) -> AsyncGenerator[StoredAnswer | None]:
    """Take the call's key for the time it runs, or give the answer that it already has.

    A block that raises lets the key go, because then nothing was spent. A streamed answer keeps
    it until it is settled. Raises IdempotencyConflict, IdempotencyInProgress and AnswerDeleted.
    """
    if call.idempotency_scope is None:
        yield None
        return
    taking = asyncio.create_task(_taken(gateway, call, call.idempotency_scope))
    try:
        known = await asyncio.shield(taking)
    except asyncio.CancelledError:
        await gateway.finish(_unwanted(gateway, call, taking))
        raise
    if known is not None:
        yield known
        return
    try:
        yield None
    except BaseException:
        await gateway.finish(release(gateway, call))
        raise


async def release(gateway: Gateway, call: Call) -> None:
    """Let the key go of a call that cost nothing."""
    if call.idempotency_scope is None:
        return
    async with pools.transaction(gateway.pools.writer) as connection:
        cell = identifiers.cell_of(call.payer.tenant_id)
        await store.forget_idempotency(connection, cell=cell, scope=call.idempotency_scope)


def sealed(gateway: Gateway, taken_scope: str, answer: StoredAnswer) -> str:
    """Encrypt an answer; it opens for its own key alone."""
    return sealing.seal(
        msgspec.msgpack.encode(answer),
        key=gateway.keyring.sealing_key,
        nonce=gateway.random(sealing.NONCE_BYTES),
        purpose=PURPOSE + taken_scope.encode("ascii"),
    )


async def _unwanted(
    gateway: Gateway, call: Call, taking: "asyncio.Task[StoredAnswer | None]"
) -> None:
    """Let a key go that was still being taken when its caller left; another's stays as it is."""
    with contextlib.suppress(AinferaError):
        if await taking is None:
            await release(gateway, call)


async def _taken(gateway: Gateway, call: Call, wanted: str) -> StoredAnswer | None:
    asked = body_hash(gateway, call)
    tenant_id = call.payer.tenant_id
    async with pools.transaction(gateway.pools.writer) as connection:
        is_first = await store.begin_idempotency(
            connection,
            scope=wanted,
            tenant_id=tenant_id,
            body_hash=asked,
            lifetime_s=gateway.settings.inference_timeout_s + GRACE_S,
        )
        if is_first:
            return None
        known = await store.idempotency(
            connection, cell=identifiers.cell_of(tenant_id), scope=wanted
        )
    if known is not None and known.body_hash != asked:
        raise IdempotencyConflict(
            "This Idempotency-Key was used with another body. Use a new key for a new request.",
            param="Idempotency-Key",
        )
    if known is not None and known.state == "deleted":
        raise AnswerDeleted(
            "The first request with this Idempotency-Key was answered and paid for, and its owner"
            " deleted the answer since. Nothing was asked or spent again; use a new key to ask.",
            param="Idempotency-Key",
        )
    if known is None or known.answer_sealed is None:
        problem = IdempotencyInProgress(
            "The first request with this Idempotency-Key still runs. Ask again in a moment."
        )
        problem.retry_after_s = 1
        raise problem
    opened = sealing.unseal(
        known.answer_sealed,
        key=gateway.keyring.sealing_key,
        purpose=PURPOSE + wanted.encode("ascii"),
    )
    return msgspec.msgpack.decode(opened, type=StoredAnswer)
