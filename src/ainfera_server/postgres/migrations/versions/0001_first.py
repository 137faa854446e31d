"""The first schema."""

from ainfera_server.postgres.migrations import sql_files

revision = "0001_first"
down_revision = None


def upgrade() -> None:
    sql_files.run("0001_first.sql")
