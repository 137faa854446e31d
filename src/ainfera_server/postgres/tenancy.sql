-- Who a transaction is for. Each setting ends with its transaction, so it cannot reach the next one
-- on the same connection, not even through a pooler.

-- name: become_tenant
-- Row security shows, and takes, the rows of this tenant only.
select set_config('app.tenant_id', $1, true)

-- name: present_key
-- Before it is known who calls: shows the one API key that was presented, by its public id.
select set_config('app.key_id', $1, true)

-- name: name_public_agent
-- Anybody may verify an agent's chain: shows that one chain to whoever names the agent.
select set_config('app.public_agent_id', $1, true)
