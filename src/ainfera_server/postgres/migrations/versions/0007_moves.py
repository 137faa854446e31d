"""Money that is moved between wallets and the pool, and top-ups that are safe to ask for again."""

from ainfera_server.postgres.migrations import sql_files

revision = "0007_moves"
down_revision = "0006_contents"


def upgrade() -> None:
    sql_files.run("0007_moves.sql")
