-- The first schema.
--
-- Keys lead with the column by which a distributed PostgreSQL spreads the rows: `cell` for what a
-- tenant owns (it is the last byte of every id), `log` for the public log, `canonical_uri` for the
-- directory. Money is whole millionths of a dollar. Events, receipts, decisions and snapshots are
-- kept as the exact text that was hashed or signed; nothing in the database rebuilds them.

-- Who ------------------------------------------------------------------------------------------

create table tenants (
    cell smallint not null,
    tenant_id uuid not null,
    name text not null,
    owner_handle text not null,
    owner_source text not null check (owner_source in ('anonymous', 'github_user')),
    owner_contact text,
    created_at timestamptz not null,
    primary key (cell, tenant_id)
);

create table agents (
    cell smallint not null,
    agent_id uuid not null,
    tenant_id uuid not null,
    name text not null,
    handle text not null,
    canonical_uri text not null,
    did_web text not null,
    status text not null check (status in ('active', 'paused', 'killed')),
    per_call_cap bigint check (per_call_cap > 0),
    daily_cap bigint check (daily_cap > 0),
    spend_policy text not null,
    wallet_address text,
    metadata text not null,
    card_key_id text not null,
    card_key_alg text not null check (card_key_alg in ('ES256', 'EdDSA')),
    card_public_key_pem text not null,
    card_private_key_sealed text not null,
    created_at timestamptz not null,
    primary key (cell, agent_id),
    unique (cell, tenant_id, handle),
    foreign key (cell, tenant_id) references tenants (cell, tenant_id)
);

create table agent_cards (
    cell smallint not null,
    card_id uuid not null,
    tenant_id uuid not null,
    agent_id uuid not null,
    key_id text not null,
    jws text not null,
    created_at timestamptz not null,
    primary key (cell, card_id),
    foreign key (cell, agent_id) references agents (cell, agent_id)
);
create index agent_cards_by_agent on agent_cards (cell, agent_id, card_id desc);

create table api_keys (
    cell smallint not null,
    key_id text not null check (key_id ~ '^[0-9a-f]{16}$'),
    tenant_id uuid not null,
    agent_id uuid not null,
    name text not null,
    secret_hash text not null check (secret_hash ~ '^[0-9a-f]{64}$'),
    last_four text not null,
    created_at timestamptz not null,
    revoked_at timestamptz,
    primary key (cell, key_id),
    foreign key (cell, agent_id) references agents (cell, agent_id)
);
create index api_keys_by_tenant on api_keys (cell, tenant_id, created_at);

-- What is public about an agent: its address, who stands behind it, and the key that anybody needs
-- to verify its card. Not a tenant's secret.
create table directory (
    canonical_uri text not null primary key,
    cell smallint not null,
    agent_id uuid not null,
    owner_handle text not null,
    agent_handle text not null,
    card_key_id text not null,
    card_key_alg text not null check (card_key_alg in ('ES256', 'EdDSA')),
    card_public_key_pem text not null,
    created_at timestamptz not null
);
create index directory_by_agent on directory (agent_id);
create index directory_by_owner on directory (owner_handle);

-- Money ----------------------------------------------------------------------------------------

create table accounts (
    cell smallint not null,
    account_id uuid not null,
    tenant_id uuid not null,
    agent_id uuid,
    kind text not null check (kind in ('wallet', 'grants', 'topups', 'revenue')),
    debits_posted bigint not null default 0 check (debits_posted >= 0),
    credits_posted bigint not null default 0 check (credits_posted >= 0),
    debits_pending bigint not null default 0 check (debits_pending >= 0),
    version bigint not null default 0 check (version >= 0),
    primary key (cell, account_id),
    check ((kind = 'wallet') = (agent_id is not null)),
    constraint wallet_is_never_overdrawn
        check (kind <> 'wallet' or credits_posted - debits_posted - debits_pending >= 0)
);
create unique index accounts_one_wallet_per_agent on accounts (cell, agent_id)
    where kind = 'wallet';
create unique index accounts_one_of_a_kind on accounts (cell, tenant_id, kind)
    where kind <> 'wallet';

