"""What changes tenants, agents and keys, each with its events in the same commit.

Every action takes the transaction it is given, opened for the tenant it is about. A new tenant's id
is made by whoever opens that transaction.
"""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ainfera_server import identifiers
from ainfera_server.accounts import absent, api_keys, card_actions, names, store
from ainfera_server.accounts.agent_cards import Card
from ainfera_server.accounts.api_keys import KeyId, KeyScope, NewKey
from ainfera_server.accounts.minting import Minting
from ainfera_server.accounts.signup import Signup
from ainfera_server.accounts.store import Agent, ListedKey, NewAgent, Tenant
from ainfera_server.audit import store as audit_store
from ainfera_server.audit.events import Event, EventType
from ainfera_server.audit.recorder import Recorder
from ainfera_server.errors import HandleTaken
from ainfera_server.identifiers import AgentId, Cell, TenantId
from ainfera_server.postgres.pool import Connection
from ainfera_server.wallet import actions as wallet_actions

KEY_NAME_DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedUp:
    """A newcomer's tenant and agent; the key is shown now and never again."""

    tenant: Tenant
    agent: Agent
    card: Card
    api_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedKey:
    """A key just made; `presented` is shown now and never again."""

    listed: ListedKey
    presented: str = field(repr=False)


class Born(NamedTuple):
    """A new agent with its first card, and the events that say so."""

    agent: Agent
    card: Card
    events: tuple[Event, ...]


async def signup(
    connection: Connection, minting: Minting, asked: Signup, *, tenant_id: TenantId
) -> SignedUp:
    """Open everything a newcomer needs: tenant, agent, card, wallet, key and the grant.

    Raises HandleTaken; then the transaction must not be committed.
    """
    recorder = minting.recorder
    tenant = Tenant(
        tenant_id=tenant_id,
        name=asked.tenant_name or asked.owner_handle,
        owner_handle=asked.owner_handle,
        owner_source=asked.owner_source,
        owner_contact=asked.owner_contact,
        created_at=recorder.now,
    )
    await store.write_tenant(connection, tenant)
    born = await _open_agent(connection, minting, tenant, asked, name=asked.agent_handle)
    agent_id = born.agent.agent_id
    key, key_created = await _open_key(
        connection, minting, born.agent, name=KEY_NAME_DEFAULT, scope="owner"
    )
    await wallet_actions.open_tenant_accounts(connection, recorder, tenant_id)
    events = [*born.events, key_created]
    if minting.signup_grant > 0:
        granted = await wallet_actions.deposit(
            connection,
            recorder,
            tenant_id=tenant_id,
            place=agent_id,
            told=agent_id,
            amount=minting.signup_grant,
            kind="grant",
        )
        events.append(granted.event)
    await audit_store.append(connection, events, recorder.signer)
    return SignedUp(tenant=tenant, agent=born.agent, card=born.card, api_key=key.presented)


async def register_tenant(
    connection: Connection, minting: Minting, *, tenant_id: TenantId, name: str
) -> SignedUp:
    """Open a tenant under a free name, with an agent that its key acts for. Raises Invalid."""
    asked = Signup(
        agent_handle=names.handle_from(
            names.name(name, param="name"), suffix=names.suffix(tenant_id)
        ),
        tenant_name=name,
    )
    return await signup(connection, minting, asked, tenant_id=tenant_id)


async def register(
    connection: Connection, minting: Minting, *, tenant_id: TenantId, name: str
) -> Agent:
    """Add an agent, with an empty wallet, to a tenant. Raises NotFound and Invalid."""
    tenant = await store.tenant(connection, tenant_id)
    if tenant is None:
        raise absent.tenant()
    some_id = minting.recorder.new_id(identifiers.cell_of(tenant_id))
    handle = names.handle_from(names.name(name, param="name"), suffix=names.suffix(some_id))
    asked = Signup(agent_handle=handle)
    born = await _open_agent(connection, minting, tenant, asked, name=name)
    await audit_store.append(connection, born.events, minting.recorder.signer)
    return born.agent


