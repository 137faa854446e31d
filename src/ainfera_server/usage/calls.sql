-- Calls as pages show them: counted, listed, and one by one; nothing here writes.

-- name: lately
-- How a tenant's calls went since a moment.
select
    count(*) as calls,
    count(*) filter (where status = 'succeeded') as succeeded,
    count(*) filter (where status = 'failed') as failed,
    count(*) filter (where status = 'refused') as refused,
    count(*) filter (where status = 'running') as running,
    coalesce(sum(cost), 0)::bigint as cost,
    percentile_disc(0.5) within group (order by latency_ms) as latency_ms_p50,
    percentile_disc(0.95) within group (order by latency_ms) as latency_ms_p95
from inferences
where cell = $1 and tenant_id = $2 and created_at >= $3

-- name: refused_lately
-- Routed calls that were refused before anybody was asked, which have no inference.
select count(*)
from routing_outcomes
where cell = $1 and tenant_id = $2 and created_at >= $3 and inference_id is null

-- name: top_models
-- Which models a tenant's money goes to.
select model_slug, provider, count(*) as calls, coalesce(sum(cost), 0)::bigint as cost
from inferences
where cell = $1 and tenant_id = $2 and created_at >= $3 and status = 'succeeded'
group by model_slug, provider
order by cost desc, calls desc, model_slug, provider
limit $4

-- name: spent_on_day
-- What each agent of a tenant spent on a day, and what its running calls may still spend.
select agent_id, posted, pending
from spending
where cell = $1 and tenant_id = $2 and scope = 'agent' and period = 'day' and starts = $3

-- name: page
-- Calls behind a place, newest first. Routed calls that were refused before anybody was asked have
-- no inference; they are looked for only as far back as this page reaches.
with answered as (
    select
        inference_id as call_id, agent_id, decision_id, status, model_asked, model_slug, provider,
        is_streamed, input_tokens + cache_read_tokens + cache_write_tokens as input_tokens,
        output_tokens, cost, latency_ms, failure, created_at
    from inferences
    where cell = $1 and tenant_id = $2
        and (created_at, inference_id) < ($3::timestamptz, $4::uuid)
        and ($5::text is null or status = $5)
    order by created_at desc, inference_id desc
    limit $6
),
reached as (
    select case when count(*) = $6 then min(created_at) else '-infinity' end as since
    from answered
),
refused as (
    select
        id as call_id, agent_id, id as decision_id, 'refused' as status, null as model_asked,
        chosen_model_slug as model_slug, null as provider, null::boolean as is_streamed,
        null::bigint as input_tokens, null::bigint as output_tokens, null::bigint as cost,
        null::bigint as latency_ms, outcome_status as failure, created_at
    from routing_outcomes
    where cell = $1 and tenant_id = $2 and inference_id is null
        and created_at >= (select since from reached)
        and (created_at, id) < ($3::timestamptz, $4::uuid)
        and ($5::text is null or $5 = 'refused')
    order by created_at desc, id desc
    limit $6
)
select
    call.call_id, call.agent_id, agent.name as agent_name, call.status, outcome.decision_rule,
    call.model_asked, call.model_slug, call.provider, call.is_streamed, call.input_tokens,
    call.output_tokens, call.cost, call.latency_ms, call.failure, call.created_at
from (select * from answered union all select * from refused) call
join agents agent on agent.cell = $1 and agent.agent_id = call.agent_id
left join routing_outcomes outcome on outcome.cell = $1 and outcome.id = call.decision_id
order by call.created_at desc, call.call_id desc
limit $6

-- name: inference
-- One inference, with the name of its agent.
select
    inference.inference_id, inference.agent_id, agent.name as agent_name, inference.decision_id,
    inference.status, inference.dialect, inference.is_streamed, inference.model_asked,
    inference.model_slug, inference.provider, inference.task_type, inference.task_type_source,
    inference.price_book_version, inference.attempts, inference.input_tokens,
    inference.cache_read_tokens, inference.cache_write_tokens, inference.output_tokens,
    inference.reasoning_tokens, inference.usage_source, inference.finish_reason,
    inference.failure, inference.cost, inference.latency_ms, inference.created_at,
    inference.completed_at
from inferences inference
join agents agent on agent.cell = inference.cell and agent.agent_id = inference.agent_id
where inference.cell = $1 and inference.inference_id = $2

-- name: decision
-- A decision, by its own id or by its inference's, with the name of its agent.
select
    outcome.id as decision_id, outcome.inference_id, outcome.agent_id,
    agent.name as agent_name, outcome.task_type, outcome.task_type_source, outcome.cell_key,
    outcome.decision_rule, outcome.decision_type, outcome.chosen_model_slug,
    outcome.policy_version, outcome.ruleset_hash, outcome.q_prior_used, outcome.m_allowed_set,
    outcome.candidates, outcome.seed, outcome.cost_projected, outcome.cost_actual,
    outcome.observed_latency_ms, outcome.outcome_status, outcome.created_at,
    outcome.completed_at
from routing_outcomes outcome
join agents agent on agent.cell = outcome.cell and agent.agent_id = outcome.agent_id
where outcome.cell = $1 and (outcome.id = $2 or outcome.inference_id = $2)
order by (outcome.id = $2) desc
limit 1

-- name: holds
-- The money that was set aside for an inference, one hold for each offer tried.
select
    transfer_id, state, amount_held as held, amount_posted as posted, created_at, resolved_at
from transfers
where cell = $1 and inference_id = $2
order by created_at, transfer_id

-- name: receipt
-- A receipt, by its own id or by its inference's.
select receipt_id, body, key_id, signature
from receipts
where cell = $1 and (receipt_id = $2 or inference_id = $2)

-- name: last_event_before
-- The last event of a chain before a moment, found by halving because events have no index by time.
-- The limit keeps the planner from joining the whole chain at each step: 2 ms instead of 3,600 ms
-- in a chain of 400,000 events.
with recursive search as (
    select 0::bigint as low, seq + 1 as high from chain_heads where cell = $1 and agent_id = $2
    union all
    select
        case when middle.created_at < $3 then middle.seq else search.low end,
        case when middle.created_at < $3 then search.high else middle.seq end
    from search
    cross join lateral (
        select seq, created_at
        from audit_events
        where cell = $1 and agent_id = $2 and seq = (search.low + search.high) / 2
        limit 1
    ) middle
    where search.high - search.low > 1
)
select coalesce(max(low), 0) from search

-- name: events
-- The events between two places of a chain that name an inference or its decision.
select seq, event_type, payload, event_hash, created_at
from audit_events
where cell = $1 and agent_id = $2 and seq > $3 and seq <= $4
    and (payload::json ->> 'inference_id' = $5 or payload::json ->> 'decision_id' = $6)
order by seq
limit $7
