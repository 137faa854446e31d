"""Which offers an operator has lit or darkened."""

from ainfera_server.postgres.migrations import sql_files

revision = "0008_venues"
down_revision = "0007_moves"


def upgrade() -> None:
    sql_files.run("0008_venues.sql")
