-- The public log as a tree: what was added to it, and what was signed.

-- name: lock_tree
-- One process adds at a time, and nobody waits for it: who finds the row held has nothing to do.
select origin, verifier_key from log_trees where log = $1 for update skip locked

-- name: name_tree
-- A log's name and key are written once, with its first checkpoint.
update log_trees set origin = $2, verifier_key = $3 where log = $1 and origin is null

-- name: identity
-- Who the log is; both are null before its first checkpoint.
select origin, verifier_key from log_trees where log = $1

-- name: reach
-- How far the log goes, and what was signed last.
select
    head.height, newest.size, newest.note,
    extract(epoch from now() - newest.created_at)::float8 as age_s
from audit_log_heads head
left join lateral (
    select size, note, created_at from log_checkpoints where log = head.log
    order by size desc limit 1
) newest on true
where head.log = $1

-- name: newest_checkpoint
-- The newest that was signed.
select size, note from log_checkpoints where log = $1 order by size desc limit 1

-- name: newest_cosigned_checkpoint
-- The newest that a witness has seen.
select size, note from log_checkpoints
where log = $1 and size = (select max(size) from log_cosignatures where log = $1)

-- name: checkpoint
-- The one that was signed for a size.
select size, note from log_checkpoints where log = $1 and size = $2

-- name: cosignatures
-- What witnesses wrote under a checkpoint, always in the same order.
select line from log_cosignatures where log = $1 and size = $2 order by witness

-- name: entries
-- What comes next in the log, in its order.
select height, agent_id, seq, event_hash
from audit_log
where log = $1 and height > $2 and height <= $2 + $3
order by height

-- name: pieces
-- The contents of some tiles, from left to right.
select wanted.level, wanted.start as tile_start, piece.start, piece.width, piece.data
from unnest($2::smallint[], $3::bigint[]) wanted (level, start)
join log_pieces piece
    on piece.log = $1 and piece.level = wanted.level
    and piece.start >= wanted.start and piece.start < wanted.start + 256
order by wanted.level, wanted.start, piece.start

-- name: add
-- What a turn added to the tree, and what was signed about it.
with added as (
    insert into log_pieces (log, level, start, width, data)
    select $1, level, start, width, data
    from unnest($4::smallint[], $5::bigint[], $6::smallint[], $7::bytea[])
        piece (level, start, width, data)
)
insert into log_checkpoints (log, size, note) values ($1, $2, $3)

-- name: add_cosignature
-- The first word of a witness about a checkpoint stands.
insert into log_cosignatures (log, size, witness, line) values ($1, $2, $3, $4)
on conflict (log, size, witness) do nothing

-- name: claim_witness
-- A witness is asked by one process at a time and not too often; no row means not now.
insert into log_witnesses (log, witness, asked_at) values ($1, $2, now())
on conflict (log, witness) do update set asked_at = now()
where log_witnesses.asked_at <= now() - make_interval(secs => $4) and log_witnesses.size < $3
returning size

-- name: witness_follows
-- How far a witness has come.
update log_witnesses set size = $3 where log = $1 and witness = $2