create table transfers (
    cell smallint not null,
    transfer_id uuid not null,
    tenant_id uuid not null,
    agent_id uuid not null,
    kind text not null check (kind in ('grant', 'topup', 'inference')),
    debit_account_id uuid not null,
    credit_account_id uuid not null,
    amount_held bigint not null check (amount_held >= 0),
    amount_posted bigint check (amount_posted >= 0),
    state text not null check (state in ('pending', 'posted', 'voided', 'expired')),
    inference_id uuid,
    day date not null,
    memo text not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    resolved_at timestamptz,
    primary key (cell, transfer_id),
    foreign key (cell, debit_account_id) references accounts (cell, account_id),
    foreign key (cell, credit_account_id) references accounts (cell, account_id),
    check ((state = 'posted') = (amount_posted is not null)),
    check ((state = 'pending') = (resolved_at is null)),
    constraint a_transfer_never_posts_more_than_it_held check (amount_posted <= amount_held)
);
create index transfers_pending on transfers (expires_at) where state = 'pending';
create index transfers_by_inference on transfers (cell, inference_id);

create table ledger_entries (
    cell smallint not null,
    account_id uuid not null,
    account_version bigint not null check (account_version > 0),
    entry_id uuid not null,
    tenant_id uuid not null,
    transfer_id uuid not null,
    side text not null check (side in ('debit', 'credit')),
    amount bigint not null check (amount >= 0),
    balance_after bigint not null,
    created_at timestamptz not null,
    primary key (cell, account_id, account_version),
    foreign key (cell, account_id) references accounts (cell, account_id),
    foreign key (cell, transfer_id) references transfers (cell, transfer_id)
);

-- What an agent spent on a UTC day, with the cap of that day copied in, so that the database
-- itself refuses to break it.
create table agent_days (
    cell smallint not null,
    agent_id uuid not null,
    day date not null,
    tenant_id uuid not null,
    cap bigint,
    posted bigint not null default 0 check (posted >= 0),
    pending bigint not null default 0 check (pending >= 0),
    primary key (cell, agent_id, day),
    constraint daily_cap_is_never_broken check (cap is null or posted + pending <= cap)
);

-- Inferences -----------------------------------------------------------------------------------

create table inferences (
    cell smallint not null,
    inference_id uuid not null,
    tenant_id uuid not null,
    agent_id uuid not null,
    decision_id uuid,
    transfer_id uuid not null,
    status text not null check (status in ('running', 'succeeded', 'failed', 'refused')),
    dialect text not null,
    is_streamed boolean not null,
    model_asked text not null,
    model_slug text not null,
    offer_slug text not null,
    provider text not null,
    task_type text not null,
    task_type_source text not null check (task_type_source in ('caller', 'classifier', 'default')),
    policy_version text,
    coverage_cell text not null,
    price_book_version text not null,
    amount_held bigint not null,
    attempts text not null,
    input_tokens bigint,
    cache_read_tokens bigint,
    cache_write_tokens bigint,
    output_tokens bigint,
    reasoning_tokens bigint,
    cost bigint,
    usage_source text check (usage_source in ('provider', 'estimate')),
    finish_reason text,
    finish_reason_native text,
    failure text,
    receipt_id uuid,
    latency_ms bigint,
    created_at timestamptz not null,
    completed_at timestamptz,
    primary key (cell, inference_id),
    foreign key (cell, agent_id) references agents (cell, agent_id)
);
create index inferences_by_agent on inferences (cell, agent_id, created_at desc);
create index inferences_by_tenant on inferences (cell, tenant_id, created_at desc);

