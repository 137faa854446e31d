"""Runs the numbered `.sql` file of a revision."""

import importlib.resources

from alembic import op


def run(name: str) -> None:
    """Run a whole file as it stands: `sql_files.run("0001_first.sql")`.

    Without parameters the driver sends the text unread, so that a `%` or `:` in it is just that.
    """
    file = importlib.resources.files("ainfera_server.postgres.migrations") / "sql" / name
    connection = op.get_bind().execution_options(no_parameters=True)
    connection.exec_driver_sql(file.read_text(encoding="utf-8"))
