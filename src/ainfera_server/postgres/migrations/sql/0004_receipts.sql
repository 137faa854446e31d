-- Receipts of refusals, and the events that belong to a receipt.
--
-- A refusal has a receipt and no inference. What a receipt decided on and what an event is about
-- the database reads from their own texts, so the two cannot differ, and rows that were there
-- before have it too. It looks for the name in the canonical text, where a quote that is not
-- escaped begins a name: reading the JSON would fail on a zero character in somebody's words.

alter table receipts alter column inference_id drop not null;
alter table receipts add column decision_id uuid generated always as (
    nullif(split_part(split_part(body, '"decision_id":"', 2), '"', 1), '')::uuid
) stored;

alter table audit_events add column about text generated always as (
    coalesce(
        nullif(split_part(split_part(payload, '"inference_id":"', 2), '"', 1), ''),
        nullif(split_part(split_part(payload, '"receipt_id":"', 2), '"', 1), '')
    )
) stored;
create index audit_events_by_what_they_are_about on audit_events (cell, agent_id, about)
    where about is not null;

-- Where in the public log an event of a chain stands; no event stands there twice.
create unique index audit_log_by_event on audit_log (log, agent_id, seq);
