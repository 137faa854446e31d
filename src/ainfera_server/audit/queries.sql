-- Events are written as the exact text that was hashed; nothing here makes or changes a payload.

-- name: open_chain
-- A new agent's chain is empty.
insert into chain_heads (cell, agent_id, tenant_id) values ($1, $2, $3)

-- name: lock_heads
-- Whoever appends holds the heads until commit, so no chain forks; taken in one order everywhere,
-- so nobody deadlocks.
select head.agent_id, head.seq, head.event_hash
from chain_heads head
join json_populate_recordset(null::chain_heads, $1::json) wanted
    on head.cell = wanted.cell and head.agent_id = wanted.agent_id
order by head.agent_id
for update of head

-- name: head
-- The end of one chain, without waiting for whoever appends.
select seq, event_hash from chain_heads where cell = $1 and agent_id = $2

-- name: write_events
-- The links of a batch.
insert into audit_events (
    cell, agent_id, seq, event_id, tenant_id, event_type, payload, previous_hash, event_hash,
    key_id, signature, created_at
)
select
    cell, agent_id, seq, event_id, tenant_id, event_type, payload, previous_hash, event_hash,
    key_id, signature, created_at
from json_populate_recordset(null::audit_events, $1::json)

-- name: write_heads
-- The chains end where their last links are.
update chain_heads head set seq = moved.seq, event_hash = moved.event_hash
from json_populate_recordset(null::chain_heads, $1::json) moved
where head.cell = moved.cell and head.agent_id = moved.agent_id

-- name: write_log
-- Heights are taken last and kept locked until commit: without gaps, in the order of commits.
with taken as (
    update audit_log_heads set height = height + $2 where log = $1 returning height - $2 as height
)
insert into audit_log (
    log, height, cell, agent_id, seq, event_type, event_hash, previous_hash, created_at
)
select
    $1, taken.height + entry.height, entry.cell, entry.agent_id, entry.seq, entry.event_type,
    entry.event_hash, entry.previous_hash, entry.created_at
from taken, json_populate_recordset(null::audit_log, $3::json) entry

-- name: links
-- A page of a chain, oldest first, behind a place and up to another.
select
    agent_id, seq, event_id, tenant_id, event_type, payload, previous_hash, event_hash, key_id,
    signature, created_at
from audit_events
where cell = $1 and agent_id = $2 and seq > $3 and seq <= $4
order by seq
limit $5

-- name: public_feed
-- The newest events of everybody, by public names only; internal owners and agents stay out.
select
    entry.height, entry.event_type, entry.event_hash, entry.previous_hash, entry.created_at,
    directory.owner_handle, directory.agent_handle, directory.canonical_uri
from audit_log entry
join directory on directory.agent_id = entry.agent_id
where entry.log = $1
    and entry.height < $2
    and directory.owner_handle not like 'internal-%'
    and directory.agent_handle not like 'internal-%'
order by entry.height desc
limit $3

-- name: height
-- How many events the public log has.
select height from audit_log_heads where log = $1

-- name: keep_public_key
-- Whoever verifies an old signature needs the key of its day, so keys are never forgotten.
insert into signing_keys (key_id, purpose, algorithm, public_key_pem)
values ($1, $2, $3, $4)
on conflict (key_id) do nothing

-- name: public_keys
-- All keys that events or receipts were ever signed with.
select key_id, public_key_pem from signing_keys order by created_at, key_id

-- name: links_about
-- The events about an inference or a receipt, which the database read in their texts.
select
    agent_id, seq, event_id, tenant_id, event_type, payload, previous_hash, event_hash, key_id,
    signature, created_at
from audit_events
where cell = $1 and agent_id = $2 and about = any($3::text[])
order by seq
limit $4

-- name: covered
-- The newest event of a chain that a log of this size has, and its place there.
select seq, height from audit_log
where log = $1 and agent_id = $2 and seq <= $3 and height <= $4
order by seq desc
limit 1

-- name: place_in_log
-- Where an event of a chain stands in the log.
select height from audit_log where log = $1 and agent_id = $2 and seq = $3

-- name: signed_receipts
-- Receipts of the tenant, as they were signed.
select receipt_id, decision_id, body, key_id, signature
from receipts
where cell = $1 and receipt_id = any($2::uuid[])

-- name: decision_snapshots
-- All that decisions of the tenant knew, and the rules that made them.
select id, snapshot, ruleset_hash from routing_outcomes where cell = $1 and id = any($2::uuid[])
