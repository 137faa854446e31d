"""The public log as a Merkle tree."""

from ainfera_server.postgres.migrations import sql_files

revision = "0003_public_log"
down_revision = "0002_spending"


def upgrade() -> None:
    sql_files.run("0003_public_log.sql")
