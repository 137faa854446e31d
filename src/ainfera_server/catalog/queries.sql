-- Price books: every catalog that an answer was ever priced by.

-- name: insert_price_book
-- A version is the hash of its body, so whoever comes second has nothing to add.
insert into price_books (version, body)
values ($1, $2)
on conflict (version) do nothing;

-- name: select_price_book
-- A receipt names a version; this is how its prices are looked up again.
select body
from price_books
where version = $1;

-- name: select_last_venue_change
-- The next change names the one before it by its hash, so that none can be taken out unseen.
select number, payload_hash
from venue_changes
order by number desc
limit 1;

-- name: insert_venue_change
-- Of two operators at once one comes second, and must look again.
insert into venue_changes (
    number, offer, state, payload, payload_hash, key_id, signature, report, changed_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (number) do nothing
returning number;

-- name: select_venue_states
-- The last change of an offer is what it is; every server asks this every few seconds.
select distinct on (offer) offer, state
from venue_changes
order by offer, number desc;

-- name: select_venue_changes
-- Everything that was ever lit or darkened, for whoever checks it.
select number, offer, state, payload, payload_hash, key_id, signature, report, changed_at
from venue_changes
order by number;
