"""Ask one offer once, in its provider's dialect; knows nothing of money."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from types import MappingProxyType

from ainfera_server import sse
from ainfera_server.catalog.offers import Offer
from ainfera_server.conversation import Ended, Reply, Request, StreamEvent
from ainfera_server.dialects.anthropic_messages import client as anthropic_messages
from ainfera_server.dialects.openai_chat import client as openai_chat
from ainfera_server.dialects.openai_responses import client as openai_responses
from ainfera_server.dialects.sides import ClientSide
from ainfera_server.errors import ProviderFailed
from ainfera_server.gateway import Gateway
from ainfera_server.providers.provider import Endpoint, Timeouts
from ainfera_server.providers.transport import Answer, Streamed

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request put into the words of the offer's provider.

    `is_relayed` says that caller and provider speak one dialect, so that bytes travel as they are.
    `ends_at_s` is the monotonic time at which nobody waits for the answer any longer.
    """

    request: Request
    endpoint: Endpoint
    client: ClientSide
    body: bytes
    is_relayed: bool
    ends_at_s: float
    vendor_headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeReply:
    """An answer in one piece, as read and as it came."""

    reply: Reply
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One event of a stream: what it says, and its bytes for a caller of the same dialect."""

    events: tuple[StreamEvent, ...]
    relayed: bytes


class OpenStream:
    """A stream that has begun. Whoever has it closes it."""

    def __init__(
        self,
        opened: Streamed,
        first: tuple[Step, ...],
        rest: AsyncGenerator[Step],
        stack: AsyncExitStack,
    ) -> None:
        self._opened = opened
        self._first = first
        self._rest = rest
        self._stack = stack
        self._is_whole = False

    async def steps(self) -> AsyncIterator[Step]:
        """Every step from the first. Raises ProviderFailed when the stream breaks."""
        for step in self._first:
            yield self._noted(step)
        async for step in self._rest:
            yield self._noted(step)

    def _noted(self, step: Step) -> Step:
        self._is_whole = any(isinstance(event, Ended) for event in step.events)
        return step

    async def close(self) -> None:
        """Let go of the connection; before the end this is how a provider hears of it."""
        await self._rest.aclose()
        if self._is_whole:
            await self._opened.drain()
        await self._stack.aclose()


def question(
    gateway: Gateway,
    request: Request,
    offer: Offer,
    *,
    max_tokens: int,
    ends_at_s: float,
    vendor_headers: Mapping[str, str] = NO_HEADERS,
) -> Question:
    """Put a request into a provider's words. Raises NotCarried for what it has no words for.

    What the caller says to the vendor in headers belongs to fields of the body, such as a beta
    and what it switches on: a translation leaves both behind, and a relay takes both along.
    """
    endpoint = gateway.endpoints[offer.provider]
    client = _client(offer, endpoint)
    is_relayed = (offer.dialect or endpoint.provider.dialect) == request.dialect
    assert offer.upstream_name is not None, "an offer that can be called has a name upstream"
    write = client.adapt_request if is_relayed else client.encode_request
    return Question(
        request=request,
        endpoint=endpoint,
        client=client,
        body=write(
            request,
            model=offer.upstream_name,
            max_tokens=max_tokens,
            quirks=endpoint.provider.quirks,
        ),
        is_relayed=is_relayed,
        ends_at_s=ends_at_s,
        vendor_headers=vendor_headers if is_relayed else NO_HEADERS,
    )


async def whole(gateway: Gateway, asked: Question) -> WholeReply:
    """Ask and wait for all of it. Raises ProviderFailed."""
    endpoint, client = asked.endpoint, asked.client
    answer = await gateway.transport.json(
        endpoint,
        client.PATH,
        headers=_headers(asked),
        body=asked.body,
        timeouts=_timeouts(gateway, asked),
    )
    if answer.status >= 400:
        raise _failure(client, answer)
    return WholeReply(reply=client.decode_reply(answer.body), body=answer.body)


async def stream(gateway: Gateway, asked: Question) -> OpenStream:
    """Ask and wait for the first words. Raises ProviderFailed, while nothing was sent on yet."""
    endpoint = asked.endpoint
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(
            gateway.transport.stream(
                endpoint,
                asked.client.PATH,
                headers=_headers(asked),
                body=asked.body,
                timeouts=_timeouts(gateway, asked),
            )
        )
        if isinstance(opened, Answer):
            raise _failure(asked.client, opened)
        rest = _steps(asked, opened)
        first: list[Step] = []
        async for step in rest:
            first.append(step)
            if step.events:
                break
        return OpenStream(opened, tuple(first), rest, stack.pop_all())


async def _steps(asked: Question, opened: Streamed) -> AsyncGenerator[Step]:
    """Read events until the one that ends the answer; a stream without it was cut off."""
    decoder = asked.client.stream_decoder()
    splitter = sse.Splitter()
    async for chunk in opened.chunks:
        for event in _split(splitter, chunk):
            step = Step(
                events=decoder.decode(event),
                relayed=asked.client.relayed(event, asked.request) if asked.is_relayed else b"",
            )
            yield step
            if any(isinstance(one, Ended) for one in step.events):
                return
    raise ProviderFailed(
        f"{asked.endpoint.provider.display_name} ended its answer in the middle.",
        reason="incomplete",
    )


def _split(splitter: sse.Splitter, chunk: bytes) -> list[sse.Event]:
    try:
        return list(splitter.feed(chunk))
    except sse.EventTooLarge as problem:
        raise ProviderFailed(
            "The provider sent an event too large to read.", reason="malformed"
        ) from problem


def _client(offer: Offer, endpoint: Endpoint) -> ClientSide:
    match offer.dialect or endpoint.provider.dialect:
        case "openai_chat":
            return openai_chat
        case "openai_responses":
            return openai_responses
        case "anthropic_messages":
            return anthropic_messages
        case "native":
            raise AssertionError("no provider speaks our own dialect")


def _headers(asked: Question) -> dict[str, str]:
    """Ours, and over them the caller's: of a version of the dialect, theirs is the one to keep."""
    ours = asked.client.headers(api_key=asked.endpoint.api_key.revealed())
    return {**ours, **asked.vendor_headers}


def _timeouts(gateway: Gateway, asked: Question) -> Timeouts:
    """The provider's own, within what is left of the time that the whole inference has."""
    timeouts, left_s = asked.endpoint.provider.timeouts, asked.ends_at_s - gateway.monotonic()
    return replace(timeouts, total_s=min(timeouts.total_s, max(left_s, 0.0)))


def _failure(client: ClientSide, answer: Answer) -> ProviderFailed:
    failure = client.decode_failure(status=answer.status, headers=answer.headers, body=answer.body)
    failure.retry_after_s = answer.retry_after_s
    return failure
