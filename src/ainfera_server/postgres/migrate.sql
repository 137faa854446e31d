-- Which schema a database has, and who may change it.

-- name: has_revision
-- A fresh database has no such table, and asking for it must not be an error.
select to_regclass('public.alembic_version') is not null

-- name: stored_revision
-- Alembic keeps one row: the revision that the schema is at.
select version_num from public.alembic_version

-- name: allow_waiting
-- The guard does nothing while another connection migrates, and must not be cut off for it.
select
    set_config('idle_in_transaction_session_timeout', '0', true),
    set_config('lock_timeout', '60s', true)

-- name: wait_for_others
-- The lock lasts as long as its transaction, so that no pooler can strand it. The number only has
-- to be ours.
select pg_advisory_xact_lock(7234017283807667300)

-- name: become_owner
-- What the migrations make belongs to a role that nobody logs in as.
set role ainfera_owner

-- name: limit_waiting
-- A migration that waits for a lock blocks all who come after it, so it gives up soon and retries.
select
    set_config('lock_timeout', '3s', false),
    set_config('statement_timeout', '600s', false),
    set_config('search_path', 'public', false)

-- name: create_revision_table
-- As Alembic would, but readable by all: a login without rights can tell that nothing is missing.
create table if not exists public.alembic_version (
    version_num text not null,
    constraint alembic_version_pkc primary key (version_num)
);
grant select on public.alembic_version to public
