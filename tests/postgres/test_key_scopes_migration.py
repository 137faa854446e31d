"""Keys of before keys had scopes go on doing all that they could."""

import psycopg
import pytest
from psycopg import conninfo

from ainfera_server.postgres import migrate
from ainfera_server.postgres.embedded import Server
from tests.postgres.test_card_keys_migration import (
    ADD_AGENT,
    ADD_TENANT,
    AGENT,
    rows,
    upgraded_to,
)

BEFORE = "0008_venues"
ADD_KEY = (
    "insert into api_keys (cell, key_id, tenant_id, agent_id, name, secret_hash, last_four,"
    " created_at) select cell, '0700000000000000', tenant_id, agent_id, 'k', repeat('0', 64),"
    " 'four', now() from agents"
)
SCOPES = "select scope from api_keys"


def test_the_keys_of_before_are_owners_keys_and_a_scope_is_one_of_two(
    empty_database: str, postgres_server: Server
) -> None:
    name = conninfo.conninfo_to_dict(empty_database)["dbname"]
    superuser = postgres_server.dsn_as(user="postgres", database=str(name))
    upgraded_to(empty_database, BEFORE)
    rows(superuser, ADD_TENANT, ADD_AGENT.format(agent=AGENT), ADD_KEY)
    migrate.upgrade(empty_database)
    assert rows(superuser, SCOPES) == [("owner",)]
    with pytest.raises(psycopg.errors.CheckViolation):
        rows(superuser, "update api_keys set scope = 'admin'")
