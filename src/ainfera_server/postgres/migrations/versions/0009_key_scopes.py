"""What a key may do, and answers that their owner had deleted."""

from ainfera_server.postgres.migrations import sql_files

revision = "0009_key_scopes"
down_revision = "0008_venues"


def upgrade() -> None:
    sql_files.run("0009_key_scopes.sql")
