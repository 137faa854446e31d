"""The clock of this machine, for checks that compare it with the database's."""

from datetime import UTC, datetime


def right() -> float:
    """What time it is."""
    return datetime.now(UTC).timestamp()  # noqa: TID251 (what is checked is a clock)


def an_hour_late() -> float:
    """What a clock shows that stopped an hour ago and goes on."""
    return right() - 3600
