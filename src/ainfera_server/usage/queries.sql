-- Counting what happened; nothing here writes.

-- name: days
-- Finished calls by UTC day; a fallback was answered by another than the decision's first choice.
select
    (inference.created_at at time zone 'UTC')::date as day,
    count(*) as calls,
    coalesce(sum(inference.cost), 0)::bigint as cost,
    count(*) filter (
        where inference.status = 'succeeded'
            and coalesce(outcome.chosen_model_slug, inference.offer_slug) = inference.offer_slug
    ) as ok,
    count(*) filter (
        where inference.status = 'succeeded' and outcome.chosen_model_slug <> inference.offer_slug
    ) as fallback,
    count(*) filter (where inference.status <> 'succeeded') as error
from inferences inference
left join routing_outcomes outcome
    on outcome.cell = inference.cell and outcome.inference_id = inference.inference_id
where inference.cell = $1 and inference.tenant_id = $2
    and inference.status <> 'running' and inference.created_at >= $3
group by 1
order by 1

-- name: budget
-- What a tenant's owner allows a day, over all agents.
select
    count(*) as agents,
    count(*) filter (where per_call_cap is not null or daily_cap is not null) as policies_set,
    coalesce(sum(daily_cap), 0)::bigint as budget
from agents
where cell = $1 and tenant_id = $2

-- name: spent_on_day
-- What a tenant's agents have spent of a day's budget.
select coalesce(sum(posted), 0)::bigint
from spending
where cell = $1 and tenant_id = $2 and scope = 'agent' and period = 'day' and starts = $3

-- name: routed_lately
-- How fast routed calls were, and how many found no quality or no provider.
select
    percentile_disc(0.5) within group (order by observed_latency_ms) as latency_ms_p50,
    count(*) filter (where outcome_status = 'rejected_floor') as quality,
    count(*) filter (
        where outcome_status in ('failed_provider_error', 'failed_other')
    ) as reliability
from routing_outcomes
where cell = $1 and tenant_id = $2 and created_at >= $3

-- name: agent_lately
-- One agent's finished calls.
select
    count(*) as calls,
    coalesce(sum(cost), 0)::bigint as cost,
    percentile_disc(0.5) within group (order by latency_ms) as latency_ms_p50
from inferences
where cell = $1 and agent_id = $2 and status <> 'running' and created_at >= $3

-- name: models_of_agent
-- Which models answered an agent, the most used first.
select
    model_slug, provider, count(*) as calls, coalesce(sum(cost), 0)::bigint as cost
from inferences
where cell = $1 and agent_id = $2 and status = 'succeeded' and created_at >= $3
group by model_slug, provider
order by calls desc, model_slug, provider
limit $4

-- name: coverage
-- Where a tenant's calls were counted: kind of work, model and family of policies.
select coverage_cell, count(*) as calls
from inferences
where cell = $1 and tenant_id = $2
group by coverage_cell
order by calls desc, coverage_cell
