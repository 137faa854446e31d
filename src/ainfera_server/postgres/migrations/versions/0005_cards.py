"""Cards that rotate."""

from ainfera_server.postgres.migrations import sql_files

revision = "0005_cards"
down_revision = "0004_receipts"


def upgrade() -> None:
    sql_files.run("0005_cards.sql")
