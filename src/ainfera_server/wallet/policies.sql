-- What owners allow: an agent's policy, a tenant's, and the caps of windows that are open.

-- name: spend_policy
-- What an owner allows an agent.
select
    per_call_cap, daily_cap, monthly_cap, session_cap, subagent_cap, may_exceed_hold, spend_policy
from agents
where cell = $1 and agent_id = $2

-- name: write_spend_policy
-- What an owner allows an agent from now on.
update agents set
    per_call_cap = $3,
    daily_cap = $4,
    monthly_cap = $5,
    session_cap = $6,
    subagent_cap = $7,
    may_exceed_hold = $8,
    spend_policy = $9
where cell = $1 and agent_id = $2

-- name: tenant_policy
-- What an owner allows all agents together.
select daily_cap, monthly_cap, wallet_strict_per_agent
from tenants
where cell = $1 and tenant_id = $2

-- name: lock_tenant_policy
-- The same, locked: a window that opens copies its cap from here.
select daily_cap, monthly_cap, wallet_strict_per_agent
from tenants
where cell = $1 and tenant_id = $2
for no key update

-- name: write_tenant_policy
-- What an owner allows all agents together from now on.
update tenants set daily_cap = $3, monthly_cap = $4, wallet_strict_per_agent = $5
where cell = $1 and tenant_id = $2

-- name: lock_open_windows
-- What may still be spent in, of a tenant or of one of its agents, in one order everywhere. By the
-- database's own date: a transaction that begins just before midnight may meet tomorrow's row.
select scope, scope_key, period, starts
from spending
where cell = $1 and tenant_id = $2
    and ((scope = 'tenant' and $3::uuid is null) or agent_id = $3)
    and (period = 'whole' or starts >= date_trunc(period, now() at time zone 'UTC')::date)
order by scope, scope_key, period, starts
for update

-- name: write_caps_of_windows
-- The cap that the database enforces from now on; one below what is spent stops at what is spent.
update spending set cap = case
    when wanted.cap is null then null
    else greatest(wanted.cap, spending.posted + spending.pending)
end
from (values
    ('agent', 'day', $4::bigint), ('agent', 'month', $5::bigint),
    ('session', 'whole', $6::bigint), ('subagent', 'whole', $7::bigint)
) as wanted(scope, period, cap)
where spending.cell = $1 and spending.tenant_id = $2 and spending.agent_id = $3
    and spending.scope = wanted.scope and spending.period = wanted.period
    and (
        spending.period = 'whole'
        or spending.starts >= date_trunc(spending.period, now() at time zone 'UTC')::date
    )

-- name: write_caps_of_tenant_windows
-- The same for all agents together.
update spending set cap = case
    when wanted.cap is null then null
    else greatest(wanted.cap, spending.posted + spending.pending)
end
from (values ('day', $3::bigint), ('month', $4::bigint)) as wanted(period, cap)
where spending.cell = $1 and spending.tenant_id = $2
    and spending.scope = 'tenant' and spending.period = wanted.period
    and spending.starts >= date_trunc(spending.period, now() at time zone 'UTC')::date

-- name: first_agent
-- Whose chain tells what concerns a tenant as a whole; ids grow with time.
select agent_id from agents where cell = $1 and tenant_id = $2 order by agent_id limit 1
