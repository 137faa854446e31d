"""API keys: making another, listing them without their secrets, and withdrawing one."""

import re

from fastapi.responses import Response
from pydantic import BaseModel, Field

from ainfera_server.accounts import absent
from ainfera_server.accounts import actions as accounts_actions
from ainfera_server.accounts import store as accounts_store
from ainfera_server.accounts.api_keys import KeyId, KeyScope
from ainfera_server.accounts.store import ListedKey
from ainfera_server.api import answers, given, ids
from ainfera_server.api.answers import Shown
from ainfera_server.api.given import Caller, Opened
from ainfera_server.identifiers import AgentId, Cell
from ainfera_server.postgres import tenancy

KEY_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)


class KeyCreate(BaseModel):
    """Another key."""

    name: str = Field("default", description="What you call the key.")
    agent_id: str | None = Field(
        None, description="The agent that acts when a call names none; your key's own if left out."
    )
    scope: KeyScope = Field(
        "owner",
        description="`owner` may do all that you may; `inference` may ask models for its own"
        " agent, count tokens, record outcomes and read.",
    )


async def create_key(gateway: Opened, caller: Caller, body: KeyCreate) -> Response:
    """Make another key; it is shown once."""
    agent_id = caller.agent_id
    if body.agent_id is not None:
        agent_id = AgentId(ids.parsed(body.agent_id, absent.agent))
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        created = await accounts_actions.create_key(
            connection, given.minting(gateway), agent_id=agent_id, name=body.name, scope=body.scope
        )
    return answers.json({**_key(created.listed), "api_key": created.presented}, status=201)


async def list_keys(gateway: Opened, caller: Caller) -> Response:
    """List your keys, newest first; never their secrets."""
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        keys = await accounts_store.api_keys(connection, caller.tenant_id)
    return answers.json({"keys": [_key(key) for key in keys]})


async def revoke_key(gateway: Opened, caller: Caller, key_id: str) -> Response:
    """Withdraw a key; other processes stop believing it within five seconds."""
    if not KEY_ID.fullmatch(key_id):
        raise absent.api_key()
    async with tenancy.tenant_transaction(gateway.pools.app, caller.tenant_id) as connection:
        revoked = await accounts_actions.revoke_key(
            connection,
            given.recorder(gateway),
            cell=Cell(int(key_id[:2], 16)),
            key_id=KeyId(key_id),
        )
    gateway.callers.forget_key(revoked.key_id)
    return answers.json(_key(revoked))


def _key(key: ListedKey) -> dict[str, Shown]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "scope": key.scope,
        "agent_id": str(key.agent_id),
        "last_four": key.last_four,
        "created_at": answers.moment(key.created_at),
        "revoked_at": answers.moment(key.revoked_at),
    }
