"""The books, read behind everybody's back and added up again; a finding is a sentence.

Nothing here knows how the product writes: each rule follows from what money and evidence are.
"""

from collections.abc import Iterator
from typing import Any

from ainfera_server.audit import store as audit_store
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import AgentId
from ainfera_server.postgres import tenancy
from tests.conftest import Look

COUNTED = """
    select w.scope, w.scope_key, w.period, w.starts, coalesce(t.amount_posted, 0) as posted,
        case t.state when 'pending' then t.amount_held else 0 end as pending
    from transfers t
    cross join lateral (
        select scope, id::text as scope_key, period, date_trunc(period, t.day)::date as starts
        from (values ('agent', t.agent_id), ('tenant', t.tenant_id)) as owner (scope, id),
            unnest(array['day', 'month']) as period
        union all
        select
            case number when 1 then 'session' else 'subagent' end,
            t.agent_id || '/' || (t.subagents::json ->> 0)
            || case when number > 1 then '/' || name else '' end
            || case when number > 2 then '/' else '' end,
            'whole', date '0001-01-01'
        from json_array_elements_text(t.subagents::json) with ordinality as named (name, number)
        where t.subagents is not null
    ) w
    where t.kind = 'inference'
"""
"""Every window that each transfer counts in: its own, and what is below each subagent above it."""

RULES: dict[str, str] = {
    "no hold is open": "select transfer_id from transfers where state = 'pending'",
    "no inference still runs": "select inference_id from inferences where status = 'running'",
    "every outcome is known": "select id from routing_outcomes where outcome_status is null",
    "debits are credits": (
        "select transfer_id from ledger_entries group by transfer_id"
        " having sum(case side when 'debit' then amount else -amount end) <> 0"
        " or count(*) filter (where side = 'debit') <> 1"
        " or count(*) filter (where side = 'credit') not between 1 and 2"
    ),
    "all entries of everybody add up to nothing": (
        "select 1 from ledger_entries"
        " having sum(case side when 'debit' then amount else -amount end) <> 0"
    ),
    "what is posted was taken once, and what is not was never": (
        "select t.transfer_id from transfers t left join ledger_entries e using (transfer_id)"
        " group by t.transfer_id, t.state, t.amount_posted"
        " having (count(e.entry_id) > 0) <> (t.state = 'posted')"
        " or coalesce(max(e.amount) filter (where e.side = 'debit'), 0)"
        " <> coalesce(t.amount_posted, 0)"
    ),
    "money goes out of the account that the transfer names": (
        "select t.transfer_id from transfers t join ledger_entries e using (transfer_id)"
        " where e.side = 'debit' and e.account_id <> t.debit_account_id"
    ),
    "no account differs from its entries": (
        "select a.account_id from accounts a left join ledger_entries e using (account_id)"
        " group by a.account_id, a.debits_posted, a.credits_posted, a.version"
        " having coalesce(sum(e.amount) filter (where e.side = 'debit'), 0) <> a.debits_posted"
        " or coalesce(sum(e.amount) filter (where e.side = 'credit'), 0) <> a.credits_posted"
        " or count(e.entry_id) <> a.version or coalesce(max(e.account_version), 0) <> a.version"
    ),
    "no balance differs from the entries before it": (
        "select entry_id from (select entry_id, balance_after, sum(case side when 'credit' then"
        " amount else -amount end) over (partition by account_id order by account_version) as sum"
        " from ledger_entries) as e where balance_after <> sum"
    ),
    "no wallet and no pool was ever overdrawn": (
        "select entry_id from ledger_entries join accounts using (account_id)"
        " where kind in ('wallet', 'pool') and balance_after < 0"
    ),
    "a wallet holds what its open transfers hold": (
        "select a.account_id from accounts a left join transfers t"
        " on t.debit_account_id = a.account_id and t.state = 'pending'"
        " group by a.account_id, a.debits_pending"
        " having coalesce(sum(t.amount_held), 0) <> a.debits_pending"
    ),
    "a window has what its transfers say": (
        f"with counted as ({COUNTED})"  # noqa: S608
        " select s.scope, s.scope_key, s.period, s.starts from spending s left join counted c"
        " using (scope, scope_key, period, starts)"
        " group by s.scope, s.scope_key, s.period, s.starts, s.posted, s.pending"
        " having coalesce(sum(c.posted), 0) <> s.posted"
        " or coalesce(sum(c.pending), 0) <> s.pending"
    ),
    "whatever was counted has its windows": (
        f"with counted as ({COUNTED})"  # noqa: S608
        " select c.* from counted c left join spending s"
        " using (scope, scope_key, period, starts) where s.scope is null"
    ),
    "no cap is broken": "select scope_key from spending where posted + pending > cap",
    "an inference costs what was posted for it, and has a receipt exactly when it is over": (
        "select i.inference_id from inferences i join transfers t using (transfer_id)"
        " left join receipts r on r.inference_id = i.inference_id"
        " where i.cost is distinct from t.amount_posted"
        " or (r.receipt_id is not null) <> (t.state <> 'pending')"
    ),
    "an inference is paid at most once": (
        "select inference_id from transfers where state = 'posted' and kind = 'inference'"
        " group by inference_id having count(*) <> 1"
    ),
    "a routed inference has one outcome, a pinned one has none": (
        "select i.inference_id from inferences i left join routing_outcomes o"
        " on o.id = i.decision_id where (i.decision_id is null) <> (o.id is null)"
        " or o.inference_id is distinct from (case when o.id is null then null else"
        " i.inference_id end)"
    ),
    "an inference and its outcome end alike": (
        "select i.inference_id from inferences i join routing_outcomes o"
        " on o.id = i.decision_id"
        " where (i.status = 'succeeded') <> (o.outcome_status = 'succeeded')"
    ),
    "every debit is in the chain, once": (
        "select t.transfer_id from transfers t left join audit_events e"
        " on e.event_type = 'ledger.debited'"
        " and e.payload::json ->> 'transfer_id' = t.transfer_id::text"
        " where t.state = 'posted' and t.kind = 'inference'"
        " group by t.transfer_id having count(e.event_id) <> 1"
    ),
    "no event is there twice": (
        "select event_id from audit_events group by event_id having count(*) > 1"
    ),
    "the public log has every event once, without a gap": (
        "select 1 where (select count(*) from audit_log) <> (select count(*) from audit_events)"
        " or (select count(*) from audit_log) <> (select height from audit_log_heads)"
    ),
}
"""Each finds the rows that break it."""


