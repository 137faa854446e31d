-- What the launcher does once as the superuser of the server it started, so that Ainfera itself
-- never is one: its login is what a managed server would give, the owner of one database.

-- name: login_exists
-- The first start may have been cut short after any statement, so each is asked for by itself.
select true from pg_roles where rolname = 'ainfera'

-- name: create_login
-- CREATEROLE, because the migrations make the roles that Ainfera works as.
create role ainfera login createrole

-- name: database_exists
-- As above.
select true from pg_database where datname = 'ainfera'

-- name: create_database
-- Owned by the login, which makes it the owner of the schema `public` as well.
create database ainfera owner ainfera
