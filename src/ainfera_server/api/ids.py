"""Reading the ids in paths and bodies: what cannot be an id names nothing, like any other."""

from collections.abc import Callable
from uuid import UUID

from ainfera_server.errors import NotFound

UUID_CHARACTERS = 36


def parsed(text: str, absent: Callable[[], NotFound]) -> UUID:
    """An id in its one usual spelling. Raises the NotFound that `absent` makes."""
    try:
        identifier = UUID(text)
    except ValueError:
        raise absent() from None
    if len(text) != UUID_CHARACTERS:
        raise absent()
    return identifier
