"""Answers as JSON, written once and by orjson."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

import orjson
from fastapi.responses import Response

from ainfera_server import money
from ainfera_server.audit import events
from ainfera_server.money import UsdMicros

Shown: TypeAlias = (
    "bool | int | float | str | Sequence[Shown] | Mapping[str, Shown] | orjson.Fragment | None"
)
"""A JSON value; a Fragment is text that was stored as JSON and goes out as the same bytes."""


def json(value: Shown, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(
        orjson.dumps(value),
        status_code=status,
        media_type="application/json",
        headers=None if headers is None else dict(headers),
    )


def stored(text: str) -> orjson.Fragment:
    """JSON text from the database, to be shown exactly as it is kept."""
    return orjson.Fragment(text)


def usd(amount: int | None) -> str | None:
    """Dollars as decimal text; None when the amount is not known."""
    return None if amount is None else money.usd(UsdMicros(amount))


def moment(when: datetime | None) -> str | None:
    """A moment in UTC; None when it has not come."""
    return None if when is None else events.timestamp(when)


def identifier(value: object) -> str | None:
    """An id as text; None when there is none."""
    return None if value is None else str(value)
