"""Windows of spending, a shared pool, and where an answer's price goes."""

from ainfera_server.postgres.migrations import sql_files

revision = "0002_spending"
down_revision = "0001_first"


def upgrade() -> None:
    sql_files.run("0002_spending.sql")
