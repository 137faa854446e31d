"""Prompts and answers that a tenant wants kept."""

from ainfera_server.postgres.migrations import sql_files

revision = "0006_contents"
down_revision = "0005_cards"


def upgrade() -> None:
    sql_files.run("0006_contents.sql")
