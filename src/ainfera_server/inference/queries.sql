-- name: lock_accounts
-- Wallets, pools and their counterparts, in one order everywhere, so that no two writers deadlock.
select a.cell, a.account_id, a.tenant_id, a.kind,
       a.debits_posted, a.credits_posted, a.debits_pending, a.version
from accounts a
join json_populate_recordset(null::accounts, $1::json) wanted
    on a.cell = wanted.cell and a.account_id = wanted.account_id
order by a.account_id
for update of a

-- name: lock_transfers
-- The holds that a batch resolves, and those it may have written before its connection broke.
select t.cell, t.transfer_id, t.tenant_id, t.agent_id, t.debit_account_id, t.credit_account_id,
       t.amount_held, t.state, t.day, t.subagents, t.inference_id
from transfers t
join json_populate_recordset(null::transfers, $1::json) wanted
    on t.cell = wanted.cell and t.transfer_id = wanted.transfer_id
order by t.transfer_id
for update of t

-- name: limits_of_agents
-- The caps in force, and today by the database's own date. The chain heads are locked first, and
-- whoever changes an agent's caps locks them too; a tenant's caps count as its locked windows say.
select a.cell, a.agent_id, a.status, a.per_call_cap, a.daily_cap, a.monthly_cap, a.session_cap,
       a.subagent_cap, a.may_exceed_hold, t.daily_cap as tenant_daily_cap,
       t.monthly_cap as tenant_monthly_cap, t.wallet_strict_per_agent, clock.today,
       (
           select count(*) = 2 from spending s
           where s.cell = t.cell and s.scope = 'tenant' and s.scope_key = t.tenant_id::text
               and (s.period, s.starts) in (
                   ('day', clock.today), ('month', date_trunc('month', clock.today)::date)
               )
       ) as has_tenant_windows
from (select (now() at time zone 'UTC')::date as today) clock
cross join json_populate_recordset(null::agents, $1::json) wanted
join agents a on a.cell = wanted.cell and a.agent_id = wanted.agent_id
join tenants t on t.cell = a.cell and t.tenant_id = a.tenant_id

-- name: lineages
-- Who stands above each subagent, as their own calls said when they first did. Nobody stands above
-- himself, and the climb has an end.
with recursive climbed as (
    select wanted.cell, wanted.transfer_id, wanted.tree, array[wanted.node] as nodes,
           coalesce(own.parent, wanted.parent) as parent
    from json_to_recordset($1::json) as wanted(
        cell smallint, transfer_id uuid, tree text, node text, parent text
    )
    left join spending own
        on own.cell = wanted.cell and own.scope = 'subagent'
        and own.scope_key = wanted.tree || wanted.node
        and own.period = 'whole' and own.starts = date '0001-01-01'
    union all
    select climbed.cell, climbed.transfer_id, climbed.tree, climbed.nodes || climbed.parent,
           above.parent
    from climbed
    join spending above
        on above.cell = climbed.cell and above.scope = 'subagent'
        and above.scope_key = climbed.tree || climbed.parent
        and above.period = 'whole' and above.starts = date '0001-01-01'
    where climbed.parent <> all (climbed.nodes) and cardinality(climbed.nodes) < $2::int
)
select distinct on (transfer_id) transfer_id, nodes
from climbed
order by transfer_id, cardinality(nodes) desc

-- name: open_windows
-- Windows in which nobody of a tenant spent before, with the caps in force: nobody changes those
-- while the tenant's row is locked. Another process may have been quicker.
insert into spending (cell, tenant_id, scope, scope_key, period, starts, cap)
select
    wanted.cell, wanted.tenant_id, wanted.scope, wanted.scope_key, wanted.period, wanted.starts,
    case wanted.period when 'day' then t.daily_cap else t.monthly_cap end
from json_populate_recordset(null::spending, $1::json) wanted
join tenants t on t.cell = wanted.cell and t.tenant_id = wanted.tenant_id
order by wanted.cell, wanted.scope, wanted.scope_key, wanted.period, wanted.starts
for share of t
on conflict (cell, scope, scope_key, period, starts) do nothing

-- name: lock_windows
-- The windows that holds count in, and those that they counted in.
select s.cell, s.scope, s.scope_key, s.period, s.starts, s.parent, s.cap, s.posted, s.pending
from json_populate_recordset(null::spending, $1::json) wanted
join spending s
    on s.cell = wanted.cell and s.scope = wanted.scope and s.scope_key = wanted.scope_key
    and s.period = wanted.period and s.starts = wanted.starts
order by s.cell, s.scope, s.scope_key, s.period, s.starts
for update of s

-- name: known_refusals
-- After an attempt whose end nobody heard: the refusals it had written, near the end of the chain.
select e.event_id, e.payload
from json_populate_recordset(null::audit_events, $1::json) wanted
join audit_events e
    on e.cell = wanted.cell and e.agent_id = wanted.agent_id and e.seq > wanted.seq
    and e.event_id = wanted.event_id

