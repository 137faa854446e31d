-- How answers turned out.

-- name: answered_inference
-- An outcome is of an answer that the tenant got.
select agent_id, status from inferences where cell = $1 and inference_id = $2

-- name: write_outcome
-- Each source speaks once about an answer; a twin that came first is left as it is.
insert into outcomes (
    cell, outcome_id, tenant_id, agent_id, inference_id, reward, source, note, created_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (cell, inference_id, source) do nothing

-- name: outcome
-- What a source said about an answer.
select outcome_id, agent_id, inference_id, reward, source, note, created_at
from outcomes
where cell = $1 and inference_id = $2 and source = $3

-- name: outcomes
-- All that was said about an answer.
select outcome_id, agent_id, inference_id, reward, source, note, created_at
from outcomes
where cell = $1 and inference_id = $2
order by source
