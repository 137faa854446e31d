-- What auditors ask about one agent, read and never written.

-- name: uses
-- How many calls came to which end, and what they cost.
select
    status, count(*) as calls, coalesce(sum(cost), 0)::bigint as cost,
    min(created_at) as first_began_at, max(created_at) as last_began_at
from inferences
where cell = $1 and agent_id = $2
group by status
order by status

-- name: newest_uses
-- When each call began and ended, who served it, and its receipt.
select
    inference_id, status, model_asked, model_slug, provider, price_book_version, cost, receipt_id,
    created_at as began_at, completed_at as ended_at
from inferences
where cell = $1 and agent_id = $2
order by created_at desc, inference_id
limit $3

-- name: price_books
-- Which price lists the calls were reckoned with.
select
    price_book_version as name, count(*) as count, min(created_at) as first_at,
    max(created_at) as last_at
from inferences
where cell = $1 and agent_id = $2
group by price_book_version
order by min(created_at), price_book_version
limit $3

-- name: rulesets
-- Which rules chose, for calls that did not name their model.
select
    policy_version as name, ruleset_hash, count(*) as count, min(created_at) as first_at,
    max(created_at) as last_at
from routing_outcomes
where cell = $1 and agent_id = $2
group by policy_version, ruleset_hash
order by min(created_at), policy_version, ruleset_hash
limit $3

-- name: receipts
-- How many receipts were signed, by which keys, from when to when.
select
    key_id as name, count(*) as count, min(created_at) as first_at, max(created_at) as last_at
from receipts
where cell = $1 and agent_id = $2
group by key_id
order by min(created_at), key_id

-- name: event_types
-- What kinds of events the chain holds.
select event_type, count(*) as events
from audit_events
where cell = $1 and agent_id = $2
group by event_type
order by event_type

-- name: signing_keys
-- The server's keys under the events of this chain.
select
    used.key_id, key.algorithm, key.public_key_pem, used.events, used.first_seq, used.last_seq
from (
    select key_id, count(*) as events, min(seq) as first_seq, max(seq) as last_seq
    from audit_events
    where cell = $1 and agent_id = $2
    group by key_id
) used
left join signing_keys key on key.key_id = used.key_id
order by used.first_seq

-- name: policy_changes
-- What the owner changed about the agent's limits, newest first.
select seq, event_type, payload, created_at
from audit_events
where cell = $1 and agent_id = $2 and event_type = 'spend_policy.updated'
order by seq desc
limit $3
