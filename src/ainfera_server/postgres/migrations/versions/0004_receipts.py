"""Receipts of refusals."""

from ainfera_server.postgres.migrations import sql_files

revision = "0004_receipts"
down_revision = "0003_public_log"


def upgrade() -> None:
    sql_files.run("0004_receipts.sql")
