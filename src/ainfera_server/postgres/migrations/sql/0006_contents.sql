-- Prompts and answers that a tenant wants kept.
--
-- Nothing is kept unless the tenant says so. What is kept is encrypted with a key of the tenant's
-- own, which is itself sealed with the server's: without the key's row no content can be read, not
-- here and not in a copy of the table.

alter table tenants
    add column store_content boolean not null default false,
    add column content_days smallint not null default 30 check (content_days between 1 and 365);

-- One key that is used for each tenant, and those whose deletion the clock has still to finish.
create table content_keys (
    cell smallint not null,
    key_id uuid not null,
    tenant_id uuid not null,
    sealed_key text,
    created_at timestamptz not null,
    deleted_at timestamptz,
    primary key (cell, key_id),
    foreign key (cell, tenant_id) references tenants (cell, tenant_id),
    constraint a_deleted_key_is_gone check ((deleted_at is null) = (sealed_key is not null))
);
create unique index content_keys_one_in_use on content_keys (cell, tenant_id)
    where deleted_at is null;
create index content_keys_deleted on content_keys (deleted_at) where deleted_at is not null;

-- An old version of a row is what a deleted key would be found in: the next vacuum takes it.
alter table content_keys set (
    autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0
);

-- A request, its answer and the salt of their hashes, each sealed for its own place, or why they
-- were left out. There is no reference to the key: a key must be gone at once, and its contents
-- may follow in small steps.
create table contents (
    cell smallint not null,
    inference_id uuid not null,
    tenant_id uuid not null,
    agent_id uuid not null,
    key_id uuid not null,
    left_out text check (left_out in ('too_large', 'too_much_at_once')),
    sealed_request bytea,
    sealed_answer bytea,
    sealed_salt bytea,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (cell, inference_id),
    constraint a_content_is_whole_or_left_out check (
        num_nulls(sealed_request, sealed_answer, sealed_salt)
        = (case when left_out is null then 0 else 3 end)
    )
);
create index contents_by_expiry on contents (expires_at);
create index contents_by_key on contents (cell, tenant_id, key_id);

-- What is encrypted cannot be made smaller, so nobody should try.
alter table contents
    alter column sealed_request set storage external,
    alter column sealed_answer set storage external;

do $$
declare
    owned_by_tenant text[] := array['content_keys', 'contents'];
    is_own text :=
        'tenant_id = (select nullif(current_setting(''app.tenant_id'', true), '''')::uuid)';
    owned text;
begin
    foreach owned in array owned_by_tenant loop
        execute format('alter table %I enable row level security', owned);
        execute format('alter table %I force row level security', owned);
        execute format(
            'create policy own_tenant on %I to ainfera_app using (%s) with check (%s)',
            owned, is_own, is_own
        );
        execute format(
            'create policy every_tenant on %I to ainfera_writer using (true) with check (true)',
            owned
        );
    end loop;
end
$$;

-- Whoever only watches the server sees no content and no key, not even sealed.
grant update (store_content, content_days) on tenants to ainfera_app;
grant select, insert on content_keys to ainfera_app;
grant update (sealed_key, deleted_at) on content_keys to ainfera_app;
grant select, delete on contents to ainfera_app;
grant select (cell, key_id, tenant_id, deleted_at), delete on content_keys to ainfera_writer;
grant select (cell, inference_id, tenant_id, key_id, expires_at), insert, delete on contents
    to ainfera_writer;
-- For the lock on what it is about to delete.
grant update (expires_at) on contents to ainfera_writer;
