"""What changes kept prompts and answers, each with its event in the same commit.

What concerns a whole tenant is told by the chain of the agent that the tenant began with. Locks are
taken in the one order that holds everywhere: chain heads, the tenant, its keys, the public log.
"""

import hashlib
from typing import NamedTuple
from uuid import UUID

from ainfera_server import identifiers
from ainfera_server.accounts import absent, sealing
from ainfera_server.accounts.minting import Minting
from ainfera_server.audit import store as audit_store
from ainfera_server.audit.events import EventType
from ainfera_server.audit.recorder import Recorder
from ainfera_server.contents import keeping, store
from ainfera_server.contents.keeping import KeyPlace, Retention
from ainfera_server.contents.store import ContentKey
from ainfera_server.conversation import Json
from ainfera_server.identifiers import AgentId, InferenceId, TenantId
from ainfera_server.postgres.pool import Connection


class Forgotten(NamedTuple):
    """What was made unreadable; `key_id` is None when nothing was kept under a key."""

    key_id: UUID | None
    answers: int


async def change_retention(
    connection: Connection, minting: Minting, *, tenant_id: TenantId, wanted: Retention
) -> None:
    """Keep what is asked and answered from now on, or nothing of it. Raises NotFound.

    What is kept already stays until its own time is over.
    """
    agent_id, before = await _locked(connection, tenant_id)
    if before == wanted:
        return
    await store.write_retention(connection, tenant_id, wanted)
    if wanted.store_content and await store.key_in_use(connection, tenant_id) is None:
        await _open_key(connection, minting, tenant_id)
    event = minting.recorder.event(
        EventType.RETENTION_UPDATED,
        {"before": _facts(before), "after": _facts(wanted)},
        tenant_id=tenant_id,
        agent_id=agent_id,
    )
    await audit_store.append(connection, [event], minting.recorder.signer)


async def forget_everything(
    connection: Connection, minting: Minting, *, tenant_id: TenantId
) -> Forgotten:
    """Make all that is kept of a tenant unreadable, also the answers that calls could get again.

    The key goes here and its contents follow, see `store.forget_contents_of_tenant`. A tenant that
    goes on keeping gets a new key. Raises NotFound.
    """
    agent_id, chosen = await _locked(connection, tenant_id)
    key = await store.key_in_use(connection, tenant_id)
    answers = await store.forget_answers(connection, tenant_id)
    if key is None and answers == 0:
        return Forgotten(None, 0)
    if key is not None:
        await store.forget_key(connection, key.key_id)
        if chosen.store_content:
            await _open_key(connection, minting, tenant_id)
    event = minting.recorder.event(
        EventType.CONTENT_DELETED,
        {**_named(key), "stored_answers_deleted": answers},
        tenant_id=tenant_id,
        agent_id=agent_id,
    )
    await audit_store.append(connection, [event], minting.recorder.signer)
    return Forgotten(None if key is None else key.key_id, answers)


async def forget(
    connection: Connection, recorder: Recorder, *, tenant_id: TenantId, inference_id: InferenceId
) -> None:
    """Delete what is kept of one inference. Raises NotFound."""
    agent_id = await store.agent_of_content(connection, inference_id)
    if agent_id is None:
        raise absent.content()
    await audit_store.lock_heads(connection, [agent_id])
    forgotten = await store.forget_content(connection, inference_id)
    if forgotten is None:
        raise absent.content()
    event = recorder.event(
        EventType.CONTENT_DELETED,
        {"inference_id": str(inference_id), "sealed_sha256": forgotten.sealed_sha256},
        tenant_id=tenant_id,
        agent_id=agent_id,
    )
    await audit_store.append(connection, [event], recorder.signer)


async def _locked(connection: Connection, tenant_id: TenantId) -> tuple[AgentId, Retention]:
    """The tenant's choice, which nobody else changes until this commits, and where to tell it."""
    agent_id = await store.first_agent(connection, tenant_id)
    if agent_id is None:
        raise absent.tenant()
    await audit_store.lock_heads(connection, [agent_id])
    chosen = await store.retention(connection, tenant_id)
    assert chosen is not None, "an agent has a tenant"
    return agent_id, chosen


async def _open_key(connection: Connection, minting: Minting, tenant_id: TenantId) -> None:
    key_id = minting.recorder.new_id(identifiers.cell_of(tenant_id))
    sealed_key = keeping.sealed_key(
        minting.random(keeping.KEY_BYTES),
        server_key=minting.sealing_key,
        nonce=minting.random(sealing.NONCE_BYTES),
        place=KeyPlace(tenant_id=tenant_id, key_id=key_id),
    )
    key = ContentKey(
        key_id=key_id,
        tenant_id=tenant_id,
        sealed_key=sealed_key,
        created_at=minting.recorder.now,
    )
    await store.write_key(connection, key)


def _named(key: ContentKey | None) -> dict[str, Json]:
    if key is None:
        return {"content_key_id": None, "sealed_sha256": None}
    digest = hashlib.sha256(key.sealed_key.encode("ascii")).hexdigest()
    return {"content_key_id": str(key.key_id), "sealed_sha256": digest}


def _facts(chosen: Retention) -> dict[str, Json]:
    return {"store_content": chosen.store_content, "days": chosen.days}