-- One row for each routed call, whatever became of it; a pinned call has none.
create table routing_outcomes (
    cell smallint not null,
    id uuid not null,
    tenant_id uuid not null,
    agent_id uuid not null,
    request_id text not null,
    inference_id uuid,
    task_type text not null,
    task_type_source text not null,
    cell_key text,
    decision_rule text not null,
    chosen_model_id text,
    chosen_model_slug text,
    policy_version text not null,
    ruleset_hash text not null,
    q_prior_used text,
    m_allowed_set text not null,
    candidates text not null,
    snapshot text not null,
    seed text,
    cost_projected bigint,
    cost_actual bigint,
    observed_latency_ms bigint,
    outcome_status text check (outcome_status in (
        'succeeded', 'rejected_floor', 'rejected_cap', 'rejected_funds',
        'failed_provider_error', 'failed_other'
    )),
    exploration boolean not null default false,
    decision_type text not null default 'deterministic',
    source text not null default 'prod' check (source in ('prod', 'synthetic', 'shadow')),
    traffic_class text not null default 'customer' check (
        traffic_class in ('customer', 'fleet', 'internal_probe', 'internal_eval')
    ),
    created_at timestamptz not null,
    completed_at timestamptz,
    primary key (cell, id),
    constraint a_finished_choice_names_its_inference check (
        outcome_status is null or decision_rule <> 'cheapest_clearing_floor'
        or inference_id is not null
    )
);
create unique index routing_outcomes_one_per_inference
    on routing_outcomes (cell, inference_id) where inference_id is not null;
create index routing_outcomes_by_tenant on routing_outcomes (cell, tenant_id, created_at desc);
create index routing_outcomes_refused
    on routing_outcomes (cell, tenant_id, created_at desc) where inference_id is null;
create index routing_outcomes_by_agent on routing_outcomes (cell, agent_id, created_at desc);

create table receipts (
    cell smallint not null,
    receipt_id uuid not null,
    tenant_id uuid not null,
    agent_id uuid not null,
    inference_id uuid not null,
    body text not null,
    key_id text not null,
    signature text not null,
    created_at timestamptz not null,
    primary key (cell, receipt_id),
    unique (cell, inference_id)
);

-- A call that carries a key is answered again from here; the answer is encrypted and short-lived.
create table idempotency_keys (
    cell smallint not null,
    scope text not null check (scope ~ '^[0-9a-f]{64}$'),
    tenant_id uuid not null,
    body_hash text not null,
    state text not null check (state in ('running', 'answered')),
    answer_sealed text,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (cell, scope),
    check ((state = 'answered') = (answer_sealed is not null))
);
create index idempotency_keys_by_expiry on idempotency_keys (expires_at);

create table outcomes (
    cell smallint not null,
    outcome_id uuid not null,
    tenant_id uuid not null,
    agent_id uuid not null,
    inference_id uuid not null,
    reward numeric(7, 6) not null check (reward between 0 and 1),
    source text not null check (source in ('caller', 'verify')),
    note text,
    created_at timestamptz not null,
    primary key (cell, outcome_id),
    unique (cell, inference_id, source)
);

-- Evidence -------------------------------------------------------------------------------------

create table chain_heads (
    cell smallint not null,
    agent_id uuid not null,
    tenant_id uuid not null,
    seq bigint not null default 0 check (seq >= 0),
    event_hash text check (event_hash ~ '^[0-9a-f]{64}$'),
    primary key (cell, agent_id)
);

create table audit_events (
    cell smallint not null,
    agent_id uuid not null,
    seq bigint not null check (seq > 0),
    event_id uuid not null,
    tenant_id uuid not null,
    event_type text not null,
    payload text not null,
    previous_hash text,
    event_hash text not null,
    key_id text not null,
    signature text not null,
    created_at timestamptz not null,
    primary key (cell, agent_id, seq),
    check ((seq = 1) = (previous_hash is null))
);

-- The public log: a commitment for each event, numbered in the order of commits, without gaps.
create table audit_log_heads (
    log smallint not null primary key,
    height bigint not null default 0 check (height >= 0)
);

create table audit_log (
    log smallint not null,
    height bigint not null check (height > 0),
    cell smallint not null,
    agent_id uuid not null,
    seq bigint not null,
    event_type text not null,
    event_hash text not null,
    previous_hash text,
    created_at timestamptz not null,
    primary key (log, height)
);

create table signing_keys (
    key_id text not null primary key,
    purpose text not null,
    algorithm text not null,
    public_key_pem text not null,
    created_at timestamptz not null default now()
);

create table price_books (
    version text not null primary key,
    body text not null,
    imported_at timestamptz not null default now()
);

insert into audit_log_heads (log) values (0);

-- Nothing that was recorded is ever changed ----------------------------------------------------

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name;
end
$$;

