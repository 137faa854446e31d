"""Watches the embedded database for the supervisor, which starts it again when it dies."""

import psycopg

from ainfera_server.cli.failures import Failure
from ainfera_server.errors import StoreUnavailable
from ainfera_server.postgres import embedded
from ainfera_server.postgres.embedded import Server


class DatabaseBeside:
    """The embedded database while a server runs. What closes it ends the watch, not the database.

    PostgreSQL is no child of ours, and so we hold a connection: it breaks when the database dies.
    """

    name = "the database"
    is_needed = True

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lifeline = embedded.lifeline(server)
        self._descriptor = self._lifeline.fileno()

    def fileno(self) -> int:
        """What can be read from once the database may have died."""
        return self._descriptor

    def has_died(self) -> bool:
        """No when it only had something to tell, such as that its configuration was read anew."""
        try:
            self._lifeline.pgconn.consume_input()
        except psycopg.OperationalError:
            return True
        return False

    def start_again(self) -> None:
        """Have it run once more; the pools of the workers connect again by themselves."""
        self.close()
        try:
            embedded.start_again(self._server)
            self._lifeline = embedded.lifeline(self._server)
        except StoreUnavailable as problem:
            raise Failure(str(problem)) from problem
        self._descriptor = self._lifeline.fileno()

    def close(self) -> None:
        """End the watch."""
        self._lifeline.close()
