-- Agents' cards and the keys that sign them.

-- name: write_card
-- A card that was issued; older ones stay, so that what they signed can be looked up.
insert into agent_cards (cell, card_id, tenant_id, agent_id, key_id, jws, created_at)
values ($1, $2, $3, $4, $5, $6, $7)

-- name: card
-- The card that an agent shows now: the newest under the key that signs now.
select card.jws
from agent_cards card
join agents agent
    on agent.cell = card.cell and agent.agent_id = card.agent_id
    and agent.card_key_id = card.key_id
where card.cell = $1 and card.agent_id = $2
order by card.card_id desc
limit 1

-- name: sealed_key
-- The sealed half of an agent's key, to sign another card with.
select card_private_key_sealed from agents where cell = $1 and agent_id = $2

-- name: end_keys
-- After this moment only the key that is written next counts. No key ends before it began, also
-- when the clocks of two processes disagree.
update agent_card_keys set valid_until = greatest(valid_from, $3)
where cell = $1 and agent_id = $2 and (valid_until is null or valid_until > $3)

-- name: write_key
-- The public half of a key that signs from now on.
insert into agent_card_keys (cell, agent_id, key_id, tenant_id, alg, public_key_pem, valid_from)
values ($1, $2, $3, $4, $5, $6, $7)

-- name: change_key
-- An agent signs with another key; nothing is left of the old one's private half.
update agents
set card_key_id = $3, card_key_alg = $4, card_public_key_pem = $5, card_private_key_sealed = $6
where cell = $1 and agent_id = $2

-- name: keys
-- Every key that signed cards of an agent, newest first.
select key_id, alg, public_key_pem, valid_from, valid_until
from agent_card_keys
where cell = $1 and agent_id = $2
order by valid_until desc nulls first, valid_from desc
limit $3

-- name: key
-- The key that a card names.
select key_id, alg, public_key_pem, valid_from, valid_until
from agent_card_keys
where cell = $1 and agent_id = $2 and key_id = $3
