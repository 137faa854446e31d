"""Two calls to a venue's model, cold and warm: how fast it is, what it costs, what its answers are.

They go from this machine straight to the venue, with the key of the environment. No tenant is
asked for money, and nothing is written down but the report.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ainfera_server import money, sse
from ainfera_server.catalog import pricing
from ainfera_server.catalog.offers import Catalog, Offer
from ainfera_server.conversation import (
    Dialect,
    Ended,
    Json,
    Message,
    Request,
    Started,
    StreamEvent,
    Text,
    TextDelta,
    Usage,
)
from ainfera_server.dialects.anthropic_messages import client as anthropic_messages
from ainfera_server.dialects.openai_chat import client as openai_chat
from ainfera_server.dialects.openai_responses import client as openai_responses
from ainfera_server.dialects.sides import ClientSide
from ainfera_server.errors import ProviderFailed
from ainfera_server.providers import transport
from ainfera_server.providers.provider import Endpoint
from ainfera_server.providers.transport import Answer, Transport

FORMAT = "ainfera.venue-smoke/1"
CALLS = ("cold", "warm")
OUTPUT_TOKENS_MAX = 256
QUESTION = "Answer with one short sentence: what is the capital of France?"

CLIENTS: Mapping[Dialect, ClientSide] = {
    "openai_chat": openai_chat,
    "openai_responses": openai_responses,
    "anthropic_messages": anthropic_messages,
}


class NotSmoked(Exception):
    """There is nothing to call; `kind` is for programs, the text for people."""

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """An offer, and where it is called."""

    offer: Offer
    endpoint: Endpoint

    @property
    def dialect(self) -> Dialect:
        """What is spoken there."""
        return self.offer.dialect or self.endpoint.provider.dialect


def found(
    catalog: Catalog, endpoints: Mapping[str, Endpoint], *, provider: str, model: str | None
) -> Venue:
    """The offer of that slug or model at a provider, or its cheapest. Raises NotSmoked."""
    listed = [one for one in catalog.offers if one.provider == provider]
    if not listed:
        raise NotSmoked("unknown_provider", f"No price list is of a provider {provider!r}.")
    if provider not in endpoints:
        raise NotSmoked("no_key", f"There is no key for {provider!r} in the environment.")
    named = [one for one in listed if model is None or model in {one.slug, one.model.slug}]
    if not named:
        raise NotSmoked("unknown_model", f"{provider!r} has no offer {model!r} in its price list.")
    callable_ones = [one for one in named if one.upstream_name is not None]
    if not callable_ones:
        raise NotSmoked("no_upstream_name", "It is not known what to call the model upstream.")
    return Venue(offer=min(callable_ones, key=_price), endpoint=endpoints[provider])


async def report(venue: Venue) -> dict[str, Json]:
    """Call twice and tell; a call that fails is the last."""
    offer, calls = venue.offer, list[Json]()
    failure: Json = None
    async with transport.opened() as opened:
        for name in CALLS:
            try:
                calls.append({"name": name, **await _called(opened, venue)})
            except ProviderFailed as problem:
                failure = {
                    "call": name,
                    "kind": problem.reason,
                    "sentence": problem.sentence,
                    "upstream_status": problem.upstream_status,
                }
                break
    return {
        "format": FORMAT,
        "ok": failure is None,
        "provider": offer.provider,
        "offer": offer.slug,
        "upstream_name": offer.upstream_name,
        "dialect": venue.dialect,
        "checked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "calls": calls,
        "failure": failure,
    }


def refusal(problem_kind: str, sentence: str, *, provider: str) -> dict[str, Json]:
    """The report of a call that could not be made."""
    failure: dict[str, Json] = {"call": None, "kind": problem_kind, "sentence": sentence}
    return {
        "format": FORMAT,
        "ok": False,
        "provider": provider,
        "calls": [],
        "failure": {**failure, "upstream_status": None},
    }


async def _called(opened: Transport, venue: Venue) -> dict[str, Json]:
    """One streamed call. Raises ProviderFailed, also for an answer that is not whole."""
    client, endpoint = CLIENTS[venue.dialect], venue.endpoint
    events: list[StreamEvent] = []
    began_s = time.monotonic()
    first_s: float | None = None
    async with opened.stream(
        endpoint,
        client.PATH,
        headers=client.headers(api_key=endpoint.api_key.revealed()),
        body=_question(venue, client),
        timeouts=endpoint.provider.timeouts,
    ) as answer:
        if isinstance(answer, Answer):
            raise client.decode_failure(
                status=answer.status, headers=answer.headers, body=answer.body
            )
        decoder, splitter = client.stream_decoder(), sse.Splitter()
        async for chunk in answer.chunks:
            try:
                split = list(splitter.feed(chunk))
            except sse.EventTooLarge as problem:
                raise ProviderFailed("An event is too large.", reason="malformed") from problem
            for event in split:
                events += decoder.decode(event)
            if first_s is None and any(not isinstance(one, Started) for one in events):
                first_s = time.monotonic()
            if any(isinstance(one, Ended) for one in events):
                break
    ended_s = time.monotonic()
    return {
        "first_words_ms": round(((first_s or ended_s) - began_s) * 1000),
        "total_ms": round((ended_s - began_s) * 1000),
        **_shape(venue, events),
    }


def _question(venue: Venue, client: ClientSide) -> bytes:
    upstream_name = venue.offer.upstream_name
    assert upstream_name is not None, "only what has a name upstream is called"
    request = Request(
        dialect="native",
        body=b"",
        model=upstream_name,
        messages=(Message(role="user", parts=(Text(text=QUESTION),)),),
        stream=True,
    )
    return client.encode_request(
        request,
        model=upstream_name,
        max_tokens=OUTPUT_TOKENS_MAX,
        quirks=venue.endpoint.provider.quirks,
    )


def _shape(venue: Venue, events: list[StreamEvent]) -> dict[str, Json]:
    """What the answer was made of, and what it cost by our prices; null for what is not known."""
    ended = next((one for one in events if isinstance(one, Ended)), None)
    if ended is None:
        raise ProviderFailed("The stream ended without its last event.", reason="incomplete")
    text = "".join(one.text for one in events if isinstance(one, TextDelta))
    started = next((one for one in events if isinstance(one, Started)), None)
    usage, prices = ended.usage, venue.offer.prices
    cost = None if usage is None or prices is None else pricing.cost(usage, prices)
    return {
        "served_model": None if started is None else started.model,
        "events": len(events),
        "text_characters": len(text),
        "finish_reason": ended.finish_reason,
        "finish_reason_native": ended.finish_reason_native,
        "usage": None if usage is None else _usage(usage),
        "cost_usd": None if cost is None else money.usd(cost),
    }


def _usage(usage: Usage) -> dict[str, Json]:
    return {
        "input_tokens": usage.input_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    }


def _price(offer: Offer) -> tuple[bool, int, str]:
    """The cheapest first; what has no price comes last."""
    prices = offer.prices
    return (prices is None, 0 if prices is None else prices.input + prices.output, offer.slug)
