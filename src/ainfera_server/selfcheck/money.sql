-- The books read behind everybody's back and added up again. A query of figures returns one row; a
-- query of a rule returns, in `what`, whatever breaks it, and so nothing where the rule holds.
-- Nothing here knows how the product writes: each rule follows from what money and evidence are.

-- Conservation -----------------------------------------------------------------------------------

-- name: conservation
-- How much was looked at, and how much has been moved.
select
    (select count(*) from accounts) as accounts,
    (select count(*) from transfers) as transfers,
    (select count(*) from ledger_entries) as entries,
    (select coalesce(sum(amount), 0)::bigint from ledger_entries where side = 'debit')
        as moved_usd_micros,
    (select coalesce(sum(credits_posted - debits_posted), 0)::bigint from accounts
        where kind in ('wallet', 'pool')) as in_wallets_usd_micros

-- name: money_from_nowhere
-- What one account loses another gains, so all entries of a tenant add up to nothing.
select 'tenant ' || tenant_id as what
from ledger_entries
group by cell, tenant_id
having sum(case side when 'debit' then amount else -amount end) <> 0
limit 1000

-- name: transfers_unlike_their_entries
-- One debit of all that was posted, and as much in credits: to the other account, and a margin to
-- the revenue. A transfer that was not posted has no entry.
select 'transfer ' || t.transfer_id as what
from transfers t
left join ledger_entries e on e.cell = t.cell and e.transfer_id = t.transfer_id
left join accounts a on a.cell = e.cell and a.account_id = e.account_id
group by t.cell, t.transfer_id, t.state, t.amount_posted, t.debit_account_id, t.credit_account_id
having case when t.state = 'posted' then not (
    count(*) filter (where e.side = 'debit') = 1
    and count(*) filter (where e.side = 'debit' and e.account_id = t.debit_account_id) = 1
    and coalesce(sum(e.amount) filter (where e.side = 'debit'), 0) = t.amount_posted
    and coalesce(sum(e.amount) filter (where e.side = 'credit'), 0) = t.amount_posted
    and count(*) filter (where e.side = 'credit' and e.account_id = t.credit_account_id) <= 1
    and count(*) filter (
        where e.side = 'credit' and e.account_id <> t.credit_account_id and a.kind = 'revenue'
    ) <= 1
    and count(*) filter (
        where e.side = 'credit' and e.account_id <> t.credit_account_id and a.kind <> 'revenue'
    ) = 0
) else count(e.entry_id) > 0 end
limit 1000

-- name: accounts_unlike_their_entries
-- The stored totals are the sums of the entries, which are numbered from 1 without a gap.
select a.kind || ' ' || a.account_id as what
from accounts a
left join ledger_entries e on e.cell = a.cell and e.account_id = a.account_id
group by a.cell, a.account_id, a.kind, a.debits_posted, a.credits_posted, a.version
having coalesce(sum(e.amount) filter (where e.side = 'debit'), 0) <> a.debits_posted
    or coalesce(sum(e.amount) filter (where e.side = 'credit'), 0) <> a.credits_posted
    or count(e.entry_id) <> a.version
    or coalesce(max(e.account_version), 0) <> a.version
limit 1000

-- name: balances_unlike_their_entries
-- The balance that an entry left is the sum of all entries up to it.
select a.kind || ' ' || e.account_id || ' at ' || e.account_version as what
from (
    select cell, account_id, account_version, balance_after,
        sum(case side when 'credit' then amount else -amount end)
            over (partition by cell, account_id order by account_version) as balance
    from ledger_entries
) e
join accounts a on a.cell = e.cell and a.account_id = e.account_id
where e.balance_after <> e.balance
limit 1000

-- name: wallets_that_were_overdrawn
-- What an agent or a tenant has was never less than nothing, after no entry.
select a.kind || ' ' || e.account_id || ' at ' || e.account_version as what
from ledger_entries e
join accounts a on a.cell = e.cell and a.account_id = e.account_id
where a.kind in ('wallet', 'pool') and e.balance_after < 0
limit 1000

-- Open holds -------------------------------------------------------------------------------------

-- name: open_holds
-- What is set aside just now, and since when the oldest is over its time, if one is.
select
    count(*) as open,
    coalesce(sum(amount_held), 0)::bigint as held_usd_micros,
    greatest(0, coalesce(max(extract(epoch from now() - expires_at)), 0))::int as overdue_s
from transfers
where state = 'pending'

