-- What inferences left behind, and whether it can still be believed.
-- A query of figures returns one row; a query of a rule returns, in `what`, whatever breaks it.

-- Inferences -------------------------------------------------------------------------------------

-- name: inferences
-- How many there are, and how they ended.
select
    count(*) as all,
    count(*) filter (where status = 'succeeded') as succeeded,
    count(*) filter (where status = 'failed') as failed,
    count(*) filter (where status = 'refused') as refused,
    count(*) filter (where status = 'running') as running,
    count(*) filter (where decision_id is not null) as routed,
    (select count(*) from receipts) as receipts
from inferences

-- name: inferences_without_their_transfer
-- An inference names the transfer that pays for it; those of offers that failed before are void.
select 'inference ' || i.inference_id as what
from inferences i
left join transfers t on t.cell = i.cell and t.inference_id = i.inference_id
group by i.cell, i.inference_id, i.transfer_id
having count(*) filter (where t.transfer_id = i.transfer_id) <> 1
    or count(*) filter (where t.transfer_id <> i.transfer_id and t.state <> 'voided') > 0
limit 1000

-- name: transfers_without_their_inference
-- Nobody pays for what is not there.
select 'transfer ' || t.transfer_id as what
from transfers t
left join inferences i on i.cell = t.cell and i.inference_id = t.inference_id
where t.kind = 'inference' and i.inference_id is null
limit 1000

-- name: inferences_unlike_their_transfer
-- What runs has money set aside, what succeeded was paid for, and what it cost was posted.
select 'inference ' || i.inference_id as what
from inferences i
join transfers t on t.cell = i.cell and t.transfer_id = i.transfer_id
where (i.status = 'running') <> (t.state = 'pending')
    or (i.status = 'succeeded' and t.state <> 'posted')
    or (i.status = 'refused' and t.state = 'posted')
    or (t.state = 'expired' and i.failure is distinct from 'expired')
    or (t.state <> 'pending' and i.cost is distinct from t.amount_posted
        and coalesce(i.cost, 0) <> coalesce(t.amount_posted, 0))
    or (i.status <> 'running') <> (i.completed_at is not null)
limit 1000

-- name: inferences_without_their_receipt
-- What was paid for has a receipt, and whatever has one has no other.
select 'inference ' || i.inference_id as what
from inferences i
join transfers t on t.cell = i.cell and t.transfer_id = i.transfer_id
left join receipts r on r.cell = i.cell and r.inference_id = i.inference_id
group by i.cell, i.inference_id, i.receipt_id, t.state
having count(r.receipt_id) > 1
    or (t.state = 'posted' and count(r.receipt_id) <> 1)
    or (i.receipt_id is not null and count(*) filter (where r.receipt_id = i.receipt_id) <> 1)
limit 1000

-- name: receipts_unlike_their_event
-- The chain commits to the text of every receipt, once.
select 'receipt ' || r.receipt_id as what
from receipts r
left join audit_events e
    on e.cell = r.cell and e.agent_id = r.agent_id and e.event_type = 'receipt.created'
    and e.about in (r.inference_id::text, r.receipt_id::text)
    and e.payload::json ->> 'receipt_id' = r.receipt_id::text
group by r.cell, r.receipt_id, r.body
having count(e.event_id) <> 1
    or count(*) filter (
        where e.payload::json ->> 'receipt_sha256'
            = encode(sha256(convert_to(r.body, 'UTF8')), 'hex')
    ) <> 1
limit 1000

-- name: inferences_without_their_outcome
-- A routed call has one routing outcome, which ends as it does; a pinned call has none.
select 'inference ' || i.inference_id as what
from inferences i
left join routing_outcomes o on o.cell = i.cell and o.inference_id = i.inference_id
group by i.cell, i.inference_id, i.decision_id, i.status
having count(o.id) <> (case when i.decision_id is null then 0 else 1 end)
    or count(*) filter (where o.id <> i.decision_id) > 0
    or count(o.id) filter (where (o.outcome_status is null) <> (i.status = 'running')) > 0
    or count(*) filter (
        where (o.outcome_status = 'succeeded') <> (i.status = 'succeeded')
    ) > 0
limit 1000

-- name: debits_without_their_event
-- The chain says of every answer that was paid for what was taken, once.
select 'transfer ' || t.transfer_id as what
from transfers t
left join audit_events e
    on e.cell = t.cell and e.agent_id = t.agent_id and e.event_type = 'ledger.debited'
    and e.payload::json ->> 'transfer_id' = t.transfer_id::text
where t.state = 'posted' and t.kind = 'inference'
group by t.cell, t.transfer_id
having count(e.event_id) <> 1
limit 1000

-- Chain ------------------------------------------------------------------------------------------

-- name: chain
-- How many chains and events there are.
select
    (select count(*) from chain_heads) as chains,
    (select coalesce(sum(seq), 0)::bigint from chain_heads) as events,
    (select count(*) from signing_keys) as keys

-- name: heads_unlike_their_chain
-- The recorded end of a chain is its last event, and its events are numbered without a gap.
select 'agent ' || h.agent_id as what
from chain_heads h
left join audit_events e on e.cell = h.cell and e.agent_id = h.agent_id
group by h.cell, h.agent_id, h.seq, h.event_hash
having count(e.seq) <> h.seq
    or coalesce(max(e.seq), 0) <> h.seq
    or (h.seq > 0 and count(*) filter (
        where e.seq = h.seq and e.event_hash = h.event_hash
    ) <> 1)
    or (h.seq = 0 and h.event_hash is not null)
