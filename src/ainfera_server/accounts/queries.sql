-- Tenants, their agents and the keys that act for them.

-- name: claim_address
-- An address belongs to whoever comes first; whoever comes second writes nothing at all.
insert into directory (canonical_uri, cell, agent_id, owner_handle, agent_handle, created_at)
values ($1, $2, $3, $4, $5, $6)
on conflict (canonical_uri) do nothing
returning canonical_uri

-- name: listed
-- What anybody may know about an agent.
select canonical_uri, agent_id, owner_handle, agent_handle
from directory
where agent_id = $1

-- name: write_tenant
-- A new tenant.
insert into tenants (
    cell, tenant_id, name, owner_handle, owner_source, owner_contact, created_at
)
values ($1, $2, $3, $4, $5, $6, $7)

-- name: write_agent
-- A new agent, ready to act. The database publishes the key of its cards with it.
insert into agents (
    cell, agent_id, tenant_id, name, handle, canonical_uri, did_web, status, per_call_cap,
    daily_cap, monthly_cap, session_cap, subagent_cap, may_exceed_hold, spend_policy,
    wallet_address, metadata, card_key_id, card_key_alg, card_public_key_pem,
    card_private_key_sealed, created_at
)
values (
    $1, $2, $3, $4, $5, $6, $7, 'active', $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
    $19, $20, $21
)

-- name: write_api_key
-- Of a secret only its keyed hash is kept.
insert into api_keys (
    cell, key_id, tenant_id, agent_id, name, scope, secret_hash, last_four, created_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: revoke_api_key
-- A key is revoked once; the second time changes nothing.
update api_keys set revoked_at = $3
where cell = $1 and key_id = $2 and revoked_at is null
returning key_id

-- name: presented_key
-- Who calls: the key that was presented, before anything is known about its tenant.
select key_id, tenant_id, agent_id, scope, secret_hash, revoked_at
from api_keys
where cell = $1 and key_id = $2

-- name: api_keys
-- A tenant's keys as its owner sees them, newest first.
select key_id, tenant_id, agent_id, name, scope, last_four, created_at, revoked_at
from api_keys
where cell = $1 and tenant_id = $2
order by created_at desc, key_id
limit $3

-- name: api_key
-- One key as its owner sees it.
select key_id, tenant_id, agent_id, name, scope, last_four, created_at, revoked_at
from api_keys
where cell = $1 and key_id = $2

-- name: payer
-- All that an inference needs to know about who pays for it.
select
    agent.tenant_id, agent.agent_id, agent.status, agent.per_call_cap, agent.daily_cap,
    agent.monthly_cap, agent.session_cap, agent.subagent_cap, agent.may_exceed_hold,
    agent.spend_policy, wallet.account_id as wallet_id, pool.account_id as pool_id,
    provider_cost.account_id as provider_cost_id, revenue.account_id as revenue_id,
    tenant.content_days, content_key.key_id as content_key_id,
    content_key.sealed_key as content_key_sealed
from agents agent
join tenants tenant on tenant.cell = agent.cell and tenant.tenant_id = agent.tenant_id
join accounts wallet
    on wallet.cell = agent.cell and wallet.agent_id = agent.agent_id and wallet.kind = 'wallet'
join accounts pool
    on pool.cell = agent.cell and pool.tenant_id = agent.tenant_id and pool.kind = 'pool'
join accounts provider_cost
    on provider_cost.cell = agent.cell and provider_cost.tenant_id = agent.tenant_id
    and provider_cost.kind = 'provider_cost'
join accounts revenue
    on revenue.cell = agent.cell and revenue.tenant_id = agent.tenant_id
    and revenue.kind = 'revenue'
left join content_keys content_key
    on content_key.cell = agent.cell and content_key.tenant_id = agent.tenant_id
    and content_key.deleted_at is null and tenant.store_content
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
    monthly_cap, session_cap, subagent_cap, may_exceed_hold, spend_policy, wallet_address,
    metadata, card_key_id, card_key_alg, card_public_key_pem, created_at
from agents
where cell = $1 and agent_id = $2

-- name: agents
-- A tenant's agents, newest first.
select
    agent_id, tenant_id, name, handle, canonical_uri, did_web, status, per_call_cap, daily_cap,
    monthly_cap, session_cap, subagent_cap, may_exceed_hold, spend_policy, wallet_address,
    metadata, card_key_id, card_key_alg, card_public_key_pem, created_at
from agents
where cell = $1 and tenant_id = $2
order by agent_id desc
limit $3
