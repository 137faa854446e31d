-- What each new connection is asked before anybody gets it.

-- name: obeys_row_security
-- A pooler may drop the setting that makes us the role, and the login may ignore row security.
select current_user = $1 and not (rolsuper or rolbypassrls)
from pg_roles
where rolname = current_user
