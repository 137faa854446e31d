"""Retention: whether prompts and answers are kept, what is kept, and deleting it."""

import base64

from fastapi.responses import Response
from pydantic import BaseModel, Field

from ainfera_server.accounts import absent
from ainfera_server.api import answers, given, ids
from ainfera_server.api.answers import Shown
from ainfera_server.api.given import Caller, Opened
from ainfera_server.contents import actions as contents_actions
from ainfera_server.contents import keeping
from ainfera_server.contents import store as contents_store
from ainfera_server.contents.keeping import (
    Content,
    ContentPlace,
    KeyPlace,
    Retention,
    SealedContent,
)
from ainfera_server.contents.store import KeptContent
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import InferenceId, TenantId
from ainfera_server.postgres import tenancy

STEPS_MAX = 200
"""How often a caller waits for a few contents to be deleted; the clock deletes the rest."""


class RetentionChange(BaseModel):
    """What a tenant wants kept from now on."""

    store_content: bool = Field(description="Whether prompts and answers are kept, encrypted.")
    days: int = Field(
        keeping.DAYS_DEFAULT,
        ge=1,
        le=keeping.DAYS_MAX,
        description="For how many days each of them is kept.",
    )


async def get_retention(gateway: Opened, caller: Caller, tenant_id: str) -> Response:
    """See whether your prompts and answers are kept; nothing is unless you say so."""
    _require_own(caller.tenant_id, tenant_id)
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        chosen = await contents_store.retention(connection, caller.tenant_id)
    if chosen is None:
        raise absent.tenant()
    return answers.json(_retention(caller.tenant_id, chosen))


async def change_retention(
    gateway: Opened, caller: Caller, tenant_id: str, body: RetentionChange
) -> Response:
    """Have your prompts and answers kept from now on, or no longer."""
    _require_own(caller.tenant_id, tenant_id)
    wanted = Retention(store_content=body.store_content, days=body.days)
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        await contents_actions.change_retention(
            connection, given.minting(gateway), tenant_id=caller.tenant_id, wanted=wanted
        )
    gateway.callers.forget_tenant(caller.tenant_id)
    return answers.json(_retention(caller.tenant_id, wanted))


async def delete_contents(gateway: Opened, caller: Caller, tenant_id: str) -> Response:
    """Delete all that is kept of your prompts and answers, with the key that reads it.

    Answers that calls could get again by their `Idempotency-Key` are deleted too.
    """
    _require_own(caller.tenant_id, tenant_id)
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        forgotten = await contents_actions.forget_everything(
            connection, given.minting(gateway), tenant_id=caller.tenant_id
        )
    gateway.callers.forget_tenant(caller.tenant_id)
    return answers.json(
        {
            "tenant_id": str(caller.tenant_id),
            "content_key_id": answers.identifier(forgotten.key_id),
            "stored_answers_deleted": forgotten.answers,
            "contents_deleted": await _cleared_up(gateway, caller.tenant_id),
        }
    )


async def get_content(gateway: Opened, caller: Caller, inference_id: str) -> Response:
    """Read what is kept of an inference: the request, the answer and the salt of their hashes."""
    wanted = InferenceId(ids.parsed(inference_id, absent.content))
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        kept = await contents_store.content(connection, wanted)
    if kept is None:
        raise absent.content()
    return answers.json({**_about(kept), **_words(gateway, kept)})


async def delete_content(gateway: Opened, caller: Caller, inference_id: str) -> Response:
    """Delete what is kept of one inference."""
    wanted = InferenceId(ids.parsed(inference_id, absent.content))
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        await contents_actions.forget(
            connection,
            given.recorder(gateway),
            tenant_id=caller.tenant_id,
            inference_id=wanted,
        )
    return answers.json({"inference_id": str(wanted), "deleted": True})


async def _cleared_up(gateway: Gateway, tenant_id: TenantId) -> int:
    """Delete what nobody can read any more, a few in each transaction; tells how many."""
    deleted = 0
    for _ in range(STEPS_MAX):
        async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
            step = await contents_store.forget_contents_of_tenant(connection, tenant_id)
        if step == 0:
            break
        deleted += step
    return deleted


def _require_own(tenant_id: TenantId, named: str) -> None:
    if ids.parsed(named, absent.tenant) != tenant_id:
        raise absent.tenant()


def _retention(tenant_id: TenantId, chosen: Retention) -> dict[str, Shown]:
    return {
        "tenant_id": str(tenant_id),
        "store_content": chosen.store_content,
        "days": chosen.days,
    }


def _about(kept: KeptContent) -> dict[str, Shown]:
    return {
        "inference_id": str(kept.inference_id),
        "agent_id": str(kept.agent_id),
        "receipt_id": answers.identifier(kept.receipt_id),
        "created_at": answers.moment(kept.created_at),
        "expires_at": answers.moment(kept.expires_at),
    }


def _words(gateway: Gateway, kept: KeptContent) -> dict[str, Shown]:
    """The words themselves, or why they were left out."""
    match kept.content:
        case SealedContent() as sealed:
            content = _opened(gateway, kept, sealed)
        case reason:
            return {
                "kept": False,
                "reason": reason,
                "bytes_max": keeping.CONTENT_BYTES_MAX,
                "request": None,
                "answer": None,
                "salt": None,
            }
    media_type = "text/event-stream" if kept.is_streamed else "application/json"
    return {
        "kept": True,
        "reason": None,
        "bytes_max": keeping.CONTENT_BYTES_MAX,
        "request": _body("application/json", content.request),
        "answer": _body(media_type, content.answer),
        "salt": content.salt.hex(),
    }


def _opened(gateway: Gateway, kept: KeptContent, sealed: SealedContent) -> Content:
    key = keeping.opened_key(
        kept.sealed_key,
        server_key=gateway.keyring.sealing_key,
        place=KeyPlace(tenant_id=kept.tenant_id, key_id=kept.key_id),
    )
    place = ContentPlace(tenant_id=kept.tenant_id, inference_id=kept.inference_id)
    return keeping.unseal(sealed, key=key, place=place)


def _body(media_type: str, octets: bytes) -> dict[str, Shown]:
    """Bytes as text where they are, and otherwise as base64; the hashes are of the bytes."""
    try:
        return {"media_type": media_type, "text": octets.decode(), "base64": None}
    except UnicodeDecodeError:
        encoded = base64.b64encode(octets).decode("ascii")
        return {"media_type": media_type, "text": None, "base64": encoded}
