-- What whoever runs the server may ask: about every tenant, so never through the HTTP door.

-- name: every_agent
-- All agents, oldest first.
select agent_id, tenant_id, canonical_uri, name, status, created_at
from agents
order by created_at, agent_id
limit $1

-- name: agent_by_id
-- One agent, whoever it belongs to.
select agent_id, tenant_id, canonical_uri, name, status, created_at
from agents
where cell = $1 and agent_id = $2

-- name: agent_by_address
-- One agent by its address in the directory.
select
    agent.agent_id, agent.tenant_id, agent.canonical_uri, agent.name, agent.status,
    agent.created_at
from directory
join agents agent on agent.cell = directory.cell and agent.agent_id = directory.agent_id
where directory.canonical_uri = $1
