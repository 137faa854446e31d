-- Money that is moved between wallets and the pool, and top-ups that are safe to ask for again.

alter table transfers
    drop constraint transfers_kind_check,
    add constraint transfers_kind_check check (kind in ('grant', 'topup', 'move', 'inference'));

-- A top-up takes its key, and keeps its answer, in the transaction that moves the money.
grant insert on idempotency_keys to ainfera_app;
grant update (body_hash, state, answer_sealed, created_at, expires_at) on idempotency_keys
    to ainfera_app;

-- Where a young table has no statistics yet, finding transfers by their ids must not be tempted by
-- this index and read a whole cell with it.
drop index transfers_by_inference;
create index transfers_by_inference on transfers (cell, inference_id)
    where inference_id is not null;