-- name: write_inferences
-- Each inference is written with its hold; a later offer's hold moves it there.
insert into inferences (
    cell, inference_id, tenant_id, agent_id, decision_id, transfer_id, status, dialect,
    is_streamed, model_asked, model_slug, offer_slug, provider, task_type, task_type_source,
    policy_version, coverage_cell, price_book_version, amount_held, attempts, created_at,
    session_id, node, parent_node
)
select
    cell, inference_id, tenant_id, agent_id, decision_id, transfer_id, status, dialect,
    is_streamed, model_asked, model_slug, offer_slug, provider, task_type, task_type_source,
    policy_version, coverage_cell, price_book_version, amount_held, attempts, created_at,
    session_id, node, parent_node
from json_populate_recordset(null::inferences, $1::json)
on conflict (cell, inference_id) do update set
    transfer_id = excluded.transfer_id,
    model_slug = excluded.model_slug,
    offer_slug = excluded.offer_slug,
    provider = excluded.provider,
    coverage_cell = excluded.coverage_cell,
    amount_held = excluded.amount_held,
    attempts = excluded.attempts

-- name: end_inferences
-- What became of each inference.
update inferences i set
    status = ended.status,
    attempts = ended.attempts,
    input_tokens = ended.input_tokens,
    cache_read_tokens = ended.cache_read_tokens,
    cache_write_tokens = ended.cache_write_tokens,
    output_tokens = ended.output_tokens,
    reasoning_tokens = ended.reasoning_tokens,
    cost = ended.cost,
    usage_source = ended.usage_source,
    finish_reason = ended.finish_reason,
    finish_reason_native = ended.finish_reason_native,
    failure = ended.failure,
    receipt_id = ended.receipt_id,
    latency_ms = ended.latency_ms,
    completed_at = ended.completed_at
from json_populate_recordset(null::inferences, $1::json) ended
where i.cell = ended.cell and i.inference_id = ended.inference_id

-- name: write_outcomes
-- One row for each routed call, with everything the decision knew.
insert into routing_outcomes (
    cell, id, tenant_id, agent_id, request_id, inference_id, task_type, task_type_source,
    cell_key, decision_rule, chosen_model_id, chosen_model_slug, policy_version, ruleset_hash,
    q_prior_used, m_allowed_set, candidates, snapshot, seed, cost_projected, exploration,
    decision_type, outcome_status, created_at, completed_at
)
select
    cell, id, tenant_id, agent_id, request_id, inference_id, task_type, task_type_source,
    cell_key, decision_rule, chosen_model_id, chosen_model_slug, policy_version, ruleset_hash,
    q_prior_used, m_allowed_set, candidates, snapshot, seed, cost_projected, exploration,
    decision_type, outcome_status, created_at, completed_at
from json_populate_recordset(null::routing_outcomes, $1::json)
on conflict (cell, id) do nothing

-- name: end_outcomes
-- What became of each routed call.
update routing_outcomes o set
    outcome_status = ended.outcome_status,
    decision_rule = coalesce(ended.decision_rule, o.decision_rule),
    cost_actual = ended.cost_actual,
    observed_latency_ms = ended.observed_latency_ms,
    completed_at = ended.completed_at
from json_populate_recordset(null::routing_outcomes, $1::json) ended
where o.cell = ended.cell and o.id = ended.id

-- name: write_transfers
-- The holds. How long one lives is counted by the database's clock, as is whether it is over.
insert into transfers (
    cell, transfer_id, tenant_id, agent_id, kind, debit_account_id, credit_account_id,
    amount_held, state, inference_id, day, subagents, memo, created_at, expires_at
)
select
    cell, transfer_id, tenant_id, agent_id, kind, debit_account_id, credit_account_id,
    amount_held, state, inference_id, day, subagents, memo, created_at,
    now() + (expires_at - created_at)
from json_populate_recordset(null::transfers, $1::json)

-- name: extend_transfers
-- Holds that have grown; their inferences say so too.
with grown as (
    update transfers t set amount_held = extended.amount_held
    from json_populate_recordset(null::transfers, $1::json) extended
    where t.cell = extended.cell and t.transfer_id = extended.transfer_id and t.state = 'pending'
    returning t.cell, t.inference_id, t.amount_held
)
update inferences i set amount_held = grown.amount_held
from grown
where i.cell = grown.cell and i.inference_id = grown.inference_id

-- name: resolve_transfers
-- A hold is resolved once: the row is locked and was seen to be pending.
update transfers t set
    state = resolved.state,
    amount_posted = resolved.amount_posted,
    resolved_at = resolved.resolved_at
from json_populate_recordset(null::transfers, $1::json) resolved
where t.cell = resolved.cell and t.transfer_id = resolved.transfer_id and t.state = 'pending'

-- name: write_accounts
-- The totals that follow from the transfers; the checks refuse an overdrawn wallet or pool.
update accounts a set
    debits_posted = changed.debits_posted,
    credits_posted = changed.credits_posted,
    debits_pending = changed.debits_pending,
    version = changed.version
from json_populate_recordset(null::accounts, $1::json) changed
where a.cell = changed.cell and a.account_id = changed.account_id

