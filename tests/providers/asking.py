"""A question to a provider value as an inference asks it: its dialect, over the real transport."""

from dataclasses import dataclass, replace

from ainfera_server import sse
from ainfera_server.conversation import (
    Dialect,
    JsonText,
    Message,
    Reply,
    Request,
    StreamEvent,
    Text,
    Tool,
)
from ainfera_server.dialects.anthropic_messages import client as anthropic_messages
from ainfera_server.dialects.openai_chat import client as openai_chat
from ainfera_server.dialects.openai_responses import client as openai_responses
from ainfera_server.dialects.sides import ClientSide
from ainfera_server.providers import provider as providers
from ainfera_server.providers.provider import Endpoint, Provider, Timeouts
from ainfera_server.providers.transport import Answer, Transport
from tests.scripted_provider import DEFAULT_KEY, ScriptedProvider

MODEL = "a-model"
OUTPUT_TOKENS_MAX = 99
WEATHER = Tool(
    name="weather",
    description="Look at the sky.",
    parameters=JsonText(b'{"type":"object","properties":{"city":{"type":"string"}}}'),
)
CLIENTS: dict[Dialect, ClientSide] = {
    "openai_chat": openai_chat,
    "openai_responses": openai_responses,
    "anthropic_messages": anthropic_messages,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Somebody to ask, and with what patience."""

    opened: Transport
    endpoint: Endpoint
    dialect: Dialect

    @property
    def client(self) -> ClientSide:
        """The language that is spoken there."""
        return CLIENTS[self.dialect]

    def hurried(self, timeouts: Timeouts) -> "Asking":
        """The same with other deadlines."""
        hurried = replace(self.endpoint.provider, timeouts=timeouts)
        return replace(self, endpoint=replace(self.endpoint, provider=hurried))

    async def whole(self, *tools: Tool) -> Reply:
        """A plain answer. Raises ProviderFailed."""
        answer = await self.opened.json(
            self.endpoint,
            self.client.PATH,
            headers=self._headers(),
            body=self._body(tools, is_streamed=False),
            timeouts=self.endpoint.provider.timeouts,
        )
        if answer.status >= 400:
            raise self._failure(answer)
        return self.client.decode_reply(answer.body)

    async def streamed(self, *tools: Tool) -> list[StreamEvent]:
        """Everything that a stream says. Raises ProviderFailed."""
        events: list[StreamEvent] = []
        async with self.opened.stream(
            self.endpoint,
            self.client.PATH,
            headers=self._headers(),
            body=self._body(tools, is_streamed=True),
            timeouts=self.endpoint.provider.timeouts,
        ) as answer:
            if isinstance(answer, Answer):
                raise self._failure(answer)
            decoder, splitter = self.client.stream_decoder(), sse.Splitter()
            async for chunk in answer.chunks:
                for event in splitter.feed(chunk):
                    events += decoder.decode(event)
        return events

    def _headers(self) -> dict[str, str]:
        return dict(self.client.headers(api_key=self.endpoint.api_key.revealed()))

    def _body(self, tools: tuple[Tool, ...], *, is_streamed: bool) -> bytes:
        request = Request(
            dialect="native",
            body=b"",
            model=MODEL,
            messages=(Message(role="user", parts=(Text(text="Hello"),)),),
            tools=tools,
            stream=is_streamed,
        )
        return self.client.encode_request(
            request,
            model=MODEL,
            max_tokens=OUTPUT_TOKENS_MAX,
            quirks=self.endpoint.provider.quirks,
        )

    def _failure(self, answer: Answer) -> Exception:
        failure = self.client.decode_failure(
            status=answer.status, headers=answer.headers, body=answer.body
        )
        failure.retry_after_s = answer.retry_after_s
        return failure


def of(opened: Transport, provider: Provider, scripted: ScriptedProvider) -> Asking:
    """A real provider value, at the scripted one's address."""
    is_rooted = provider.dialect == "anthropic_messages"
    base_url = scripted.root_url if is_rooted else scripted.base_url
    endpoint = providers.endpoint(provider, key=DEFAULT_KEY, base_url=base_url)
    assert endpoint is not None
    return Asking(opened=opened, endpoint=endpoint, dialect=provider.dialect)
