-- The roles that own, serve, write, publish and watch. They belong to the whole server and not to
-- one database, so they are made before the migrations, and may well be there already. Each
-- statement touches only what is missing: on a managed server an administrator may have done the
-- work for a login that may not.

-- name: create_roles
-- None can log in, so none needs a password: a login takes a role on, and then has its rights only.
-- Two databases of one server may be migrated at the same moment, so a twin's role is as good.
do $$
declare
    wanted text;
begin
    foreach wanted in array array[
        'ainfera_owner', 'ainfera_app', 'ainfera_writer', 'ainfera_public', 'ainfera_ops'
    ] loop
        if not exists (select from pg_roles where rolname = wanted) then
            begin
                execute format('create role %I', wanted);
            exception when duplicate_object or unique_violation then
                null;
            end;
        end if;
    end loop;
end
$$

-- name: take_roles
-- Since PostgreSQL 16 a membership can be only the right to take a role on, which is all we want.
-- Before, it also lends the role's rights; that does no harm while every pool takes a role on.
do $$
declare
    wanted text;
    is_16 boolean := current_setting('server_version_num')::int >= 160000;
begin
    foreach wanted in array array[
        'ainfera_owner', 'ainfera_app', 'ainfera_writer', 'ainfera_ops'
    ] loop
        if not pg_has_role(current_user, wanted, case when is_16 then 'set' else 'member' end) then
            execute format(
                'grant %I to %I %s', wanted, current_user,
                case when is_16 then 'with inherit false, set true' end
            );
        end if;
    end loop;
end
$$

-- name: let_owner_create
-- Since PostgreSQL 15 only a database's owner may make tables in `public`.
do $$
begin
    if not has_schema_privilege('ainfera_owner', 'public', 'create') then
        grant usage, create on schema public to ainfera_owner;
    end if;
end
$$

-- name: dangerous_roles
-- A role that ignores row security would show one tenant another's rows.
select string_agg(rolname, ', ' order by rolname)
from pg_roles
where rolname in ('ainfera_owner', 'ainfera_app', 'ainfera_writer') and (rolsuper or rolbypassrls)

-- name: work_of_an_administrator
-- What to run when the login may not do it, ready to paste.
select format(
    'create role ainfera_owner; create role ainfera_app; create role ainfera_writer; '
    'create role ainfera_public; create role ainfera_ops; '
    'grant ainfera_owner, ainfera_app, ainfera_writer, ainfera_ops to %I; '
    'grant usage, create on schema public to ainfera_owner;',
    current_user
)
