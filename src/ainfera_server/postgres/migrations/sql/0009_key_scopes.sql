-- What a key may do, and answers that their owner had deleted.
--
-- The keys of before could do everything, and go on so: who gave them to agents makes others.

alter table api_keys add column scope text not null default 'owner'
    check (scope in ('owner', 'inference'));

-- A key of a call stays known when its answer is deleted, so that nobody pays for the call twice.
alter table idempotency_keys drop constraint idempotency_keys_state_check;
alter table idempotency_keys add constraint idempotency_keys_state_check
    check (state in ('running', 'answered', 'deleted'));
grant update (state, answer_sealed) on idempotency_keys to ainfera_app;
