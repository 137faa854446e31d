"""Who calls: the key that was presented, and the agent that pays for what it asks."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from ainfera_server import identifiers
from ainfera_server.accounts import absent, api_keys, store
from ainfera_server.accounts.api_keys import KeyId, KeyScope, Presented
from ainfera_server.accounts.short_memory import ShortMemory
from ainfera_server.accounts.store import Payer
from ainfera_server.errors import KeyScopeInsufficient, Unauthenticated
from ainfera_server.identifiers import AgentId, TenantId
from ainfera_server.postgres import tenancy
from ainfera_server.postgres.pool import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who calls: a key, its tenant, and the agent that acts when the caller names none."""

    key_id: KeyId
    scope: KeyScope
    payer: Payer

    @property
    def tenant_id(self) -> TenantId:
        """Whose things the caller may see."""
        return self.payer.tenant_id

    @property
    def agent_id(self) -> AgentId:
        """Who acts when no agent is named."""
        return self.payer.agent_id

    def require_owner(self) -> None:
        """Let nobody change anything who may only ask. Raises KeyScopeInsufficient."""
        if self.scope != "owner":
            raise KeyScopeInsufficient(
                "This key has the scope `inference`: it may ask models, count tokens, record"
                " outcomes and read, and change nothing else. Use a key of the scope `owner`;"
                " whoever has one can make another with POST /v1/keys."
            )

    def require_may_act_for(self, agent_id: AgentId) -> None:
        """Let a key that may only ask act for its own agent. Raises KeyScopeInsufficient."""
        if self.scope != "owner" and agent_id != self.agent_id:
            raise KeyScopeInsufficient(
                "This key has the scope `inference`: it acts for its own agent and for no other."
                " Use a key of the other agent's, or one of the scope `owner`; whoever has one of"
                " those can make both with POST /v1/keys."
            )


class Callers:
    """Finds out who calls, and remembers it for a few seconds, keys only as their SHA-256."""

    def __init__(self, pool: Pool, *, pepper: bytes, monotonic: Callable[[], float]) -> None:
        self._pool = pool
        self._pepper = pepper
        self._monotonic = monotonic
        self._principals = ShortMemory[bytes, Principal]()
        self._payers = ShortMemory[tuple[TenantId, AgentId], Payer]()

    async def principal(self, text: str | None) -> Principal:
        """Find out who calls, without any lookup when what was sent cannot be a key.

        Raises Unauthenticated, in the same words whatever was wrong with the key, and
        StoreUnavailable when nobody can tell.
        """
        presented = None if text is None else api_keys.parse(text)
        if text is None or presented is None:
            raise _opens_nothing()
        digest = hashlib.sha256(text.encode("ascii")).digest()
        now_s, generation = self._monotonic(), self._principals.generation
        known = self._principals.recall(digest, now_s=now_s)
        if known is not None:
            return known
        found = await self._looked_up(presented)
        self._principals.remember(digest, found, asked_at_s=now_s, generation=generation)
        return found

    async def payer(self, principal: Principal, agent_id: str | None) -> Payer:
        """The agent that pays: the key's own, or for an owner's key another of its tenant.

        Raises NotFound, and KeyScopeInsufficient before anything is looked up.
        """
        if agent_id is None:
            return principal.payer
        parsed = identifiers.parsed(agent_id)
        if parsed is None:
            raise absent.agent()
        wanted = AgentId(parsed)
        if wanted == principal.agent_id:
            return principal.payer
        principal.require_may_act_for(wanted)
        key = (principal.tenant_id, wanted)
        now_s, generation = self._monotonic(), self._payers.generation
        known = self._payers.recall(key, now_s=now_s)
        if known is not None:
            return known
        found = await self._payer(principal.tenant_id, wanted)
        if found is None:
            raise absent.agent()
        self._payers.remember(key, found, asked_at_s=now_s, generation=generation)
        return found

    def forget_key(self, key_id: KeyId) -> None:
        """Stop believing a key at once: it was revoked."""
        self._principals.forget(lambda principal: principal.key_id == key_id)

    def forget_agent(self, agent_id: AgentId) -> None:
        """Look an agent's limits up anew: they were changed."""
        self._principals.forget(lambda principal: principal.agent_id == agent_id)
        self._payers.forget(lambda payer: payer.agent_id == agent_id)

    def forget_tenant(self, tenant_id: TenantId) -> None:
        """Look up anew what holds for all agents of a tenant: it was changed."""
        self._principals.forget(lambda principal: principal.tenant_id == tenant_id)
        self._payers.forget(lambda payer: payer.tenant_id == tenant_id)

    async def _looked_up(self, presented: Presented) -> Principal:
        """Compare the secret, for as long when there is no such key, and find who pays."""
        async with tenancy.key_transaction(self._pool, presented.key_id) as connection:
            record = await store.presented_key(connection, presented.cell, presented.key_id)
        secret_hash = None if record is None else record.secret_hash
        is_match = api_keys.matches(presented, secret_hash, self._pepper)
        if record is None or not is_match or record.revoked_at is not None:
            raise _opens_nothing()
        payer = await self._payer(record.tenant_id, record.agent_id)
        if payer is None:
            raise _opens_nothing()
        return Principal(key_id=presented.key_id, scope=record.scope, payer=payer)

    async def _payer(self, tenant_id: TenantId, agent_id: AgentId) -> Payer | None:
        async with tenancy.tenant_transaction(self._pool, tenant_id) as connection:
            return await store.payer(connection, agent_id)


def _opens_nothing() -> Unauthenticated:
    return Unauthenticated(
        "No valid API key was sent. Send one as `Authorization: Bearer ainfera_...` or as "
        "`x-api-key`; POST /v1/agents/signup makes one."
    )