async def create_key(
    connection: Connection,
    minting: Minting,
    *,
    agent_id: AgentId,
    name: str,
    scope: KeyScope = "owner",
) -> CreatedKey:
    """Make another key that acts for an agent. Raises NotFound and Invalid."""
    key_name = names.name(name, param="name")
    heads = await audit_store.lock_heads(connection, [agent_id])
    agent = await store.agent(connection, agent_id) if heads else None
    if agent is None:
        raise absent.agent()
    key, created = await _open_key(connection, minting, agent, name=key_name, scope=scope)
    await audit_store.append(connection, [created], minting.recorder.signer)
    listed = ListedKey(
        key_id=key.key_id,
        tenant_id=agent.tenant_id,
        agent_id=agent_id,
        name=key_name,
        scope=scope,
        last_four=key.last_four,
        created_at=minting.recorder.now,
        revoked_at=None,
    )
    return CreatedKey(listed=listed, presented=key.presented)


async def revoke_key(
    connection: Connection, recorder: Recorder, *, cell: Cell, key_id: KeyId
) -> ListedKey:
    """Withdraw a key; withdrawing it again changes nothing. Raises NotFound."""
    key = await store.api_key(connection, cell, key_id)
    if key is None:
        raise absent.api_key()
    await audit_store.lock_heads(connection, [key.agent_id])
    if not await store.revoke_api_key(connection, cell, key_id, now=recorder.now):
        return key
    revoked = recorder.event(
        EventType.API_KEY_REVOKED,
        {"key_id": key_id},
        tenant_id=key.tenant_id,
        agent_id=key.agent_id,
    )
    await audit_store.append(connection, [revoked], recorder.signer)
    return replace(key, revoked_at=recorder.now)


async def _open_agent(
    connection: Connection, minting: Minting, tenant: Tenant, asked: Signup, *, name: str
) -> Born:
    """Write an agent with its address, chain, wallet and first card."""
    recorder = minting.recorder
    cell = identifiers.cell_of(tenant.tenant_id)
    key = card_actions.make_key(minting)
    agent = Agent(
        agent_id=AgentId(recorder.new_id(cell)),
        tenant_id=tenant.tenant_id,
        name=name,
        handle=asked.agent_handle,
        canonical_uri=names.canonical_uri(tenant.owner_handle, asked.agent_handle),
        did_web=names.did_web(tenant.owner_handle, asked.agent_handle),
        status="active",
        spend_policy=asked.spend_policy,
        wallet_address=asked.wallet_address,
        metadata=asked.metadata,
        card_key_id=key.key_id,
        card_alg=key.alg,
        public_key_pem=key.public_key_pem,
        created_at=recorder.now,
    )
    new = NewAgent(
        agent=agent,
        owner_handle=tenant.owner_handle,
        private_key_sealed=card_actions.sealed(minting, agent.agent_id, key),
    )
    if not await store.claim_address(connection, new):
        raise HandleTaken(
            f"{agent.canonical_uri!r} belongs to another agent. Choose another agent_handle.",
            param="agent_handle",
        )
    await store.write_agent(connection, new)
    await audit_store.open_chain(connection, tenant.tenant_id, agent.agent_id)
    await wallet_actions.open_wallet(
        connection, recorder, tenant_id=tenant.tenant_id, agent_id=agent.agent_id
    )
    card, minted = await card_actions.issue(connection, recorder, agent, key)
    return Born(agent=agent, card=card, events=(_registered(recorder, agent), minted))


async def _open_key(
    connection: Connection, minting: Minting, agent: Agent, *, name: str, scope: KeyScope
) -> tuple[NewKey, Event]:
    key = api_keys.make(
        cell=identifiers.cell_of(agent.agent_id),
        random=minting.random(api_keys.RANDOM_BYTES),
        pepper=minting.pepper,
    )
    await store.write_api_key(
        connection,
        key,
        tenant_id=agent.tenant_id,
        agent_id=agent.agent_id,
        name=name,
        scope=scope,
        created_at=minting.recorder.now,
    )
    created = minting.recorder.event(
        EventType.API_KEY_CREATED,
        {"key_id": key.key_id, "scope": scope},
        tenant_id=agent.tenant_id,
        agent_id=agent.agent_id,
    )
    return key, created


def _registered(recorder: Recorder, agent: Agent) -> Event:
    return recorder.event(
        EventType.AGENT_REGISTERED,
        {
            "handle": agent.handle,
            "canonical_uri": agent.canonical_uri,
            "did_web": agent.did_web,
            "card_kid": agent.card_key_id,
            "card_alg": agent.card_alg,
        },
        tenant_id=agent.tenant_id,
        agent_id=agent.agent_id,
    )
