"""How often a provider may be asked again: a share of its traffic, so trouble does not grow."""

RETRIES_OF_CALLS = 5
"""Every so many calls allow one more retry, which is a share of 20 %."""

RESERVE = 10
"""Retries that may be made before there was traffic to speak of, and at most at once."""


class RetryBudget:
    """A bucket for each provider, which calls fill and retries empty."""

    def __init__(self) -> None:
        self._fifths: dict[str, int] = {}
        self.made: dict[str, int] = {}
        self.refused: dict[str, int] = {}

    def note_call(self, provider: str) -> None:
        """An offer of the provider is asked for the first time in a call."""
        filled = self._fifths.get(provider, RESERVE * RETRIES_OF_CALLS) + 1
        self._fifths[provider] = min(filled, RESERVE * RETRIES_OF_CALLS)

    def takes(self, provider: str) -> bool:
        """Whether it may be asked again now; whoever is told yes does so."""
        left = self._fifths.get(provider, RESERVE * RETRIES_OF_CALLS)
        if left < RETRIES_OF_CALLS:
            self.refused[provider] = self.refused.get(provider, 0) + 1
            return False
        self._fifths[provider] = left - RETRIES_OF_CALLS
        self.made[provider] = self.made.get(provider, 0) + 1
        return True
