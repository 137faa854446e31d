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
