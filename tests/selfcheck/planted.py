"""Ways to break the books, each as a statement for whoever may do everything."""

from dataclasses import dataclass

CHANGED_TILE = (
    "update log_pieces set data = decode(repeat('00', 32 * width), 'hex')"
    " where level = 0 and start = (select max(start) from log_pieces where level = 0)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """Something broken: what was done, and how the rule that finds it begins."""

    statement: str
    promise: str
    rule: str


PLANTED = (
    Planted(
        statement="update ledger_entries set amount = amount + 1 where side = 'debit'",
        promise="conservation",
        rule="the entries of a tenant add up to zero",
    ),
    Planted(
        statement="delete from ledger_entries using accounts a"
        " where a.account_id = ledger_entries.account_id and a.kind = 'grants'",
        promise="conservation",
        rule="a transfer has exactly the entries",
    ),
    Planted(
        statement="update accounts set debits_posted = debits_posted + 1 where kind = 'grants'",
        promise="conservation",
        rule="the totals of an account",
    ),
    Planted(
        statement="update ledger_entries set account_version = account_version + 1"
        " where account_version = (select max(account_version) from ledger_entries)",
        promise="conservation",
        rule="the totals of an account",
    ),
    Planted(
        statement="update ledger_entries set balance_after = balance_after + 1"
        " where account_version = 2",
        promise="conservation",
        rule="the balance after an entry",
    ),
    Planted(
        statement="update ledger_entries set balance_after = -1 from accounts a"
        " where a.account_id = ledger_entries.account_id and a.kind = 'wallet'",
        promise="conservation",
        rule="no wallet was ever overdrawn",
    ),
    Planted(
        statement="update accounts set debits_pending = debits_pending + 1 where kind = 'wallet'"
        " and debits_pending > 0",
        promise="open holds",
        rule="an account has set aside",
    ),
    Planted(
        statement="update transfers set expires_at = now() - interval '61 seconds'"
        " where state = 'pending'",
        promise="open holds",
        rule="no hold is open 60 seconds",
    ),
    Planted(
        statement="update spending set posted = posted + 1 where scope = 'tenant'",
        promise="open holds",
        rule="a window of spending has what",
    ),
    Planted(
        statement="delete from spending where scope = 'subagent'",
        promise="open holds",
        rule="a window of spending has what",
    ),
    Planted(
        statement="alter table transfers"
        " drop constraint a_transfer_never_posts_more_than_it_held;"
        "update transfers set amount_held = amount_posted - 1 where state = 'posted'",
        promise="open holds",
        rule="no transfer posted more",
    ),
    Planted(
        statement="alter table spending drop constraint cap_is_never_broken;"
        "update spending set cap = posted - 1 where posted > 0 and cap is not null;"
        "update agents set daily_cap = 1 where daily_cap is not null",
        promise="caps",
        rule="what is spent and set aside in a window",
    ),
    Planted(
        statement="update spending set cap = null",
        promise="caps",
        rule="an open window enforces the cap",
    ),
    Planted(
        statement="alter table accounts drop constraint wallet_is_never_overdrawn;"
        "alter table spending drop constraint cap_is_never_broken;"
        "update transfers set amount_held = 100000000 where state = 'pending';"
        "update spending set pending = 100000000 where pending > 0;"
        "update accounts set debits_pending = 100000000 where debits_pending > 0",
        promise="caps",
        rule="what is spent and set aside is within what was put in",
    ),
    Planted(
        statement="update inferences set transfer_id = gen_random_uuid() where status = 'failed'",
        promise="inferences",
        rule="an inference has one transfer",
    ),
    Planted(
        statement="update transfers set inference_id = gen_random_uuid() where state = 'voided'"
        " and transfer_id not in (select transfer_id from inferences)",
        promise="inferences",
        rule="a transfer for an inference has its inference",
    ),
    Planted(
        statement="update inferences set cost = cost + 1",
        promise="inferences",
        rule="an inference and its transfer end alike",
    ),
    Planted(
        statement="update inferences set status = 'failed' where status = 'running'",
        promise="inferences",
        rule="an inference and its transfer end alike",
    ),
    Planted(
        statement="delete from receipts using inferences i"
        " where i.inference_id = receipts.inference_id and i.status = 'succeeded'",
        promise="inferences",
        rule="an inference that was paid for has one receipt",
    ),
    Planted(
        statement="delete from routing_outcomes where outcome_status = 'succeeded'",
        promise="inferences",
        rule="a routed inference has one routing outcome",
    ),
    Planted(
        statement="update receipts set body = body || ' ' where inference_id is null",
        promise="inferences",
        rule="the chain commits to the text of every receipt",
    ),
    Planted(
        statement="update receipts set signature = (select max(signature) from receipts)",
        promise="inferences",
        rule="a receipt was signed as it says",
    ),
    Planted(
        statement="update ledger_entries set transfer_id = md5(transfer_id::text)::uuid;"
        "update inferences set transfer_id = md5(transfer_id::text)::uuid;"
        "update transfers set transfer_id = md5(transfer_id::text)::uuid",
        promise="inferences",
        rule="an inference that was paid for has one event",
    ),
    Planted(
        statement="update chain_heads set event_hash = repeat('0', 64)",
        promise="chain",
        rule="a chain ends where its record says",
    ),
    Planted(
        statement="delete from chain_heads where seq = (select min(seq) from chain_heads)",
        promise="chain",
        rule="an event belongs to a chain",
    ),
    Planted(
        statement="update audit_events set previous_hash = repeat('0', 64) where seq = 2",
        promise="chain",
        rule="an event names the hash of the one before it",
    ),
    Planted(
        statement="update audit_events set event_id = gen_random_uuid() where seq = 2",
        promise="chain",
        rule="an event hashes and was signed as it says",
    ),
    Planted(
        statement="update audit_events set event_id = (select min(event_id::text)::uuid"
        " from audit_events)",
        promise="chain",
        rule="an event has one place",
    ),
    Planted(
        statement="update audit_events set signature = (select max(signature) from audit_events)",
        promise="chain",
        rule="an event hashes and was signed as it says",
    ),
    Planted(
        statement="delete from audit_log where height = 3",
        promise="public log",
        rule="the public log commits to every event",
    ),
    Planted(
        statement="update audit_log set height = height + 1 where height = ("
        "select max(height) from audit_log)",
        promise="public log",
        rule="the entries of the log are numbered",
    ),
    Planted(
        statement="update log_trees set verifier_key = 'other' || verifier_key",
        promise="public log",
        rule="a checkpoint was signed",
    ),
    Planted(
        statement="update log_checkpoints set note = (select min(note) from log_checkpoints)",
        promise="public log",
        rule="a checkpoint was signed",
    ),
    Planted(
        statement="update log_checkpoints set size = 1000000"
        " where size = (select max(size) from log_checkpoints)",
        promise="public log",
        rule="a checkpoint signs what is there",
    ),
    Planted(
        statement="delete from log_pieces where level = -1",
        promise="public log",
        rule="the stored tree is as large",
    ),
    Planted(
        statement=CHANGED_TILE,
        promise="public log",
        rule="the stored tree leads to the root",
    ),
    Planted(
        statement="update audit_log set height = height + 1000000 where height in (1, 2);"
        "update audit_log set height = 1000003 - height where height > 1000000",
        promise="public log",
        rule="the entries of the log lead to the root",
    ),
    Planted(
        statement="update audit_log set created_at = created_at - interval '1 day'"
        " where height = (select max(height) from audit_log)",
        promise="public log",
        rule="a checkpoint covers what was there",
    ),
    Planted(
        statement="update price_books set body = body || ' '",
        promise="price book",
        rule="the version of a price book is its hash",
    ),
    Planted(
        statement="delete from price_books",
        promise="price book",
        rule="the price book that a receipt names is kept",
    ),
    Planted(
        statement="update inferences set price_book_version = 'none' where status = 'running'",
        promise="price book",
        rule="the price book that an inference names is kept",
    ),
    Planted(
        statement="alter table transfers no force row level security",
        promise="row security",
        rule="row security binds everybody on a table",
    ),
    Planted(
        statement="drop policy own_tenant on receipts",
        promise="row security",
        rule="a table with a tenant's rows shows",
    ),
    Planted(
        statement="create policy everything on agents for select to ainfera_app using (true)",
        promise="row security",
        rule="no policy opens rows",
    ),
    Planted(
        statement="create table notes (tenant_id uuid); grant select on notes to ainfera_app",
        promise="row security",
        rule="row security binds everybody on a table",
    ),
    Planted(
        statement="alter table price_books owner to ainfera_app",
        promise="row security",
        rule="who serves tenants owns no table",
    ),
    Planted(
        statement="alter table ledger_entries disable trigger append_only",
        promise="row security",
        rule="what was recorded cannot be changed",
    ),
    Planted(
        statement="update transfers set created_at = now() + interval '1 day'",
        promise="clock",
        rule="no record is from the future",
    ),
    Planted(
        statement="alter role ainfera_public bypassrls",
        promise="row security",
        rule="row security binds every role",
    ),
)
