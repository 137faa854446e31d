"""What is kept of prompts and answers: sealed for the write that settles, and deleted in time."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from ainfera_server import identifiers
from ainfera_server.contents import keeping, store
from ainfera_server.contents.keeping import (
    Content,
    ContentPlace,
    Keeping,
    KeyPlace,
    LeftOut,
    SealedContent,
)
from ainfera_server.contents.store import ContentRow
from ainfera_server.gateway import Gateway
from ainfera_server.inference.job import Job
from ainfera_server.postgres import pool as pools
from ainfera_server.postgres.pool import Connection

STEPS_MAX = 2_000
"""How often the clock deletes a few at a time before it leaves the rest to the next round."""


def is_wanted(job: Job) -> bool:
    """Whether the tenant wants what is asked and answered kept."""
    return job.gathered.call.payer.keeps is not None


def kept(gateway: Gateway, job: Job, *, answer: bytes) -> ContentRow | None:
    """What to keep of an inference, `answer` being the bytes that were hashed; None for nothing."""
    payer = job.gathered.call.payer
    if payer.keeps is None:
        return None
    return ContentRow(
        cell=identifiers.cell_of(job.inference_id),
        inference_id=job.inference_id,
        tenant_id=payer.tenant_id,
        agent_id=payer.agent_id,
        key_id=payer.keeps.key_id,
        content=_sealed(gateway, job, payer.keeps, answer),
        created_at=gateway.now(),
        lifetime=timedelta(days=payer.keeps.days),
    )


async def expired(gateway: Gateway) -> None:
    """Delete what has outlived its time, and what nobody can read any more."""
    await _step_by_step(gateway, store.forget_expired_contents)
    await _step_by_step(gateway, store.forget_contents_of_deleted_keys)
    async with pools.transaction(gateway.pools.writer) as connection:
        await store.forget_deleted_keys(connection)


def _sealed(gateway: Gateway, job: Job, keeps: Keeping, answer: bytes) -> SealedContent | LeftOut:
    request = job.gathered.call.request.body
    if keeping.is_too_large(request_bytes=len(request), answer_bytes=len(answer)):
        return "too_large"
    tenant_id = job.gathered.call.payer.tenant_id
    key = keeping.opened_key(
        keeps.sealed_key,
        server_key=gateway.keyring.sealing_key,
        place=KeyPlace(tenant_id=tenant_id, key_id=keeps.key_id),
    )
    return keeping.seal(
        Content(request=request, answer=answer, salt=job.salt),
        key=key,
        random=gateway.random,
        place=ContentPlace(tenant_id=tenant_id, inference_id=job.inference_id),
    )


async def _step_by_step(gateway: Gateway, delete: Callable[[Connection], Awaitable[int]]) -> None:
    """Delete a few rows in each transaction, so that nobody waits long for any."""
    for _ in range(STEPS_MAX):
        async with pools.transaction(gateway.pools.writer) as connection:
            if await delete(connection) == 0:
                return
