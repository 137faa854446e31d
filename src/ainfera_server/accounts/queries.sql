-- Tenants, their agents, the agents' cards and the keys that act for them.

-- name: claim_address
-- An address belongs to whoever comes first; whoever comes second writes nothing at all.
insert into directory (
    canonical_uri, cell, agent_id, owner_handle, agent_handle, card_key_id, card_key_alg,
    card_public_key_pem, created_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (canonical_uri) do nothing
returning canonical_uri

-- name: listed
-- What anybody may know about an agent.
select
    canonical_uri, agent_id, owner_handle, agent_handle, card_key_id, card_key_alg,
    card_public_key_pem
from directory
where agent_id = $1

-- name: write_tenant
-- A new tenant.
insert into tenants (
    cell, tenant_id, name, owner_handle, owner_source, owner_contact, created_at
)
values ($1, $2, $3, $4, $5, $6, $7)

-- name: write_agent
-- A new agent, ready to act.
insert into agents (
    cell, agent_id, tenant_id, name, handle, canonical_uri, did_web, status, per_call_cap,
    daily_cap, spend_policy, wallet_address, metadata, card_key_id, card_key_alg,
    card_public_key_pem, card_private_key_sealed, created_at
)
values (
    $1, $2, $3, $4, $5, $6, $7, 'active', $8, $9, $10, $11, $12, $13, $14, $15, $16, $17
)

-- name: write_card
-- A card that was issued; older ones stay, so that what they signed can be looked up.
insert into agent_cards (cell, card_id, tenant_id, agent_id, key_id, jws, created_at)
values ($1, $2, $3, $4, $5, $6, $7)

-- name: write_api_key
-- Of a secret only its keyed hash is kept.
insert into api_keys (
    cell, key_id, tenant_id, agent_id, name, secret_hash, last_four, created_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: revoke_api_key
-- A key is revoked once; the second time changes nothing.
update api_keys set revoked_at = $3
where cell = $1 and key_id = $2 and revoked_at is null
returning key_id

-- name: presented_key
-- Who calls: the key that was presented, before anything is known about its tenant.
select key_id, tenant_id, agent_id, secret_hash, revoked_at
from api_keys
where cell = $1 and key_id = $2

-- name: api_keys
-- A tenant's keys as its owner sees them, newest first.
select key_id, tenant_id, agent_id, name, last_four, created_at, revoked_at
from api_keys
where cell = $1 and tenant_id = $2
order by created_at desc, key_id
limit $3

-- name: api_key
-- One key as its owner sees it.
select key_id, tenant_id, agent_id, name, last_four, created_at, revoked_at
from api_keys
where cell = $1 and key_id = $2

-- name: payer
-- All that an inference needs to know about who pays for it.
select
    agent.tenant_id, agent.agent_id, agent.status, agent.per_call_cap, agent.daily_cap,
    agent.spend_policy, wallet.account_id as wallet_id, revenue.account_id as revenue_id
from agents agent
join accounts wallet
    on wallet.cell = agent.cell and wallet.agent_id = agent.agent_id and wallet.kind = 'wallet'
join accounts revenue
    on revenue.cell = agent.cell and revenue.tenant_id = agent.tenant_id
    and revenue.kind = 'revenue'
where agent.cell = $1 and agent.agent_id = $2

-- name: tenant
-- One tenant.
select tenant_id, name, owner_handle, owner_source, owner_contact, created_at
from tenants
where cell = $1 and tenant_id = $2

-- name: agent
-- One agent.
select
    agent_id, tenant_id, name, handle, canonical_uri, did_web, status, per_call_cap, daily_cap,
    spend_policy, wallet_address, metadata, card_key_id, card_key_alg, card_public_key_pem,
    created_at
from agents
where cell = $1 and agent_id = $2

-- name: agents
-- A tenant's agents, newest first.
select
    agent_id, tenant_id, name, handle, canonical_uri, did_web, status, per_call_cap, daily_cap,
    spend_policy, wallet_address, metadata, card_key_id, card_key_alg, card_public_key_pem,
    created_at
from agents
where cell = $1 and tenant_id = $2
order by agent_id desc
limit $3

-- name: sealed_card_key
-- The sealed half of an agent's key, to sign another card with.
select card_private_key_sealed from agents where cell = $1 and agent_id = $2

-- name: card
-- The card that an agent shows now.
select jws, created_at
from agent_cards
where cell = $1 and agent_id = $2
order by card_id desc
limit 1
