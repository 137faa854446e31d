-- Windows of spending, a shared pool, and where an answer's price goes.
--
-- A hold counts in each window that it falls into: its agent's and its tenant's day and month, and
-- below an agent its session, its subagent and whoever stands above that one. Each window carries
-- the cap in force, so that the database itself refuses to break it.

alter table tenants
    add column daily_cap bigint check (daily_cap > 0),
    add column monthly_cap bigint check (monthly_cap > 0),
    add column wallet_strict_per_agent boolean not null default false;

alter table agents
    add column monthly_cap bigint check (monthly_cap > 0),
    add column session_cap bigint check (session_cap > 0),
    add column subagent_cap bigint check (subagent_cap > 0),
    add column may_exceed_hold boolean not null default false;

-- What a transfer counted in besides its agent's and its tenant's windows: a session, then the
-- subagent that called, then those above it, nearest first, as a JSON array.
alter table transfers add column subagents text;

alter table inferences
    add column session_id text,
    add column node text,
    add column parent_node text;

-- Accounts: a pool behind a tenant's wallets, and what providers are owed -------------------------

alter table accounts
    drop constraint accounts_kind_check,
    drop constraint wallet_is_never_overdrawn,
    add constraint accounts_kind_check check (
        kind in ('wallet', 'pool', 'grants', 'topups', 'revenue', 'provider_cost')
    ),
    add constraint wallet_is_never_overdrawn check (
        kind not in ('wallet', 'pool') or credits_posted - debits_posted - debits_pending >= 0
    );

-- Rows of all tenants are read and moved below, which row security hides even from their owner.
alter table tenants no force row level security;
alter table accounts no force row level security;
alter table agent_days no force row level security;

-- An id is a UUID of version 7 whose last byte is its cell, as everywhere.
insert into accounts (cell, account_id, tenant_id, kind)
select
    cell,
    (
        lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
        || substr(replace(gen_random_uuid()::text, '-', ''), 14, 17)
        || lpad(to_hex(cell::int), 2, '0')
    )::uuid,
    tenant_id,
    kind
from tenants, unnest(array['pool', 'provider_cost']) as kind;

-- Windows ----------------------------------------------------------------------------------------

create table spending (
    cell smallint not null,
    tenant_id uuid not null,
    scope text not null check (scope in ('agent', 'tenant', 'session', 'subagent')),
    scope_key text collate "C" not null,
    agent_id uuid,
    period text not null check (period in ('day', 'month', 'whole')),
    starts date not null,
    parent text,
    cap bigint check (cap >= 0),
    posted bigint not null default 0 check (posted >= 0),
    pending bigint not null default 0 check (pending >= 0),
    primary key (cell, scope, scope_key, period, starts),
    constraint cap_is_never_broken check (cap is null or posted + pending <= cap),
    check ((scope = 'tenant') = (agent_id is null)),
    check ((scope in ('agent', 'tenant')) = (period in ('day', 'month'))),
    check ((period = 'whole') = (starts = date '0001-01-01')),
    check (period <> 'month' or extract(day from starts) = 1),
    check (parent is null or scope = 'subagent')
);
create index spending_by_tenant on spending (cell, tenant_id, scope, period, starts);

insert into spending (
    cell, tenant_id, scope, scope_key, agent_id, period, starts, cap, posted, pending
)
select cell, tenant_id, 'agent', agent_id::text, agent_id, 'day', day, cap, posted, pending
from agent_days
union all
select
    cell, tenant_id, 'agent', agent_id::text, agent_id, 'month', date_trunc('month', day)::date,
    null, sum(posted)::bigint, sum(pending)::bigint
from agent_days
group by cell, tenant_id, agent_id, date_trunc('month', day)::date
union all
select
    cell, tenant_id, 'tenant', tenant_id::text, null, period, date_trunc(period, day)::date,
    null, sum(posted)::bigint, sum(pending)::bigint
from agent_days, unnest(array['day', 'month']) as period
group by cell, tenant_id, period, date_trunc(period, day)::date;

drop table agent_days;

alter table tenants force row level security;
alter table accounts force row level security;

-- Who may see and do what ------------------------------------------------------------------------

alter table spending enable row level security;
alter table spending force row level security;
create policy own_tenant on spending to ainfera_app
    using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))
    with check (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));
create policy every_tenant on spending to ainfera_writer using (true) with check (true);
create policy watch on spending for select to ainfera_ops using (true);

grant select on spending to ainfera_app, ainfera_writer, ainfera_ops;
grant update (cap) on spending to ainfera_app;
grant insert on spending to ainfera_writer;
grant update (parent, posted, pending) on spending to ainfera_writer;

grant update (daily_cap, monthly_cap, wallet_strict_per_agent) on tenants to ainfera_app;
grant update (monthly_cap, session_cap, subagent_cap, may_exceed_hold) on agents to ainfera_app;

-- A new window copies its tenant's cap while nobody can change it, and who locks a row must be
-- allowed to change something in it: this is what the foreign keys would refuse.
grant update (cell) on tenants to ainfera_writer;
grant update (amount_held) on transfers to ainfera_writer;
