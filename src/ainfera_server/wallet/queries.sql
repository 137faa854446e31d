-- Money: accounts, the transfers between them, and the entries that prove the balances.

-- name: open_account
-- Every account starts empty.
insert into accounts (cell, account_id, tenant_id, agent_id, kind) values ($1, $2, $3, $4, $5)

-- name: lock_accounts
-- Both sides of a transfer, wallets by their agents, in one order everywhere.
select
    account_id, agent_id, kind, debits_posted, credits_posted, debits_pending, version
from accounts
where cell = $1 and tenant_id = $2 and (agent_id = any($3::uuid[]) or kind = any($4::text[]))
order by account_id
for update

-- name: write_posted_transfer
-- What was not held is posted as it is made: a grant, a top-up, a move.
insert into transfers (
    cell, transfer_id, tenant_id, agent_id, kind, debit_account_id, credit_account_id,
    amount_held, amount_posted, state, day, memo, created_at, resolved_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $8, 'posted', $9, $10, $11, $11)

-- name: write_entries
-- Two entries for each posted transfer, numbered without gaps within their account.
insert into ledger_entries (
    cell, account_id, account_version, entry_id, tenant_id, transfer_id, side, amount,
    balance_after, created_at
)
select
    cell, account_id, account_version, entry_id, tenant_id, transfer_id, side, amount,
    balance_after, created_at
from json_populate_recordset(null::ledger_entries, $1::json)

-- name: write_posted
-- The totals that follow from the entries; what is pending is not an action's business.
update accounts account set
    debits_posted = changed.debits_posted,
    credits_posted = changed.credits_posted,
    version = changed.version
from json_populate_recordset(null::accounts, $1::json) changed
where account.cell = changed.cell and account.account_id = changed.account_id

-- name: wallet
-- What a wallet holds.
select account_id, kind, debits_posted, credits_posted, debits_pending, version
from accounts
where cell = $1 and agent_id = $2 and kind = 'wallet'

-- name: wallets
-- All wallets of a tenant, in the order in which their agents came.
select
    agent_id, account_id, kind, debits_posted, credits_posted, debits_pending, version
from accounts
where cell = $1 and tenant_id = $2 and kind = 'wallet'
order by agent_id

-- name: pool
-- What a tenant's shared pool holds.
select account_id, kind, debits_posted, credits_posted, debits_pending, version
from accounts
where cell = $1 and tenant_id = $2 and kind = 'pool'

-- name: allowances
-- What an agent, and all agents of its tenant, spent today and this month by the database's date.
select
    asked.name, asked.cap, coalesce(spent.posted, 0)::bigint as posted,
    coalesce(spent.pending, 0)::bigint as pending, asked.ends at time zone 'UTC' as resets_at
from agents agent
join tenants tenant on tenant.cell = agent.cell and tenant.tenant_id = agent.tenant_id
cross join lateral (
    select
        date_trunc('day', now() at time zone 'UTC') as day,
        date_trunc('month', now() at time zone 'UTC') as month
) this
cross join lateral (values
    (
        1, 'day', 'agent', agent.agent_id, 'day', agent.daily_cap,
        this.day, this.day + interval '1 day'
    ),
    (
        2, 'month', 'agent', agent.agent_id, 'month', agent.monthly_cap,
        this.month, this.month + interval '1 month'
    ),
    (
        3, 'tenant_day', 'tenant', tenant.tenant_id, 'day', tenant.daily_cap,
        this.day, this.day + interval '1 day'
    ),
    (
        4, 'tenant_month', 'tenant', tenant.tenant_id, 'month', tenant.monthly_cap,
        this.month, this.month + interval '1 month'
    )
) as asked(place, name, scope, owner_id, period, cap, starts, ends)
left join spending spent
    on spent.cell = agent.cell and spent.scope = asked.scope
    and spent.scope_key = asked.owner_id::text and spent.period = asked.period
    and spent.starts = asked.starts::date
where agent.cell = $1 and agent.agent_id = $2
order by asked.place

-- name: ledger
-- An account's entries, newest first, with what moved the money.
select
    entry.entry_id, entry.account_version, entry.side, entry.amount, entry.balance_after,
    entry.transfer_id, transfer.agent_id, transfer.kind, transfer.memo, transfer.inference_id,
    entry.created_at
from ledger_entries entry
join transfers transfer
    on transfer.cell = entry.cell and transfer.transfer_id = entry.transfer_id
where entry.cell = $1 and entry.account_id = $2 and entry.account_version < $3
order by entry.account_version desc
limit $4

-- name: take_key
-- The first to come owns the key; one that outlived its time may be taken over. Whoever comes while
-- the first still works waits here for it to be committed.
insert into idempotency_keys (cell, scope, tenant_id, body_hash, state, created_at, expires_at)
values ($1, $2, $3, $4, 'running', now(), now() + make_interval(secs => $5))
on conflict (cell, scope) do update set
    body_hash = excluded.body_hash,
    state = 'running',
    answer_sealed = null,
    created_at = excluded.created_at,
    expires_at = excluded.expires_at
where idempotency_keys.expires_at < now()
returning scope

-- name: kept_answer
-- What is known of a key that somebody else took.
select body_hash, answer_sealed from idempotency_keys where cell = $1 and scope = $2

-- name: keep_answer
-- The answer is kept in the transaction that moves the money, so the two cannot part.
update idempotency_keys set state = 'answered', answer_sealed = $3 where cell = $1 and scope = $2
