"""Which of a provider's several keys goes with a call: in turn, and not one that was refused."""

import logging
from dataclasses import dataclass, field, replace

from ainfera_server.errors import ProviderFailed
from ainfera_server.providers.provider import Endpoint, Secret

SET_ASIDE_S_FIRST = 60.0
SET_ASIDE_S_MAX = 900.0
"""A key that was refused may be allowed again, so it is tried again after a while."""

COOLDOWN_S = 2.0
"""For a key that has reached its limit when the provider does not say for how long."""

log = logging.getLogger(__name__)


class Credentials:
    """How each key of each provider fares in this process; times are of one monotonic clock.

    A key that was refused is set aside for all offers, as it is the key that is wrong. A limit
    that was reached is one model's, so then it rests for that offer only. When none is left, the
    one whose wait ends first is used all the same.
    """

    def __init__(self) -> None:
        self._states: dict[Secret, _KeyState] = {}
        self._turns: dict[str, int] = {}

    def keyed(self, endpoint: Endpoint, offer: str, *, now_s: float) -> Endpoint:
        """The same address, with the key whose turn it is."""
        keys = endpoint.every_key()
        if len(keys) == 1:
            return endpoint
        turn = self._turns.get(endpoint.provider.slug, 0)
        self._turns[endpoint.provider.slug] = (turn + 1) % len(keys)
        in_turn = (*keys[turn % len(keys) :], *keys[: turn % len(keys)])
        chosen = min(in_turn, key=lambda one: self._wait_s(one, offer, now_s))
        return replace(endpoint, api_key=chosen)

    def observe_success(self, endpoint: Endpoint) -> None:
        """The key was taken, so nothing is held against it any longer."""
        state = self._states.get(endpoint.api_key)
        if state is not None:
            state.refused_until_s, state.refusals = 0.0, 0

    def observe_failure(
        self, endpoint: Endpoint, offer: str, failure: ProviderFailed, *, now_s: float
    ) -> None:
        """Note what a failure says about the key that was used, if it is about the key."""
        match failure.reason:
            case "credential_refused":
                self._set_aside(endpoint, failure, now_s)
            case "rate_limited" if len(endpoint.every_key()) > 1:
                named_s = failure.retry_after_s
                until_s = now_s + (COOLDOWN_S if named_s is None else named_s)
                cooling = self._state(endpoint.api_key).cooling_until_s
                cooling[offer] = max(cooling.get(offer, 0.0), until_s)
            case _:
                pass

    def has_free_key(self, endpoint: Endpoint, offer: str, *, now_s: float) -> bool:
        """Whether one of the keys may be used for this offer right now."""
        return any(self._wait_s(one, offer, now_s) == 0.0 for one in endpoint.every_key())

    def has_other_free_key(self, endpoint: Endpoint, offer: str, *, now_s: float) -> bool:
        """Whether a key other than the one that was just used may be used now."""
        others = (one for one in endpoint.every_key() if one is not endpoint.api_key)
        return any(self._wait_s(one, offer, now_s) == 0.0 for one in others)

    def wait_s(self, endpoint: Endpoint, offer: str, *, now_s: float) -> float | None:
        """How long until one of several keys is free; None with one, of which its offer knows."""
        keys = endpoint.every_key()
        if len(keys) == 1:
            return None
        return min(self._wait_s(one, offer, now_s) for one in keys)

    def healthy_keys(self, endpoint: Endpoint, *, now_s: float) -> int:
        """How many keys are not set aside."""
        states = (self._states.get(one) for one in endpoint.every_key())
        return sum(one is None or one.refused_until_s <= now_s for one in states)

    def _wait_s(self, key: Secret, offer: str, now_s: float) -> float:
        state = self._states.get(key)
        if state is None:
            return 0.0
        until_s = max(state.refused_until_s, state.cooling_until_s.get(offer, 0.0))
        return max(until_s - now_s, 0.0)

    def _set_aside(self, endpoint: Endpoint, failure: ProviderFailed, now_s: float) -> None:
        """A key needs a person; that is said once, until it was taken again."""
        state = self._state(endpoint.api_key)
        wait_s = min(SET_ASIDE_S_FIRST * 2 ** min(state.refusals, 10), SET_ASIDE_S_MAX)
        state.refused_until_s = max(state.refused_until_s, now_s + wait_s)
        state.refusals += 1
        if state.refusals == 1:
            extra = {
                "provider": endpoint.provider.slug,
                "key_ends_in": endpoint.api_key.last_four(),
                "upstream_status": failure.upstream_status,
            }
            log.error("provider_key_set_aside", extra=extra)

    def _state(self, key: Secret) -> "_KeyState":
        return self._states.setdefault(key, _KeyState())


@dataclass(slots=True, kw_only=True)  # tidy: it changes with every call, and nobody else has it
class _KeyState:
    """What is held against one key; `cooling_until_s` is by offer."""

    refused_until_s: float = 0.0
    refusals: int = 0
    cooling_until_s: dict[str, float] = field(default_factory=dict[str, float])
