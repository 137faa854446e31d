"""What was looked up a moment ago, so that every request need not ask the database who calls."""

from collections.abc import Callable
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")

LIFETIME_S = 5.0
"""How long another process may go on believing a key that was revoked here."""
ENTRIES_MAX = 4096


class ShortMemory(Generic[KeyT, ValueT]):
    """Remembers for LIFETIME_S at most; when it is full, what was learnt first goes first.

    Times are seconds of one monotonic clock.
    """

    def __init__(self) -> None:
        self._entries: dict[KeyT, tuple[float, ValueT]] = {}
        self.generation = 0
        """Counts what was forgotten: whatever was looked up before then may be out of date."""

    def recall(self, key: KeyT, *, now_s: float) -> ValueT | None:
        """What is known; None when nothing is, or nothing fresh enough."""
        until_s, value = self._entries.get(key, (now_s, None))
        return value if now_s < until_s else None

    def remember(self, key: KeyT, value: ValueT, *, asked_at_s: float, generation: int) -> None:
        """Keep an answer, unless something was forgotten since it was asked for."""
        if generation != self.generation:
            return
        self._entries.pop(key, None)
        if len(self._entries) >= ENTRIES_MAX:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = (asked_at_s + LIFETIME_S, value)

    def forget(self, is_stale: Callable[[ValueT], bool]) -> None:
        """Drop what is no longer true."""
        self.generation += 1
        stale = [key for key, (_, value) in self._entries.items() if is_stale(value)]
        for key in stale:
            del self._entries[key]
