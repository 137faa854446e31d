"""What agents had spent and set aside before there were windows counts in all of them now."""

import psycopg
import sqlalchemy
from alembic import command
from psycopg import conninfo

from ainfera_server.postgres import migrate
from ainfera_server.postgres.embedded import Server
from ainfera_server.postgres.migrations import history

BEFORE = "0001_first"
TENANT = "00000000-0000-7000-8000-000000000a07"
OTHER_TENANT = "00000000-0000-7000-8000-000000000bff"
AGENTS = ("00000000-0000-7000-8000-00000000a107", "00000000-0000-7000-8000-00000000a207")
OTHER_AGENT = "00000000-0000-7000-8000-00000000b1ff"

ADD_TENANT = (
    "insert into tenants (cell, tenant_id, name, owner_handle, owner_source, created_at)"
    " values (%s, %s, 'a', 'a', 'anonymous', now())"
)
ADD_DAY = (
    "insert into agent_days (cell, tenant_id, agent_id, day, cap, posted, pending)"
    " values (%s, %s, %s, %s, %s, %s, %s)"
)
DAYS = (
    (7, TENANT, AGENTS[0], "2026-03-31", 100, 60, 40),
    (7, TENANT, AGENTS[0], "2026-04-01", None, 5, 0),
    (7, TENANT, AGENTS[1], "2026-03-31", 9, 8, 1),
    (255, OTHER_TENANT, OTHER_AGENT, "2026-03-01", None, 3, 2),
)
WINDOWS = (
    "select scope, scope_key, period, starts::text, cap, posted, pending from spending"
    " order by scope, scope_key, period, starts"
)
ACCOUNTS = (
    "select tenant_id::text, kind, cell, right(account_id::text, 2),"
    " substr(account_id::text, 15, 1) from accounts order by tenant_id, kind"
)


def test_days_become_windows_of_agents_and_tenants_and_each_tenant_gets_its_new_accounts(
    empty_database: str, postgres_server: Server, migrated_template: str
) -> None:
    name = conninfo.conninfo_to_dict(empty_database)["dbname"]
    superuser = postgres_server.dsn_as(user="postgres", database=str(name))
    upgraded_to(empty_database, BEFORE)
    with psycopg.connect(superuser, autocommit=True) as connection:
        for tenant in ((7, TENANT), (255, OTHER_TENANT)):
            connection.execute(ADD_TENANT, tenant)
        for day in DAYS:
            connection.execute(ADD_DAY, day)

    migrate.upgrade(empty_database)

    first, second = AGENTS
    assert rows(superuser, WINDOWS) == [
        ("agent", first, "day", "2026-03-31", 100, 60, 40),
        ("agent", first, "day", "2026-04-01", None, 5, 0),
        ("agent", first, "month", "2026-03-01", None, 60, 40),
        ("agent", first, "month", "2026-04-01", None, 5, 0),
        ("agent", second, "day", "2026-03-31", 9, 8, 1),
        ("agent", second, "month", "2026-03-01", None, 8, 1),
        ("agent", OTHER_AGENT, "day", "2026-03-01", None, 3, 2),
        ("agent", OTHER_AGENT, "month", "2026-03-01", None, 3, 2),
        ("tenant", TENANT, "day", "2026-03-31", None, 68, 41),
        ("tenant", TENANT, "day", "2026-04-01", None, 5, 0),
        ("tenant", TENANT, "month", "2026-03-01", None, 68, 41),
        ("tenant", TENANT, "month", "2026-04-01", None, 5, 0),
        ("tenant", OTHER_TENANT, "day", "2026-03-01", None, 3, 2),
        ("tenant", OTHER_TENANT, "month", "2026-03-01", None, 3, 2),
    ]
    assert rows(superuser, ACCOUNTS) == [
        (TENANT, "pool", 7, "07", "7"),
        (TENANT, "provider_cost", 7, "07", "7"),
        (OTHER_TENANT, "pool", 255, "ff", "7"),
        (OTHER_TENANT, "provider_cost", 255, "ff", "7"),
    ]


def upgraded_to(dsn: str, revision: str) -> None:
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


def rows(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()