def violations(look: Look, *, but: tuple[str, ...] = ()) -> list[str]:
    """Every rule that does not hold, with the rows that break it."""
    return [*_violations(look, but)]


async def chain_problems(gateway: Gateway, agent_id: AgentId) -> list[str]:
    """What is wrong with an agent's chain."""
    keys = {gateway.signer.key_id: gateway.signer.public_key_pem}
    async with tenancy.public_agent_transaction(gateway.pools.app, agent_id) as connection:
        verdict = await audit_store.verify(connection, agent_id, keys)
    assert verdict is not None, "an agent has a chain"
    return [] if verdict.valid else [f"{verdict.failure_reason} at {verdict.failure_seq}"]


def counts(look: Look) -> dict[str, Any]:
    """How much there is of what a call leaves behind."""
    (row,) = look(
        "select (select count(*) from inferences) as inferences,"
        " (select count(*) from routing_outcomes) as outcomes,"
        " (select count(*) from transfers where state = 'posted' and kind = 'inference') as paid,"
        " (select count(*) from receipts) as receipts"
    )
    return row


def wallet(look: Look, agent_id: AgentId) -> dict[str, int]:
    """What an agent's wallet has and holds, and what its days hold."""
    (row,) = (
        row
        for row in look(
            "select agent_id, credits_posted - debits_posted as balance, debits_pending as held,"
            " (select coalesce(sum(pending), 0) from spending s where s.agent_id = a.agent_id"
            " and s.scope = 'agent' and s.period = 'day') as held_on_days"
            " from accounts a where kind = 'wallet'"
        )
        if row["agent_id"] == agent_id
    )
    return {name: int(row[name]) for name in ("balance", "held", "held_on_days")}


def _violations(look: Look, but: tuple[str, ...]) -> Iterator[str]:
    assert set(but) <= set(RULES), "only a rule that there is can be left out"
    for rule, query in RULES.items():
        rows = [] if rule in but else look(query)
        if rows:
            yield f"{rule}: {rows}"
