"""Receipts and events of before refusals had receipts are found by what they are about."""

import json
from pathlib import Path

from psycopg import conninfo

from ainfera_server.postgres import migrate
from ainfera_server.postgres.embedded import Server
from tests.postgres import test_card_keys_migration as earlier

BEFORE = "0003_public_log"
GOLDEN = Path(__file__).parents[1] / "audit" / "evidence" / "first_evidence.golden.json"
ADD_EVENT = (
    "insert into audit_events (cell, agent_id, seq, event_id, tenant_id, event_type, payload,"
    " previous_hash, event_hash, key_id, signature, created_at) values (7, '{agent_id}', {seq},"
    " '{event_id}', '{tenant_id}', '{event_type}', $text${payload}$text$, {previous_hash},"
    " '{event_hash}', 'k', 's', now())"
)
ADD_RECEIPT = (
    "insert into receipts (cell, receipt_id, tenant_id, agent_id, inference_id, body, key_id,"
    " signature, created_at) values (7, '{receipt_id}', '{tenant_id}', '{agent_id}',"
    " '{inference_id}', $text${signed_text}$text$, 'k', 's', now())"
)
ABOUT = "select seq, about from audit_events order by seq"
DECIDED = "select receipt_id::text, decision_id::text from receipts"
HELD = "select relforcerowsecurity from pg_class where relname in ('receipts', 'audit_events')"


def test_what_was_there_before_is_found_by_inference_receipt_and_decision(
    empty_database: str, postgres_server: Server
) -> None:
    name = conninfo.conninfo_to_dict(empty_database)["dbname"]
    superuser = postgres_server.dsn_as(user="postgres", database=str(name))
    golden = json.loads(GOLDEN.read_text("utf-8"))
    events = [(one, json.loads(one["payload"])) for one in golden["events"]]
    receipts = [(one, json.loads(one["signed_text"])) for one in golden["receipts"]]
    earlier.upgraded_to(empty_database, BEFORE)
    for one, said in events:
        previous = "null" if one["previous_hash"] is None else f"'{one['previous_hash']}'"
        row = {**said, **one, "previous_hash": previous}
        earlier.rows(superuser, ADD_EVENT.format(**row))
    for one, said in receipts:
        earlier.rows(superuser, ADD_RECEIPT.format(**said, signed_text=one["signed_text"]))
    migrate.upgrade(empty_database)

    about = [(said["seq"], said.get("inference_id")) for _, said in events]
    assert earlier.rows(superuser, ABOUT) == about
    decided = {(said["receipt_id"], said["decision_id"]) for _, said in receipts}
    assert set(earlier.rows(superuser, DECIDED)) == decided
    assert len({one for _, one in decided}) == 3
    assert earlier.rows(superuser, HELD) == [(True,), (True,)]