-- name: begin_windows
-- Windows in which an agent spent nothing before, with the caps in force: the agent's chain is
-- locked, as it is by whoever changes a cap or begins a window.
insert into spending (
    cell, tenant_id, scope, scope_key, agent_id, period, starts, parent, cap, posted, pending
)
select
    begun.cell, begun.tenant_id, begun.scope, begun.scope_key, begun.agent_id, begun.period,
    begun.starts, begun.parent,
    case begun.scope || ' ' || begun.period
        when 'agent day' then a.daily_cap
        when 'agent month' then a.monthly_cap
        when 'session whole' then a.session_cap
        when 'subagent whole' then a.subagent_cap
    end,
    begun.posted, begun.pending
from json_populate_recordset(null::spending, $1::json) begun
join agents a on a.cell = begun.cell and a.agent_id = begun.agent_id

-- name: write_windows
-- What is spent and held in each window; the check refuses a broken cap.
update spending s set
    parent = changed.parent,
    posted = changed.posted,
    pending = changed.pending
from json_populate_recordset(null::spending, $1::json) changed
where s.cell = changed.cell and s.scope = changed.scope and s.scope_key = changed.scope_key
    and s.period = changed.period and s.starts = changed.starts

-- name: write_ledger_entries
-- An entry for each side of a posted transfer, numbered without gaps within its account.
insert into ledger_entries (
    cell, account_id, account_version, entry_id, tenant_id, transfer_id, side, amount,
    balance_after, created_at
)
select
    cell, account_id, account_version, entry_id, tenant_id, transfer_id, side, amount,
    balance_after, created_at
from json_populate_recordset(null::ledger_entries, $1::json)

-- name: write_receipts
-- One signed receipt for each settled inference.
insert into receipts (
    cell, receipt_id, tenant_id, agent_id, inference_id, body, key_id, signature, created_at
)
select
    cell, receipt_id, tenant_id, agent_id, inference_id, body, key_id, signature, created_at
from json_populate_recordset(null::receipts, $1::json)

-- name: begin_idempotency
-- The first to come owns the key; one that outlived its time may be taken over.
insert into idempotency_keys (
    cell, scope, tenant_id, body_hash, state, created_at, expires_at
)
values ($1, $2, $3, $4, 'running', now(), now() + make_interval(secs => $5))
on conflict (cell, scope) do update set
    body_hash = excluded.body_hash,
    state = 'running',
    answer_sealed = null,
    created_at = excluded.created_at,
    expires_at = excluded.expires_at
where idempotency_keys.expires_at < now()
returning scope

-- name: idempotency
-- What is known of a key: its body's hash and the answer, if there is one by now.
select body_hash, state, answer_sealed from idempotency_keys where cell = $1 and scope = $2

-- name: forget_idempotency
-- A call that cost nothing may be made again with the same key.
delete from idempotency_keys where cell = $1 and scope = $2 and state = 'running'

-- name: forget_expired_idempotency
-- Kept answers are deleted when their time is over; whoever else is at it takes other rows.
delete from idempotency_keys
where (cell, scope) in (
    select cell, scope from idempotency_keys where expires_at < now()
    limit 500
    for update skip locked
)

-- name: keep_answer
-- The answer is kept in the write that settles it, so the two cannot part.
update idempotency_keys set state = 'answered', answer_sealed = $3, expires_at = now() + $4
where cell = $1 and scope = $2

-- name: expired_holds
-- Holds whose process died: past their time and still pending, with all that their receipts say.
select t.cell, t.transfer_id, t.tenant_id, t.agent_id, t.amount_held, payer.kind as paid_from,
       wallet.account_id as wallet_id, pool.account_id as pool_id,
       revenue.account_id as revenue_id, provider_cost.account_id as provider_cost_id,
       i.inference_id, i.decision_id, i.policy_version, i.model_asked, i.offer_slug, i.provider,
       i.price_book_version, i.attempts, i.created_at
from transfers t
join inferences i on i.cell = t.cell and i.inference_id = t.inference_id
join accounts payer on payer.cell = t.cell and payer.account_id = t.debit_account_id
join accounts wallet
    on wallet.cell = t.cell and wallet.agent_id = t.agent_id and wallet.kind = 'wallet'
join accounts pool
    on pool.cell = t.cell and pool.tenant_id = t.tenant_id and pool.kind = 'pool'
join accounts revenue
    on revenue.cell = t.cell and revenue.tenant_id = t.tenant_id and revenue.kind = 'revenue'
join accounts provider_cost
    on provider_cost.cell = t.cell and provider_cost.tenant_id = t.tenant_id
    and provider_cost.kind = 'provider_cost'
where t.state = 'pending' and t.expires_at < now()
order by t.expires_at
limit 200

-- name: inference
-- One inference of the tenant.
select * from inferences where cell = $1 and inference_id = $2

-- name: decision
-- A decision, by its own id or by that of its inference.
select * from routing_outcomes
where cell = $1 and (id = $2 or inference_id = $2)
order by (id = $2) desc
limit 1

-- name: receipt
-- One receipt of the tenant.
select * from receipts where cell = $1 and receipt_id = $2
