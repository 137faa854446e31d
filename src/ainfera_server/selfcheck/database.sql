-- How a check reads, and what the database itself has to look like.
-- A query of figures returns one row; a query of a rule returns, in `what`, whatever breaks it.

-- name: watch_or_write
-- Taken on for the transaction: the role that only watches where the login may, else the writer's.
-- Before PostgreSQL 16 a member of a role may always take it on.
select set_config('role', case
    when to_regrole('ainfera_ops') is not null and pg_has_role(
        current_user, to_regrole('ainfera_ops')::oid,
        case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end
    ) then 'ainfera_ops' else 'ainfera_writer' end, true)

-- name: database_age
-- How long the database has been up, by its own clock.
select extract(epoch from clock_timestamp() - pg_postmaster_start_time())::float8 as seconds

-- Row security -----------------------------------------------------------------------------------

-- name: row_security
-- How many tables there are whose rows belong to a tenant.
select count(*) as tables, (
    select count(*) from pg_policies where schemaname = 'public'
) as policies
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace

-- name: tables_without_row_security
-- Row security is on, and binds the owner too.
select 'table ' || c.relname as what
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
    and not (c.relrowsecurity and c.relforcerowsecurity)
limit 1000

-- name: tables_without_their_policy
-- The role that serves tenants sees and writes rows of the one tenant named in its transaction.
select 'table ' || c.relname as what
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
    and has_table_privilege('ainfera_app', c.oid, 'select')
    and not exists (
        select from pg_policy p
        where p.polrelid = c.oid and p.polcmd in ('*', 'r') and p.polpermissive
            and p.polroles @> array[to_regrole('ainfera_app')::oid]
            and pg_get_expr(p.polqual, p.polrelid) like '%tenant_id = %app.tenant_id%'
    )
limit 1000

-- name: policies_that_are_too_wide
-- No policy opens rows to the serving role without asking what its transaction was opened for.
select 'policy ' || p.polname || ' on ' || c.relname as what
from pg_policy p
join pg_class c on c.oid = p.polrelid
where p.polpermissive
    and p.polroles && array[to_regrole('ainfera_app')::oid, 0::oid]
    and (
        coalesce(pg_get_expr(p.polqual, p.polrelid), 'current_setting')
            not like '%current_setting%'
        or coalesce(pg_get_expr(p.polwithcheck, p.polrelid), 'current_setting')
            not like '%current_setting%'
    )
limit 1000

-- name: roles_that_ignore_row_security
-- Row security binds neither superusers nor roles with a right of their own.
select 'role ' || rolname as what
from pg_roles
where rolname in (
        'ainfera_owner', 'ainfera_app', 'ainfera_writer', 'ainfera_public', 'ainfera_ops'
    )
    and (rolsuper or rolbypassrls)
limit 1000

-- name: tables_owned_by_who_serves
-- Who owns a table can take its rules away.
select 'table ' || relname as what
from pg_class
where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace
    and relowner in (
        to_regrole('ainfera_app')::oid, to_regrole('ainfera_writer')::oid,
        to_regrole('ainfera_public')::oid, to_regrole('ainfera_ops')::oid
    )
limit 1000

-- name: records_that_can_be_changed
-- What was recorded is never changed: a trigger refuses it to everybody.
select 'table ' || wanted as what
from unnest(array[
    'audit_events', 'audit_log', 'ledger_entries', 'log_checkpoints', 'log_cosignatures',
    'log_pieces', 'receipts'
]) as wanted
where not exists (
    select from pg_trigger t
    where t.tgrelid = to_regclass(wanted) and t.tgname = 'append_only' and t.tgenabled <> 'D'
)
limit 1000

-- Clock ------------------------------------------------------------------------------------------

-- name: clock
-- What time the database has.
select extract(epoch from clock_timestamp())::float8 as database_unix_s

-- name: records_of_the_future
-- Nothing is from later than now, but for what a machine's clock may be ahead.
select what
from (
    select 'transfer ' || transfer_id as what, created_at from transfers
    union all
    select 'agent ' || agent_id || ' at ' || seq, created_at from audit_events
) records
where created_at > now() + make_interval(secs => $1)
limit 1000