limit 1000

-- name: events_without_a_chain
-- Every event is in a chain that has an end on record.
select 'agent ' || e.agent_id as what
from audit_events e
left join chain_heads h on h.cell = e.cell and h.agent_id = e.agent_id
where h.agent_id is null
group by e.agent_id
limit 1000

-- name: events_that_do_not_follow
-- Every event names the hash of the one before it.
select 'agent ' || agent_id || ' at ' || seq as what
from (
    select agent_id, seq, previous_hash,
        lag(event_hash) over (partition by cell, agent_id order by seq) as hash_before
    from audit_events
) e
where previous_hash is distinct from hash_before
limit 1000

-- name: events_told_twice
-- An event has one place.
select 'event ' || event_id as what
from audit_events
group by event_id
having count(*) > 1
limit 1000

-- name: receipts
-- Every receipt, as it was signed.
select receipt_id, body, key_id, signature from receipts

-- name: last_links
-- The end of every chain, oldest first, or all of it where no number is given.
select
    e.agent_id, e.seq, e.event_id, e.tenant_id, e.event_type, e.payload, e.previous_hash,
    e.event_hash, e.key_id, e.signature, e.created_at
from chain_heads h
join audit_events e on e.cell = h.cell and e.agent_id = h.agent_id
where $1::bigint is null or e.seq > h.seq - $1
order by e.cell, e.agent_id, e.seq

-- name: public_keys
-- What signatures are checked with.
select key_id, public_key_pem from signing_keys

-- Public log -------------------------------------------------------------------------------------

-- name: public_log
-- How far the log goes, how far the newest checkpoint does, and how far one that was cosigned.
select
    head.height as entries,
    (select count(*) from log_checkpoints where log = head.log) as checkpoints,
    (select coalesce(max(size), 0) from log_checkpoints where log = head.log) as covered,
    (select coalesce(max(size), 0) from log_cosignatures where log = head.log) as cosigned
from audit_log_heads head
where head.log = 0

-- name: log_identity
-- Who the log is; both are null before its first checkpoint.
select origin, verifier_key from log_trees where log = 0

-- name: events_unlike_the_log
-- The public log commits to every event once, and to nothing else.
select 'agent ' || coalesce(e.agent_id, l.agent_id) || ' at ' || coalesce(e.seq, l.seq) as what
from audit_events e
full join audit_log l on l.agent_id = e.agent_id and l.seq = e.seq
where e.event_hash is distinct from l.event_hash
    or e.event_type is distinct from l.event_type
limit 1000

-- name: heights_with_a_gap
-- The entries are numbered without a gap, up to the height on record.
select 'log ' || head.log as what
from audit_log_heads head
left join audit_log entry on entry.log = head.log
group by head.log, head.height
having count(entry.height) <> head.height or coalesce(max(entry.height), 0) <> head.height

-- name: checkpoints_beyond_the_log
-- Nothing was signed that is not there.
select 'checkpoint of ' || checkpoint.size as what
from log_checkpoints checkpoint
join audit_log_heads head on head.log = checkpoint.log
where checkpoint.size > head.height
limit 1000

-- name: tiles_unlike_the_checkpoint
-- On each level of the stored tree are as many hashes as the newest checkpoint stands above.
select 'level ' || coalesce(piece.level, wanted.level) as what
from (
    select level, sum(width) as width from log_pieces where log = 0 group by level
) piece
full join (
    select level, newest.size >> (8 * greatest(level, 0)) as width
    from generate_series(-1, 7) level, (
        select coalesce(max(size), 0) as size from log_checkpoints where log = 0
    ) newest
) wanted on wanted.level = piece.level
where coalesce(piece.width, 0) <> coalesce(wanted.width, 0)

-- name: entries_that_checkpoints_left_out
-- A checkpoint covers everything that was there so many seconds before it.
select 'agent ' || entry.agent_id || ' at ' || entry.seq as what
from audit_log entry, (
    select max(size) as size, max(created_at) as created_at from log_checkpoints where log = 0
) newest
where entry.log = 0 and entry.height > newest.size
    and entry.created_at < newest.created_at - make_interval(secs => $1)
limit 1000

-- name: checkpoints
-- What was signed, oldest first, from a size on.
select size, note from log_checkpoints where log = 0 and size >= $1 order by size

-- name: log_entries
-- What the log commits to, in its order, from behind a height up to another.
select agent_id, seq, event_hash
from audit_log
where log = 0 and height > $1 and height <= $2
order by height

-- name: stored_tile
-- What is stored of a level from a place on, from left to right.
select data from log_pieces where log = 0 and level = $1 and start >= $2 order by start

-- Price book -------------------------------------------------------------------------------------

-- name: price_books
-- Every price book there is; there are few.
select version, body from price_books order by imported_at, version

-- name: receipts_without_their_prices
-- A receipt names the price book that its cost is computed from.
select 'price book ' || (r.body::json ->> 'price_book_version') as what
from receipts r
left join price_books b on b.version = r.body::json ->> 'price_book_version'
where r.body::json ->> 'price_book_version' is not null and b.version is null
group by 1
limit 1000

-- name: inferences_without_their_prices
-- So does an inference that is not settled yet.
select 'price book ' || i.price_book_version as what
from inferences i
left join price_books b on b.version = i.price_book_version
where b.version is null
group by 1
limit 1000
