"""Reading the ids in paths and bodies: what cannot be an id names nothing, like any other."""

from collections.abc import Callable
from uuid import UUID

from ainfera_server import identifiers
from ainfera_server.errors import NotFound


def parsed(text: str, absent: Callable[[], NotFound]) -> UUID:
    """An id in its one usual spelling. Raises the NotFound that `absent` makes."""
    identifier = identifiers.parsed(text)
    if identifier is None:
        raise absent()
    return identifier
