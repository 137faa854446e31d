-- Prompts and answers that tenants want kept, and the keys they are sealed with.

-- name: retention
-- What a tenant chose.
select store_content, content_days from tenants where cell = $1 and tenant_id = $2

-- name: write_retention
-- A tenant chooses anew; what is kept already stays until its own time is over.
update tenants set store_content = $3, content_days = $4 where cell = $1 and tenant_id = $2

-- name: first_agent
-- The agent whose chain tells of what concerns the whole tenant.
select agent_id from agents where cell = $1 and tenant_id = $2 order by agent_id limit 1

-- name: key_in_use
-- The key that a tenant's next content is sealed with.
select key_id, sealed_key, created_at from content_keys
where cell = $1 and tenant_id = $2 and deleted_at is null

-- name: write_key
-- A new key, when the tenant has none.
insert into content_keys (cell, key_id, tenant_id, sealed_key, created_at)
values ($1, $2, $3, $4, $5)

-- name: forget_key
-- From here on nobody can read what was sealed with it; its row only remembers what to clear up.
update content_keys set sealed_key = null, deleted_at = now()
where cell = $1 and key_id = $2 and deleted_at is null

-- name: forget_answers
-- The answers that are kept for keys of calls; a key stays known, so that nobody pays twice.
update idempotency_keys set state = 'deleted', answer_sealed = null
where cell = $1 and tenant_id = $2 and state = 'answered'

-- name: write_content
-- Nothing is kept with a deleted key, nor for a tenant that wants nothing kept any more. How long
-- it lives is counted by the database's clock, as is whether it is over.
insert into contents (
    cell, inference_id, tenant_id, agent_id, key_id, left_out, sealed_request, sealed_answer,
    sealed_salt, created_at, expires_at
)
select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + $11
where exists (
    select from content_keys
    where cell = $1 and key_id = $5 and tenant_id = $3 and deleted_at is null
) and exists (
    select from tenants where cell = $1 and tenant_id = $3 and store_content
)
on conflict (cell, inference_id) do nothing

-- name: content
-- What is kept of an inference, while its key is there and its time is not over.
select c.agent_id, c.tenant_id, c.key_id, c.left_out, c.sealed_request, c.sealed_answer,
       c.sealed_salt, c.created_at, c.expires_at, k.sealed_key, i.is_streamed, i.receipt_id
from contents c
join content_keys k
    on k.cell = c.cell and k.key_id = c.key_id and k.deleted_at is null
join inferences i on i.cell = c.cell and i.inference_id = c.inference_id
where c.cell = $1 and c.inference_id = $2 and c.expires_at > now()

-- name: agent_of_content
-- Whose chain tells that a content was deleted.
select agent_id from contents where cell = $1 and inference_id = $2 and expires_at > now()

-- name: forget_content
-- Delete what is kept of one inference; the hash names the bytes that lay here, and no word.
delete from contents where cell = $1 and inference_id = $2
returning encode(sha256(sealed_request || sealed_answer || sealed_salt), 'hex') as sealed_sha256

-- name: forget_contents_of_tenant
-- Clear up what a tenant's deleted keys have left, in small steps.
delete from contents
where (cell, inference_id) in (
    select c.cell, c.inference_id
    from contents c
    join content_keys k on k.cell = c.cell and k.key_id = c.key_id
    where c.cell = $1 and c.tenant_id = $2 and k.deleted_at is not null
    limit $3
)

-- name: forget_contents_of_deleted_keys
-- The same for every tenant; whoever else is at it takes other rows.
delete from contents
where (cell, inference_id) in (
    select c.cell, c.inference_id
    from content_keys k
    join contents c
        on c.cell = k.cell and c.tenant_id = k.tenant_id and c.key_id = k.key_id
    where k.deleted_at is not null
    limit $1
    for update of c skip locked
)

-- name: forget_expired_contents
-- What is kept is deleted when its time is over; whoever else is at it takes other rows.
delete from contents
where (cell, inference_id) in (
    select cell, inference_id from contents
    where expires_at < now()
    limit $1
    for update skip locked
)

-- name: forget_deleted_keys
-- A deleted key whose contents are gone leaves no trace; the hour is for writes on their way.
delete from content_keys k
where k.deleted_at < now() - interval '1 hour'
and not exists (
    select from contents c
    where c.cell = k.cell and c.tenant_id = k.tenant_id and c.key_id = k.key_id
)
