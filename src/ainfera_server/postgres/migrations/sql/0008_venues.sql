-- Which offers an operator has lit or darkened, against what the price lists say.
--
-- The last change of an offer is its state, so no state can be changed without a record of it. The
-- changes are a chain of their own: they belong to the operator, and events belong to agents.

create table venue_changes (
    number bigint not null primary key check (number > 0),
    offer text not null,
    state text not null check (state in ('lit', 'dark')),
    -- Exactly what was hashed and signed; it names the report by its hash.
    payload text not null,
    payload_hash text not null,
    key_id text not null,
    signature text not null,
    -- What the change was decided by, as it was handed in.
    report text,
    changed_at timestamptz not null
);
create index venue_changes_by_offer on venue_changes (offer, number);

create trigger append_only before update or delete on venue_changes
    for each row execute function refuse_change();

-- Who answers callers may look, and only who writes for the whole server may change.
grant select on venue_changes to ainfera_app, ainfera_writer, ainfera_ops;
grant insert on venue_changes to ainfera_writer;