create trigger append_only before update or delete on audit_events
    for each row execute function refuse_change();
create trigger append_only before update or delete on audit_log
    for each row execute function refuse_change();
create trigger append_only before update or delete on ledger_entries
    for each row execute function refuse_change();
create trigger append_only before update or delete on receipts
    for each row execute function refuse_change();

-- Who may see and do what ----------------------------------------------------------------------
--
-- ainfera_app sees one tenant's rows: the one named by `app.tenant_id` in its transaction. Two
-- narrow doors stand beside it: `app.key_id` shows the one API key that a caller presented, and
-- `app.public_agent_id` shows one agent's chain to whoever asks to verify it.
-- ainfera_writer carries out the group commit, for all tenants at once.

do $$
declare
    owned_by_tenant text[] := array[
        'tenants', 'agents', 'agent_cards', 'api_keys', 'accounts', 'transfers', 'ledger_entries',
        'agent_days', 'inferences', 'routing_outcomes', 'receipts', 'idempotency_keys', 'outcomes',
        'chain_heads', 'audit_events'
    ];
    is_own text :=
        'tenant_id = (select nullif(current_setting(''app.tenant_id'', true), '''')::uuid)';
    owned text;
begin
    foreach owned in array owned_by_tenant loop
        execute format('alter table %I enable row level security', owned);
        execute format('alter table %I force row level security', owned);
        execute format(
            'create policy own_tenant on %I to ainfera_app using (%s) with check (%s)',
            owned, is_own, is_own
        );
        execute format(
            'create policy every_tenant on %I to ainfera_writer using (true) with check (true)',
            owned
        );
        execute format('create policy watch on %I for select to ainfera_ops using (true)', owned);
        execute format('grant select on %I to ainfera_app, ainfera_writer, ainfera_ops', owned);
    end loop;
end
$$;

create policy presented_key on api_keys for select to ainfera_app
    using (key_id = (select nullif(current_setting('app.key_id', true), '')));
create policy public_chain on audit_events for select to ainfera_app
    using (agent_id = (select nullif(current_setting('app.public_agent_id', true), '')::uuid));
create policy public_chain on chain_heads for select to ainfera_app
    using (agent_id = (select nullif(current_setting('app.public_agent_id', true), '')::uuid));

grant select, insert on directory, audit_log, signing_keys, price_books
    to ainfera_app, ainfera_writer;
grant select, update on audit_log_heads to ainfera_app, ainfera_writer;
grant select on directory, audit_log, audit_log_heads, signing_keys, price_books
    to ainfera_public, ainfera_ops;

grant insert on tenants, agents, agent_cards, api_keys, accounts, transfers, ledger_entries,
    outcomes, chain_heads, audit_events to ainfera_app;
grant update (name, status, per_call_cap, daily_cap, spend_policy, metadata) on agents
    to ainfera_app;
grant update (revoked_at) on api_keys to ainfera_app;
grant update (debits_posted, credits_posted, version) on accounts to ainfera_app;
grant update (seq, event_hash) on chain_heads to ainfera_app;
grant update (cap) on agent_days to ainfera_app;

grant insert on transfers, ledger_entries, agent_days, inferences, routing_outcomes, receipts,
    idempotency_keys, audit_events to ainfera_writer;
grant update (debits_posted, credits_posted, debits_pending, version) on accounts
    to ainfera_writer;
grant update (state, amount_posted, resolved_at) on transfers to ainfera_writer;
grant update (cap, posted, pending) on agent_days to ainfera_writer;
grant update (seq, event_hash) on chain_heads to ainfera_writer;
grant update (
    transfer_id, model_slug, offer_slug, provider, coverage_cell, amount_held, attempts, status,
    input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost,
    usage_source, finish_reason, finish_reason_native, failure, receipt_id, latency_ms,
    completed_at
) on inferences to ainfera_writer;
grant update (
    outcome_status, decision_rule, cost_actual, observed_latency_ms, completed_at
) on routing_outcomes to ainfera_writer;
grant update (body_hash, state, answer_sealed, created_at, expires_at) on idempotency_keys
    to ainfera_writer;
grant delete on idempotency_keys to ainfera_writer;
