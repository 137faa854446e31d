-- name: lock_accounts
-- Wallets and their counterparts, in one order everywhere, so that no two writers deadlock.
select a.cell, a.account_id, a.tenant_id, a.kind,
       a.debits_posted, a.credits_posted, a.debits_pending, a.version
from accounts a
join json_populate_recordset(null::accounts, $1::json) wanted
    on a.cell = wanted.cell and a.account_id = wanted.account_id
order by a.account_id
for update of a

-- name: lock_transfers
-- The holds that a batch resolves, and those it may have written before its connection broke.
select t.cell, t.transfer_id, t.agent_id, t.debit_account_id, t.credit_account_id,
       t.amount_held, t.state, t.day, t.inference_id
from transfers t
join json_populate_recordset(null::transfers, $1::json) wanted
    on t.cell = wanted.cell and t.transfer_id = wanted.transfer_id
order by t.transfer_id
for update of t

-- name: limits_of_agents
-- The caps in force; the chain heads are locked first, and whoever changes a cap locks them too.
select a.cell, a.agent_id, a.status, a.per_call_cap, a.daily_cap
from agents a
join json_populate_recordset(null::agents, $1::json) wanted
    on a.cell = wanted.cell and a.agent_id = wanted.agent_id

-- name: open_days
-- Today's row of each agent that spends, made if missing, locked, with the database's own date.
insert into agent_days (cell, agent_id, day, tenant_id, cap)
select wanted.cell, wanted.agent_id, (now() at time zone 'UTC')::date, wanted.tenant_id,
       wanted.cap
from json_populate_recordset(null::agent_days, $1::json) wanted
order by wanted.agent_id
on conflict (cell, agent_id, day) do update set cap = agent_days.cap
returning cell, agent_id, day, tenant_id, cap, posted, pending

-- name: lock_days
-- The days on which the holds were made that a batch resolves.
select d.cell, d.agent_id, d.day, d.tenant_id, d.cap, d.posted, d.pending
from agent_days d
join json_populate_recordset(null::agent_days, $1::json) wanted
    on d.cell = wanted.cell and d.agent_id = wanted.agent_id and d.day = wanted.day
order by d.agent_id, d.day
for update of d

-- name: known_refusals
-- After an attempt whose end nobody heard: the refusals it had written, near the end of the chain.
select e.event_id
from json_populate_recordset(null::audit_events, $1::json) wanted
join audit_events e
    on e.cell = wanted.cell and e.agent_id = wanted.agent_id and e.seq > wanted.seq
    and e.event_id = wanted.event_id

-- name: write_inferences
-- Each inference is written with its hold; a later offer's hold moves it there.
insert into inferences (
    cell, inference_id, tenant_id, agent_id, decision_id, transfer_id, status, dialect,
    is_streamed, model_asked, model_slug, offer_slug, provider, task_type, task_type_source,
    policy_version, coverage_cell, price_book_version, amount_held, attempts, created_at
)
select
    cell, inference_id, tenant_id, agent_id, decision_id, transfer_id, status, dialect,
    is_streamed, model_asked, model_slug, offer_slug, provider, task_type, task_type_source,
    policy_version, coverage_cell, price_book_version, amount_held, attempts, created_at
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
    amount_held, state, inference_id, day, memo, created_at, expires_at
)
select
    cell, transfer_id, tenant_id, agent_id, kind, debit_account_id, credit_account_id,
    amount_held, state, inference_id, day, memo, created_at, now() + (expires_at - created_at)
from json_populate_recordset(null::transfers, $1::json)

-- name: resolve_transfers
-- A hold is resolved once: the row is locked and was seen to be pending.
update transfers t set
    state = resolved.state,
    amount_posted = resolved.amount_posted,
    resolved_at = resolved.resolved_at
from json_populate_recordset(null::transfers, $1::json) resolved
where t.cell = resolved.cell and t.transfer_id = resolved.transfer_id and t.state = 'pending'

-- name: write_accounts
-- The totals that follow from the transfers; the checks refuse an overdrawn wallet.
update accounts a set
    debits_posted = changed.debits_posted,
    credits_posted = changed.credits_posted,
    debits_pending = changed.debits_pending,
    version = changed.version
from json_populate_recordset(null::accounts, $1::json) changed
where a.cell = changed.cell and a.account_id = changed.account_id

-- name: write_days
-- What each agent spent and holds; the check refuses a broken cap.
update agent_days d set posted = changed.posted, pending = changed.pending
from json_populate_recordset(null::agent_days, $1::json) changed
where d.cell = changed.cell and d.agent_id = changed.agent_id and d.day = changed.day

-- name: write_ledger_entries
-- Two entries for each posted transfer, numbered without gaps within their account.
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
-- Kept answers are deleted when their time is over.
delete from idempotency_keys
where (cell, scope) in (
    select cell, scope from idempotency_keys where expires_at < now() limit 500
)

-- name: keep_answers
-- The answer is kept in the write that settles it, so the two cannot part.
update idempotency_keys k set
    state = 'answered',
    answer_sealed = kept.sealed,
    expires_at = kept.expires_at
from json_to_recordset($1::json) as kept(
    cell smallint, scope text, sealed text, expires_at timestamptz
)
where k.cell = kept.cell and k.scope = kept.scope

-- name: expired_holds
-- Holds whose process died: past their time and still pending.
select t.cell, t.transfer_id, t.tenant_id, t.agent_id, t.debit_account_id,
       t.credit_account_id, t.inference_id, i.decision_id, i.attempts, i.created_at
from transfers t
join inferences i on i.cell = t.cell and i.inference_id = t.inference_id
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