-- name: accounts_unlike_their_holds
-- What an account has set aside is what its open transfers hold.
select a.kind || ' ' || a.account_id as what
from accounts a
left join transfers t
    on t.cell = a.cell and t.debit_account_id = a.account_id and t.state = 'pending'
group by a.cell, a.account_id, a.kind, a.debits_pending
having coalesce(sum(t.amount_held), 0) <> a.debits_pending
limit 1000

-- name: windows_unlike_their_transfers
-- What was spent and is set aside in a window is what the transfers that count in it say: in the
-- day and the month of their agent and of their tenant, and below the agent in their session, their
-- subagent and whatever stands below each of those above it.
with counting as (
    select t.cell, w.scope, w.scope_key, w.period, w.starts,
        sum(coalesce(t.amount_posted, 0)) as posted,
        sum(case t.state when 'pending' then t.amount_held else 0 end) as pending
    from transfers t
    cross join lateral (
        values
            ('agent', t.agent_id::text, 'day', t.day),
            ('agent', t.agent_id::text, 'month', date_trunc('month', t.day)::date),
            ('tenant', t.tenant_id::text, 'day', t.day),
            ('tenant', t.tenant_id::text, 'month', date_trunc('month', t.day)::date)
        union all
        select
            case node.place when 1 then 'session' else 'subagent' end,
            case node.place
                when 1 then t.agent_id || '/' || node.name
                when 2 then t.agent_id || '/' || (t.subagents::json ->> 0) || '/' || node.name
                else t.agent_id || '/' || (t.subagents::json ->> 0) || '/' || node.name || '/'
            end,
            'whole', date '0001-01-01'
        from json_array_elements_text(coalesce(t.subagents, '[]')::json)
            with ordinality node (name, place)
    ) w (scope, scope_key, period, starts)
    where t.kind = 'inference'
    group by t.cell, w.scope, w.scope_key, w.period, w.starts
)
select
    coalesce(s.scope, c.scope) || ' ' || coalesce(s.scope_key, c.scope_key) || ', '
        || coalesce(s.period, c.period) || ' of ' || coalesce(s.starts, c.starts) as what
from spending s
full join counting c
    on c.cell = s.cell and c.scope = s.scope and c.scope_key = s.scope_key
    and c.period = s.period and c.starts = s.starts
where coalesce(s.posted, 0) <> coalesce(c.posted, 0)
    or coalesce(s.pending, 0) <> coalesce(c.pending, 0)
limit 1000

-- name: holds_that_were_exceeded
-- What is posted is never more than what was set aside for it.
select 'transfer ' || transfer_id as what
from transfers
where amount_posted > amount_held
limit 1000

-- name: holds_that_are_stuck
-- Any process releases a hold within its deadline and so many seconds.
select 'transfer ' || transfer_id as what
from transfers
where state = 'pending' and (expires_at is null or expires_at < now() - make_interval(secs => $1))
limit 1000

-- Caps -------------------------------------------------------------------------------------------

-- name: caps
-- How many windows there are in which money was spent, and how many have an end.
select
    count(*) as windows,
    count(cap) as capped,
    coalesce(max(round(100.0 * (posted + pending) / nullif(cap, 0))), 0)::int as fullest_percent
from spending

-- name: windows_above_their_cap
-- What is spent and set aside never exceeds the cap in force.
select scope || ' ' || scope_key || ', ' || period || ' of ' || starts as what
from spending
where posted + pending > cap
limit 1000

-- name: windows_without_the_cap_in_force
-- The window that is open now enforces the cap that the owner set.
select s.scope || ' ' || s.scope_key || ', ' || s.period as what
from spending s
join tenants t on t.cell = s.cell and t.tenant_id = s.tenant_id
left join agents a on a.cell = s.cell and a.agent_id = s.agent_id
cross join lateral (
    select case s.scope || ' ' || s.period
        when 'agent day' then a.daily_cap
        when 'agent month' then a.monthly_cap
        when 'session whole' then a.session_cap
        when 'subagent whole' then a.subagent_cap
        when 'tenant day' then t.daily_cap
        when 'tenant month' then t.monthly_cap
    end as cap
) owners
where (
        s.period = 'whole'
        or s.starts = date_trunc(s.period, now() at time zone 'UTC')::date
    )
    and (
        (s.cap is null) <> (owners.cap is null)
        or s.cap < owners.cap
    )
limit 1000

-- name: accounts_that_are_overdrawn
-- What is spent and set aside never exceeds what was put in.
select kind || ' ' || account_id as what
from accounts
where kind in ('wallet', 'pool') and credits_posted - debits_posted - debits_pending < 0
limit 1000
