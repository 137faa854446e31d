"""A provider that does what a test tells it, over real HTTP on loopback; a pytest plugin.

It speaks chat completions, messages and responses, plain and streamed, and runs in a thread of
its own, so that tests with and without an event loop can use it. Unless told otherwise it answers
`DEFAULT_TEXT`. What is told with `times` happens so often, in the order told; what is told without
is how it then behaves. What is told for a `model` goes before what is told for all.

    scripted_provider.fails(status=429, retry_after=1, times=2)
    scripted_provider.answers("Paris.", model="good-model")

PYTEST_DONT_REWRITE: others import this file by name before pytest takes it as a plugin, which
pytest would warn about; its few asserts are for whoever calls it wrongly.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager

import pytest

from ainfera_server.conversation import Dialect, ToolCall, Usage
from ainfera_server.dialects.sides import Quirks
from ainfera_server.providers.provider import NO_QUIRKS, Endpoint, Provider, Secret
from tests.providers import vendor_shapes
from tests.providers.scripted_http import (
    Answers,
    Behaviour,
    Cut,
    Fails,
    IsSilent,
    Received,
    Sends,
    Stage,
)

DEFAULT_TEXT = "A scripted answer, in a few words."
DEFAULT_USAGE = Usage(input_tokens=11, output_tokens=7)
DEFAULT_KEY = "sk-scripted-canary-0123456789"
EVERY_MODEL = ""
THREAD_TIMEOUT_S = 10.0


@pytest.fixture
def scripted_provider() -> Iterator["ScriptedProvider"]:
    """A fresh one for each test."""
    with running() as provider:
        yield provider


class ScriptedProvider:
    """The provider and what it was asked. `requests` are in the order in which they came."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.root_url = ""
        """The base URL in the manner of Anthropic, without `/v1`."""
        self._counted: dict[str, deque[Behaviour]] = {}
        self._for_good: dict[str, Behaviour] = {}
        self._delays_s: dict[str, float] = {}
        self._comings = threading.Semaphore(0)
        self._leavings = threading.Semaphore(0)
        self._stage: Stage | None = None

    @property
    def base_url(self) -> str:
        """The base URL in the manner of OpenAI, with `/v1`."""
        return f"{self.root_url}/v1"

    def endpoint(
        self,
        dialect: Dialect = "openai_chat",
        *,
        slug: str = "scripted",
        quirks: Quirks = NO_QUIRKS,
    ) -> Endpoint:
        """Where to call it in a dialect, with a key that should never be seen again."""
        provider = Provider(
            slug=slug,
            display_name=slug.capitalize(),
            brand=None,
            dialect=dialect,
            base_url=None,
            base_url_variable=f"{slug.upper()}_BASE_URL",
            key_variable=f"{slug.upper()}_API_KEY",
            quirks=quirks,
        )
        base_url = self.root_url if dialect == "anthropic_messages" else self.base_url
        return Endpoint(provider=provider, base_url=base_url, api_key=Secret(DEFAULT_KEY))

    def answers(
        self,
        text: str = DEFAULT_TEXT,
        *,
        tool_calls: tuple[ToolCall, ...] = (),
        usage: Usage | None = DEFAULT_USAGE,
        finish: str | None = None,
        model: str = EVERY_MODEL,
        times: int | None = None,
    ) -> None:
        """Answer well. `finish` is in the words of chat completions; None takes what fits."""
        told = Answers(text=text, tool_calls=tool_calls, usage=usage, finish=finish)
        self._tell(told, model, times)

    def fails(
        self,
        *,
        status: int,
        message: str = "The provider was told to fail.",
        retry_after: str | int | None = None,
        headers: Mapping[str, str] | None = None,
        model: str = EVERY_MODEL,
        times: int | None = None,
    ) -> None:
        """Answer with an error status, in the vendor's error format."""
        waiting = {} if retry_after is None else {"retry-after": str(retry_after)}
        failing = Fails(status=status, message=message, headers={**waiting, **(headers or {})})
        self._tell(failing, model, times)

    def sends(
        self,
        body: bytes,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        model: str = EVERY_MODEL,
        times: int | None = None,
    ) -> None:
        """Send exactly this; it is called JSON unless the headers call it something else."""
        all_headers = {"content-type": "application/json", **(headers or {})}
        self._tell(Sends(status=status, headers=all_headers, body=body), model, times)

    def sends_html(
        self, *, status: int = 200, model: str = EVERY_MODEL, times: int | None = None
    ) -> None:
        """Answer with a page, as proxies do."""
        page = b"<!doctype html><title>Welcome</title><p>This is not an answer."
        headers = {"content-type": "text/html"}
        self.sends(page, status=status, headers=headers, model=model, times=times)

    def is_silent(self, *, model: str = EVERY_MODEL, times: int | None = None) -> None:
        """Take the question and say nothing, not even a status, until `releases`."""
        self._tell(IsSilent(), model, times)

    def breaks_mid_stream(
        self, *, after_chunks: int = 3, model: str = EVERY_MODEL, times: int | None = None
    ) -> None:
        """Break the connection after so many events; a plain answer breaks in its middle."""
        self._tell_cut(Cut(after=after_chunks, then="break"), model, times)

    def ends_without_terminator(
        self, *, after_chunks: int = -1, model: str = EVERY_MODEL, times: int | None = None
    ) -> None:
        """End a stream as if all were well; -1 leaves out its very last event and no other."""
        self._tell_cut(Cut(after=after_chunks, then="end"), model, times)

    def stalls_mid_stream(
        self, *, after_chunks: int = 3, model: str = EVERY_MODEL, times: int | None = None
    ) -> None:
        """Fall silent after so many events, and go on after `releases`."""
        self._tell_cut(Cut(after=after_chunks, then="stall"), model, times)

    def errs_mid_stream(
        self,
        *,
        after_chunks: int = 3,
        message: str = "Overloaded",
        model: str = EVERY_MODEL,
        times: int | None = None,
    ) -> None:
        """Put the vendor's own error event into a stream that has begun, and end it."""
        dialects = vendor_shapes.DIALECTS.values()
        events = {one: vendor_shapes.error_event(one, message=message) for one in dialects}
        self._tell_cut(Cut(after=after_chunks, then="end", sends=events), model, times)

    def sends_a_broken_event(
        self, *, after_chunks: int = 3, model: str = EVERY_MODEL, times: int | None = None
    ) -> None:
        """Put an event with half a JSON object into a stream, and go on."""
        dialects = vendor_shapes.DIALECTS.values()
        name = {"anthropic_messages": b"event: content_block_delta\n"}
        events = {one: name.get(one, b"") + b'data: {"type":"content_\n\n' for one in dialects}
        self._tell_cut(Cut(after=after_chunks, then="go_on", sends=events), model, times)

    def delays_first_byte(self, seconds: float, *, model: str = EVERY_MODEL) -> None:
        """Think for so long before every answer."""
        self._delays_s[model] = seconds

    def releases(self) -> None:
        """Let everything go on that is silent or has stalled, now and from now on."""
        assert self._stage is not None, "only a provider that runs can be told to go on"
        self._stage.releases()

    async def sees_a_client_come(self, *, within_s: float = 5.0) -> bool:
        """Whether a request came; each coming is seen once."""
        return await asyncio.to_thread(self.saw_a_client_come, within_s=within_s)

    def saw_a_client_come(self, *, within_s: float = 5.0) -> bool:
        """As `sees_a_client_come`, for tests without an event loop."""
        return self._comings.acquire(timeout=within_s)

    async def sees_its_client_leave(self, *, within_s: float = 1.0) -> bool:
        """Whether a client left before its answer was whole; each leaving is seen once."""
        return await asyncio.to_thread(self.saw_its_client_leave, within_s=within_s)

    def saw_its_client_leave(self, *, within_s: float = 1.0) -> bool:
        """As `sees_its_client_leave`, for tests without an event loop."""
        return self._leavings.acquire(timeout=within_s)

    def takes(self, received: Received) -> Behaviour:
        """Note a request, and say what to do with it; called by the HTTP side."""
        self.requests.append(received)
        self._comings.release()
        for model in (received.model, EVERY_MODEL):
            if self._counted.get(model):
                return self._counted[model].popleft()
            if model in self._for_good:
                return self._for_good[model]
        return Answers(text=DEFAULT_TEXT, usage=DEFAULT_USAGE)

    def first_byte_delay_s(self, model: str) -> float:
        """How long to think before an answer; called by the HTTP side."""
        return self._delays_s.get(model, self._delays_s.get(EVERY_MODEL, 0.0))

    def client_left(self) -> None:
        """Note that a client left before its answer was whole; called by the HTTP side."""
        self._leavings.release()

    async def serves(self, opened: threading.Event) -> None:
        """Listen until `closes`; runs in the provider's own thread."""
        self._stage = Stage(self)
        async with self._stage.opened() as port:
            self.root_url = f"http://127.0.0.1:{port}"
            opened.set()
            await self._stage.is_closed()

    def closes(self) -> None:
        """Stop listening and leave whoever still waits."""
        assert self._stage is not None, "only a provider that runs can be closed"
        self._stage.closes()

    def _tell_cut(self, cut: Cut, model: str, times: int | None) -> None:
        self._tell(Answers(text=DEFAULT_TEXT, usage=DEFAULT_USAGE, cut=cut), model, times)

    def _tell(self, behaviour: Behaviour, model: str, times: int | None) -> None:
        if times is None:
            self._for_good[model] = behaviour
        else:
            self._counted.setdefault(model, deque()).extend([behaviour] * times)


@contextmanager
def running() -> Generator[ScriptedProvider]:
    """Have a scripted provider for as long as the block runs."""
    provider = ScriptedProvider()
    opened = threading.Event()
    thread = threading.Thread(
        target=lambda: asyncio.run(provider.serves(opened)), name="scripted provider", daemon=True
    )
    thread.start()
    assert opened.wait(THREAD_TIMEOUT_S), "the scripted provider did not start"
    try:
        yield provider
    finally:
        provider.closes()
        thread.join(THREAD_TIMEOUT_S)
