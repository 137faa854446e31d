-- The public log as a Merkle tree.
--
-- What the log commits to stands in audit_log. The pieces of the tree and the checkpoints can be
-- made again from there, byte for byte; like it, they are only ever added to.

-- Who a log is. It gets its name and key with its first checkpoint and keeps them for good. Whoever
-- adds to the tree holds the row until commit.
create table log_trees (
    log smallint not null primary key,
    origin text,
    verifier_key text,
    check ((origin is null) = (verifier_key is null))
);
insert into log_trees (log) values (0);

-- The hashes of a level from a place on, as one turn added them; level -1 has the entries
-- themselves, each behind two bytes of length. A piece lies in one tile.
create table log_pieces (
    log smallint not null,
    level smallint not null check (level between -1 and 7),
    start bigint not null check (start >= 0),
    width smallint not null check (width between 1 and 256),
    data bytea not null,
    primary key (log, level, start),
    check (start % 256 + width <= 256),
    check (level = -1 or length(data) = 32 * width)
);
-- Hashes do not get smaller, and trying takes time.
alter table log_pieces alter column data set storage external;

create table log_checkpoints (
    log smallint not null,
    size bigint not null check (size > 0),
    note text not null,
    created_at timestamptz not null default now(),
    primary key (log, size)
);

create table log_cosignatures (
    log smallint not null,
    size bigint not null,
    witness text not null,
    line text not null,
    created_at timestamptz not null default now(),
    primary key (log, size, witness),
    foreign key (log, size) references log_checkpoints (log, size)
);

-- The size up to which a witness follows, and when it was last asked, by whichever process.
create table log_witnesses (
    log smallint not null,
    witness text not null,
    size bigint not null default 0 check (size >= 0),
    asked_at timestamptz not null,
    primary key (log, witness)
);

create function refuse_another_identity() returns trigger language plpgsql as $$
begin
    raise exception 'a log keeps its name and its key';
end
$$;
create trigger identity_is_kept before update on log_trees
    for each row when (old.origin is not null) execute function refuse_another_identity();
create trigger identity_is_not_lost before delete on log_trees
    for each row execute function refuse_another_identity();

create trigger append_only before update or delete on log_pieces
    for each row execute function refuse_change();
create trigger append_only before update or delete on log_checkpoints
    for each row execute function refuse_change();
create trigger append_only before update or delete on log_cosignatures
    for each row execute function refuse_change();

-- All of it is public, and one role makes it.
grant select on log_trees, log_pieces, log_checkpoints, log_cosignatures, log_witnesses
    to ainfera_app, ainfera_writer, ainfera_public, ainfera_ops;
grant update (origin, verifier_key) on log_trees to ainfera_writer;
grant insert on log_pieces, log_checkpoints, log_cosignatures, log_witnesses to ainfera_writer;
grant update (size, asked_at) on log_witnesses to ainfera_writer;
