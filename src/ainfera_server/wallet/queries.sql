-- Money: accounts, the transfers between them, and the entries that prove the balances.

-- name: open_account
-- Every account starts empty.
insert into accounts (cell, account_id, tenant_id, agent_id, kind) values ($1, $2, $3, $4, $5)

-- name: lock_wallet_and
-- A wallet and the tenant's account on the far side of a transfer, in one order everywhere.
select
    account_id, kind, debits_posted, credits_posted, debits_pending, version
from accounts
where cell = $1 and tenant_id = $2 and (agent_id = $3 or kind = $4)
order by account_id
for update

-- name: write_deposit
-- A grant or a top-up is never held: it is posted as it is made.
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

-- name: spend_policy
-- What an owner allows an agent.
select per_call_cap, daily_cap, spend_policy from agents where cell = $1 and agent_id = $2

-- name: write_spend_policy
-- What an owner allows an agent from now on.
update agents set per_call_cap = $3, daily_cap = $4, spend_policy = $5
where cell = $1 and agent_id = $2

-- name: write_cap_of_days
-- The cap that the database enforces from today on, by its own date: a transaction that begins just
-- before midnight may meet tomorrow's row. A cap below what is spent stops at what is spent.
update agent_days set cap = greatest($3::bigint, posted + pending)
where cell = $1 and agent_id = $2 and day >= (now() at time zone 'UTC')::date

-- name: lift_cap_of_days
-- No cap any more, from today on.
update agent_days set cap = null
where cell = $1 and agent_id = $2 and day >= (now() at time zone 'UTC')::date

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

-- name: ledger
-- The wallet's entries, newest first, with what moved the money.
select
    entry.entry_id, entry.account_version, entry.side, entry.amount, entry.balance_after,
    entry.transfer_id, transfer.kind, transfer.memo, transfer.inference_id, entry.created_at
from ledger_entries entry
join transfers transfer
    on transfer.cell = entry.cell and transfer.transfer_id = entry.transfer_id
where entry.cell = $1 and entry.account_id = $2 and entry.account_version < $3
order by entry.account_version desc
limit $4
