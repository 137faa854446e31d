"""Runs the migrations that a database lacks; imported only then, because Alembic takes a second."""

from pathlib import Path

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import DBAPIError

from ainfera_server.postgres import queries

QUERIES = queries.load("ainfera_server.postgres.migrate", "migrate.sql")
PREPARATIONS = (
    QUERIES["become_owner"].encode(),
    QUERIES["limit_waiting"].encode(),
    QUERIES["create_revision_table"].encode(),
)


def config() -> Config:
    """Alembic's configuration, for us and for whoever asks Alembic itself."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return made


def bring_to_newest(dsn: str) -> None:
    """Run what is missing as the owner of the tables. Raises psycopg.Error."""
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: _as_owner(dsn), poolclass=sqlalchemy.NullPool
    )
    try:
        with engine.connect() as connection:
            made = config()
            made.attributes["connection"] = connection
            command.upgrade(made, "head")
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise error.orig from error
        raise


def _as_owner(dsn: str) -> psycopg.Connection:
    connection = psycopg.connect(dsn)
    for statement in PREPARATIONS:
        connection.execute(statement)
    connection.commit()
    return connection
