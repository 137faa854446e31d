"""Who is asked when an offer or a key lately failed: others first, and never nobody."""

from dataclasses import replace

import orjson
import pytest

from ainfera_server.errors import AllRoutedModelsFailed, ProviderFailed
from ainfera_server.gateway import Gateway
from ainfera_server.providers import provider as providers
from tests.conftest import Look
from tests.inference import books_of, callers
from tests.promises import proves
from tests.providers.scripted_http import Received
from tests.running_server import RunningServer
from tests.scripted_provider import ScriptedProvider

CHEAPEST, CHEAPEST_UPSTREAM = "mistral-large-3", "mistral-large-2512"
NEXT = "gpt-5-5"
SKIPPED = (CHEAPEST, "skipped_cooling", None)
KEYS = ("sk-canary-000000-aaaa", "sk-canary-000000-bbbb")


def attempts_of_the_last(look: Look) -> list[tuple[str, str, int | None]]:
    """What the newest receipt says was tried."""
    (row,) = look("select body from receipts order by created_at desc limit 1")
    body = orjson.loads(row["body"])
    return [(one["offer"], one["result"], one["upstream_status"]) for one in body["attempts"]]


def with_keys(gateway: Gateway, *keys: str) -> Gateway:
    """The same gateway with several keys for Mistral."""
    before = gateway.endpoints["mistral"]
    keyed = providers.endpoint(before.provider, key=",".join(keys), base_url=before.base_url)
    assert keyed is not None
    return replace(gateway, endpoints={**gateway.endpoints, "mistral": keyed})


@proves("the-next-offer-answers", "no-free-or-double-charge")
@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "plain"])
async def test_an_offer_that_cools_is_asked_last_and_the_decision_stays_as_it_was(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look, *, streams: bool
) -> None:
    caller = await callers.signed_up(gateway)
    scripted_provider.fails(status=429, retry_after=600, model=CHEAPEST_UPSTREAM)
    await caller.answers(gateway, stream=streams)
    scripted_provider.requests.clear()

    await caller.answers(gateway, stream=streams)

    assert CHEAPEST_UPSTREAM not in {one.model for one in scripted_provider.requests}
    assert attempts_of_the_last(look) == [SKIPPED, (NEXT, "answered", 200)]
    first, second = look("select chosen_model_id from routing_outcomes order by created_at")
    assert first == second == {"chosen_model_id": CHEAPEST}
    assert books_of.violations(look) == []


async def test_a_cooling_offer_is_asked_when_all_others_have_failed(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look
) -> None:
    caller = await callers.signed_up(gateway)
    scripted_provider.fails(status=429, retry_after=600, model=CHEAPEST_UPSTREAM, times=1)
    await caller.asks(gateway)
    scripted_provider.fails(status=503)
    scripted_provider.answers(model=CHEAPEST_UPSTREAM)

    await caller.asks(gateway)

    tried = attempts_of_the_last(look)
    assert (tried[0], tried[-1]) == (SKIPPED, (CHEAPEST, "answered", 200))
    assert {result for _, result, _ in tried[1:-1]} == {"unavailable"}
    assert books_of.violations(look) == []


async def test_the_only_venue_of_a_model_is_asked_however_it_fares(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look
) -> None:
    caller = await callers.signed_up(gateway)
    scripted_provider.fails(status=401, model=CHEAPEST_UPSTREAM, times=5)
    for _ in range(5):
        with pytest.raises(ProviderFailed):
            await caller.asks(gateway, model=CHEAPEST)
    await caller.asks(gateway, model=CHEAPEST)
    assert attempts_of_the_last(look) == [(CHEAPEST, "answered", 200)]


async def test_a_key_that_is_refused_makes_way_for_the_next_within_the_same_call(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look
) -> None:
    keyed = with_keys(gateway, *KEYS)
    caller = await callers.signed_up(keyed)
    scripted_provider.fails(status=401, model=CHEAPEST_UPSTREAM, times=1)
    await caller.asks(keyed)
    for _ in range(3):
        await caller.asks(keyed)
    sent = [
        one.headers["authorization"].removeprefix("Bearer ") for one in asked(scripted_provider)
    ]
    assert sent == [KEYS[0], *[KEYS[1]] * 4]
    rows = look("select body from receipts order by created_at")
    first = [one["result"] for one in orjson.loads(rows[0]["body"])["attempts"]]
    assert first == ["credential_refused", "answered"]
    assert books_of.violations(look) == []


async def test_a_key_that_reached_its_limit_leaves_the_offer_to_the_other_key(
    gateway: Gateway, scripted_provider: ScriptedProvider
) -> None:
    keyed = with_keys(gateway, *KEYS)
    caller = await callers.signed_up(keyed)
    scripted_provider.fails(status=429, retry_after=600, model=CHEAPEST_UPSTREAM, times=1)
    for _ in range(3):
        await caller.asks(keyed)
    assert [one.model for one in scripted_provider.requests] == [CHEAPEST_UPSTREAM] * 4
    assert not gateway.health.is_cooling(CHEAPEST, now_s=gateway.monotonic())


async def test_when_every_key_is_refused_all_offers_of_the_provider_are_asked_last(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look
) -> None:
    keyed = with_keys(gateway, *KEYS)
    caller = await callers.signed_up(keyed)
    scripted_provider.fails(status=403, model=CHEAPEST_UPSTREAM)
    await caller.asks(keyed)
    await caller.asks(keyed)
    assert attempts_of_the_last(look)[0] == SKIPPED
    assert len(asked(scripted_provider)) == len(KEYS)


@proves("retries-are-bounded")
async def test_a_provider_is_not_asked_again_once_its_budget_is_spent(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look
) -> None:
    caller = await callers.signed_up(gateway)
    while gateway.retries.takes("mistral"):
        pass
    scripted_provider.fails(status=429, model=CHEAPEST_UPSTREAM)
    await caller.asks(gateway)
    assert attempts_of_the_last(look) == [(CHEAPEST, "rate_limited", 429), (NEXT, "answered", 200)]


@proves("waiting-is-bounded")
async def test_one_call_asks_a_bounded_number_of_times_in_all(
    gateway: Gateway, scripted_provider: ScriptedProvider
) -> None:
    caller = await callers.signed_up(gateway)
    scripted_provider.fails(status=429)
    with pytest.raises(AllRoutedModelsFailed):
        await caller.asks(gateway)
    assert len(scripted_provider.requests) == 7


@proves("our-key-is-not-yours")
@proves("errors-speak-the-callers-dialect", "secrets-stay")
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("path", callers.PATHS)
@pytest.mark.parametrize("streams", [True, False], ids=["streamed", "plain"])
def test_our_refused_key_never_looks_like_the_callers(
    server: RunningServer,
    scripted_provider: ScriptedProvider,
    path: str,
    status: int,
    *,
    streams: bool,
) -> None:
    words = "Incorrect API key provided. Your API key is invalid."
    scripted_provider.fails(status=status, message=words)
    for model in ("gpt-5-5", "claude-opus-4-7"):
        body = {"model": model, "max_tokens": 16, "stream": streams}
        asked_in = (
            {"input": "Hello."} if path == "/v1/responses" else {"messages": callers.MESSAGES}
        )
        answer = server.post(path, {**body, **asked_in})
        assert answer.status_code == 502, answer.text
        assert "API key" not in answer.text
        assert "authentication" not in answer.text
        assert "not the problem" in answer.text


def asked(scripted_provider: ScriptedProvider) -> list[Received]:
    """The calls for the cheapest model, in the order in which they came."""
    return [one for one in scripted_provider.requests if one.model == CHEAPEST_UPSTREAM]
