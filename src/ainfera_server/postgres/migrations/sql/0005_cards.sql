-- Cards that rotate.
--
-- An agent's own row keeps the key that signs its cards now, sealed. Beside it, every key that ever
-- signed a card of its stands here with its public half alone, so that anybody may see the list:
-- who verifies an old card needs the key of its day, and has to know until when that key counted.

create table agent_card_keys (
    cell smallint not null,
    agent_id uuid not null,
    key_id text not null,
    tenant_id uuid not null,
    alg text not null check (alg in ('ES256', 'EdDSA')),
    public_key_pem text not null,
    valid_from timestamptz not null,
    valid_until timestamptz,
    primary key (cell, agent_id, key_id),
    foreign key (cell, agent_id) references agents (cell, agent_id),
    constraint a_key_ends_after_it_began check (valid_until >= valid_from)
);
create unique index agent_card_keys_one_without_an_end on agent_card_keys (cell, agent_id)
    where valid_until is null;

-- Row security is forced upon the owner of the tables too: for the length of this transaction it
-- sees what it has to copy.
alter table agents no force row level security;
insert into agent_card_keys (
    cell, agent_id, key_id, tenant_id, alg, public_key_pem, valid_from
)
select cell, agent_id, card_key_id, tenant_id, card_key_alg, card_public_key_pem, created_at
from agents;
alter table agents force row level security;

-- Whoever writes an agent publishes its first key, also the code of before this table.
create function publish_first_card_key() returns trigger language plpgsql as $$
begin
    insert into agent_card_keys (
        cell, agent_id, key_id, tenant_id, alg, public_key_pem, valid_from
    )
    values (
        new.cell, new.agent_id, new.card_key_id, new.tenant_id, new.card_key_alg,
        new.card_public_key_pem, new.created_at
    );
    return null;
end
$$;
create trigger publish_first_card_key after insert on agents
    for each row execute function publish_first_card_key();

-- The directory had a copy of the first key, which a rotation would make a lie.
alter table directory
    alter card_key_id drop not null,
    alter card_key_alg drop not null,
    alter card_public_key_pem drop not null;

alter table agent_card_keys enable row level security;
alter table agent_card_keys force row level security;
create policy own_tenant on agent_card_keys to ainfera_app
    using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))
    with check (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid));
create policy public_keys on agent_card_keys for select to ainfera_app
    using (agent_id = (select nullif(current_setting('app.public_agent_id', true), '')::uuid));
create policy watch on agent_card_keys for select to ainfera_ops using (true);

grant select, insert, update (valid_until) on agent_card_keys to ainfera_app;
grant select on agent_card_keys to ainfera_ops;
grant update (card_key_id, card_key_alg, card_public_key_pem, card_private_key_sealed) on agents
    to ainfera_app;
