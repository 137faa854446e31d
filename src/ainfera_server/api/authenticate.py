"""Who calls: the key in a request's headers, and the agent that pays for what it asks."""

import hashlib
from dataclasses import dataclass, field
from uuid import UUID
from weakref import WeakKeyDictionary

from starlette.datastructures import Headers

from ainfera_server.accounts import absent, api_keys
from ainfera_server.accounts import store as accounts_store
from ainfera_server.accounts.api_keys import KeyId, Presented
from ainfera_server.accounts.store import Payer
from ainfera_server.api import ids
from ainfera_server.api.short_memory import ShortMemory
from ainfera_server.errors import Unauthenticated
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId, TenantId
from ainfera_server.journal import Journal
from ainfera_server.postgres import tenancy

BEARER = "bearer "


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who calls: a key, its tenant, and the agent that acts when the caller names none."""

    key_id: KeyId
    payer: Payer

    @property
    def tenant_id(self) -> TenantId:
        """Whose things the caller may see."""
        return self.payer.tenant_id

    @property
    def agent_id(self) -> AgentId:
        """Who acts when no agent is named."""
        return self.payer.agent_id


async def authenticate(gateway: Gateway, headers: Headers) -> Principal:
    """Find out who calls, without any lookup when what was sent cannot be a key.

    Raises Unauthenticated, in the same words whatever was wrong with the key, and
    StoreUnavailable when nobody can tell.
    """
    text = _presented_text(headers)
    presented = None if text is None else api_keys.parse(text)
    if text is None or presented is None:
        raise _opens_nothing()
    digest = hashlib.sha256(text.encode("ascii")).digest()
    known = _known_to(gateway).principals
    now_s, generation = gateway.monotonic(), known.generation
    principal = known.recall(digest, now_s=now_s)
    if principal is None:
        principal = await _looked_up(gateway, presented)
        known.remember(digest, principal, asked_at_s=now_s, generation=generation)
    return principal


async def paying_agent(gateway: Gateway, principal: Principal, agent_id: str | None) -> Payer:
    """The agent that pays: the key's own, or another of its tenant. Raises NotFound."""
    if agent_id is None:
        return principal.payer
    wanted = AgentId(ids.parsed(agent_id, absent.agent))
    if wanted == principal.agent_id:
        return principal.payer
    known = _known_to(gateway).payers
    now_s, generation = gateway.monotonic(), known.generation
    payer = known.recall((principal.tenant_id, wanted), now_s=now_s)
    if payer is None:
        payer = await _payer(gateway, principal.tenant_id, wanted)
        if payer is None:
            raise absent.agent()
        key = (principal.tenant_id, wanted)
        known.remember(key, payer, asked_at_s=now_s, generation=generation)
    return payer


def forget_key(gateway: Gateway, key_id: KeyId) -> None:
    """Stop believing a key at once: it was revoked."""
    _known_to(gateway).principals.forget(lambda principal: principal.key_id == key_id)


def forget_agent(gateway: Gateway, agent_id: AgentId) -> None:
    """Look an agent's limits up anew: they were changed."""
    known = _known_to(gateway)
    known.principals.forget(lambda principal: principal.agent_id == agent_id)
    known.payers.forget(lambda payer: payer.agent_id == agent_id)


def _presented_text(headers: Headers) -> str | None:
    """The key as it was sent; None when none was. Raises Unauthenticated for two that differ."""
    bearers = [_bearer(value) for value in headers.getlist("authorization") if value.strip()]
    bare = [value.strip() for value in headers.getlist("x-api-key") if value.strip()]
    sent = {*bearers, *bare}
    if len(sent) > 1:
        raise Unauthenticated(
            "Two different keys were sent. Send one, as `Authorization: Bearer` or as `x-api-key`."
        )
    return sent.pop() if sent else None


def _bearer(value: str) -> str:
    """The key of an Authorization header; one of another scheme stays as it is, and is no key."""
    is_bearer = value[: len(BEARER)].lower() == BEARER
    return value[len(BEARER) :].strip() if is_bearer else value


async def _looked_up(gateway: Gateway, presented: Presented) -> Principal:
    """Compare the secret, for as long when there is no such key, and find who pays."""
    async with tenancy.key_transaction(gateway.pools.app, presented.key_id) as connection:
        record = await accounts_store.presented_key(connection, presented.cell, presented.key_id)
    secret_hash = None if record is None else record.secret_hash
    is_match = api_keys.matches(presented, secret_hash, gateway.keyring.api_key_pepper)
    if record is None or not is_match or record.revoked_at is not None:
        raise _opens_nothing()
    payer = await _payer(gateway, record.tenant_id, record.agent_id)
    if payer is None:
        raise _opens_nothing()
    return Principal(key_id=presented.key_id, payer=payer)


async def _payer(gateway: Gateway, tenant_id: TenantId, agent_id: AgentId) -> Payer | None:
    async with tenancy.tenant_transaction(gateway.pools.app, tenant_id) as connection:
        return await accounts_store.payer(connection, agent_id)


def _opens_nothing() -> Unauthenticated:
    return Unauthenticated(
        "No valid API key was sent. Send one as `Authorization: Bearer ainfera_...` or as "
        "`x-api-key`; POST /v1/agents/signup makes one."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What one gateway's callers turned out to be; keys only as their SHA-256."""

    principals: ShortMemory[bytes, Principal] = field(default_factory=ShortMemory[bytes, Principal])
    payers: ShortMemory[tuple[TenantId, UUID], Payer] = field(
        default_factory=ShortMemory[tuple[TenantId, UUID], Payer]
    )


_KNOWN: "WeakKeyDictionary[Journal[object, object], _Known]" = WeakKeyDictionary()
"""One memory for each gateway, found by its journal, and gone with it."""


def _known_to(gateway: Gateway) -> _Known:
    return _KNOWN.setdefault(gateway.journal, _Known())
