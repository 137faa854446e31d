"""Agents of before keys could rotate keep their key, their card and their place."""

import psycopg
import pytest
import sqlalchemy
from alembic import command
from psycopg import conninfo

from ainfera_server.postgres import migrate
from ainfera_server.postgres.embedded import Server
from ainfera_server.postgres.migrations import history
from tests.conftest import Look

BEFORE = "0004_receipts"
AGENT = "00000000-0000-7000-8000-00000000a107"
SECOND = "00000000-0000-7000-8000-00000000a207"
ADD_TENANT = (
    "insert into tenants (cell, tenant_id, name, owner_handle, owner_source, created_at)"
    " values (7, '00000000-0000-7000-8000-000000000a07', 'a', 'a', 'anonymous', now())"
)
ADD_AGENT = (
    "insert into agents (cell, agent_id, tenant_id, name, handle, canonical_uri, did_web, status,"
    " spend_policy, metadata, card_key_id, card_key_alg, card_public_key_pem,"
    " card_private_key_sealed, created_at)"
    " values (7, '{agent}', '00000000-0000-7000-8000-000000000a07', 'a', '{agent}', 'u', 'd',"
    " 'active', '{{}}', '{{}}', 'key of {agent}', 'EdDSA', 'pem', 'sealed', '2026-01-02 03:04Z')"
)
LIST_AGENT = (
    "insert into directory (canonical_uri, cell, agent_id, owner_handle, agent_handle, card_key_id,"
    " card_key_alg, card_public_key_pem, created_at)"
    " values ('{agent}', 7, '{agent}', 'a', 'a', 'k', 'EdDSA', 'pem', now())"
)
KEYS = (
    "select agent_id::text, key_id, alg, public_key_pem, valid_from = '2026-01-02 03:04Z',"
    " valid_until from agent_card_keys order by key_id"
)
ANOTHER_KEY = (
    "insert into agent_card_keys (cell, agent_id, key_id, tenant_id, alg, public_key_pem,"
    " valid_from) select cell, agent_id, 'another', tenant_id, alg, public_key_pem, valid_from"
    " from agent_card_keys returning key_id"
)
SECURITY = "select relforcerowsecurity from pg_class where relname = 'agents'"


def upgraded_to(dsn: str, revision: str) -> None:
    """Run the migrations up to one, as a start of its day would have."""
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: as_owner(dsn), poolclass=sqlalchemy.NullPool
    )
    with engine.connect() as connection:
        config = history.config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def as_owner(dsn: str) -> psycopg.Connection:
    connection = psycopg.connect(dsn)
    preparations = (migrate.CREATE_ROLES, migrate.TAKE_ROLES, migrate.LET_OWNER_CREATE)
    for statement in (*preparations, *history.PREPARATIONS):
        connection.execute(statement)
    connection.commit()
    return connection


def rows(dsn: str, *statements: str) -> list[tuple[object, ...]]:
    """Run statements past every rule, and read what the last gives."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursors = [connection.execute(one.encode()) for one in statements]
        return cursors[-1].fetchall() if cursors[-1].description else []


def test_the_keys_of_agents_survive_and_go_on_in_the_new_table(
    empty_database: str, postgres_server: Server
) -> None:
    name = conninfo.conninfo_to_dict(empty_database)["dbname"]
    superuser = postgres_server.dsn_as(user="postgres", database=str(name))
    upgraded_to(empty_database, BEFORE)
    rows(superuser, ADD_TENANT, ADD_AGENT.format(agent=AGENT), LIST_AGENT.format(agent=AGENT))
    migrate.upgrade(empty_database)
    kept = (AGENT, f"key of {AGENT}", "EdDSA", "pem", True, None)
    assert rows(superuser, KEYS) == [kept]
    assert rows(superuser, SECURITY) == [(True,)]
    rows(superuser, ADD_AGENT.format(agent=SECOND), LIST_AGENT.format(agent=SECOND))
    assert rows(superuser, KEYS) == [kept, (SECOND, f"key of {SECOND}", *kept[2:])]


def test_the_database_allows_an_agent_one_signing_key(look: Look) -> None:
    look(f"{ADD_TENANT} returning cell")
    look(f"{ADD_AGENT.format(agent=AGENT)} returning cell")
    with pytest.raises(psycopg.errors.UniqueViolation, match="one_without_an_end"):
        look(ANOTHER_KEY)
