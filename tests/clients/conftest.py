"""One running server for all tests of the published clients; each has its own provider and agent.

To start a server for each test would take most of the time that these tests need.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import count
from urllib.parse import unquote, urlsplit

import anthropic
import openai
import psycopg
import pytest
import pytest_asyncio
from ainfera import Agent, AinferaClient, AsyncAgent, AsyncAinferaClient

from ainfera_server.gateway import Gateway
from ainfera_server.postgres.embedded import Server
from ainfera_server.providers import local_model
from ainfera_server.providers.local_model import LocalModel
from ainfera_server.providers.provider import Endpoint
from ainfera_server.settings import Settings
from tests import running_server
from tests import scripted_provider as scripted
from tests.running_server import RunningServer
from tests.scripted_provider import ScriptedProvider

NO_KEY = "nobody"
BODY_BYTES_MAX = 1024 * 1024
"""Enough for what Claude Code sends, and little enough to be exceeded quickly."""

MakeDatabase = Callable[[str], AbstractContextManager[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The server and where it calls: `endpoints` is the gateway's own, and may be changed."""

    running: RunningServer
    endpoints: dict[str, Endpoint]
    numbers: "count[int]"
    superuser_dsn: str

    def leads_to(self, provider: ScriptedProvider) -> None:
        """Have every call go to this provider from now on."""
        for slug, endpoint in self.endpoints.items():
            is_rooted = endpoint.provider.dialect == "anthropic_messages"
            base_url = provider.root_url if is_rooted else provider.base_url
            self.endpoints[slug] = replace(endpoint, base_url=base_url)

    def pause(self, agent_id: str) -> None:
        """Stop an agent as its operator would, for nothing in the API does; before its first call.

        The server believes for a moment what it has read.
        """
        with psycopg.connect(self.superuser_dsn) as connection:
            connection.execute(
                "update agents set status = 'paused' where agent_id = %s", (agent_id,)
            )

    def newcomer(self, **more: object) -> RunningServer:
        """The same server, asked by an agent that nobody has seen yet."""
        agent = self.running.sign_up(f"agent-{next(self.numbers)}", **more)
        return replace(self.running, agent=agent)


@pytest.fixture(scope="session")
def house(
    new_database: MakeDatabase,
    migrated_template: str,
    postgres_server: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[House]:
    """The server, for as long as tests run."""
    endpoints: dict[str, Endpoint] = {}

    def open_to_change(gateway: Gateway) -> Gateway:
        endpoints.update(gateway.endpoints)
        return replace(running_server.impatient(gateway), endpoints=endpoints)

    data_dir = tmp_path_factory.mktemp("clients")
    with scripted.running() as provider, new_database(migrated_template) as dsn:
        settings = replace(
            running_server.settings(provider, data_dir), body_bytes_max=BODY_BYTES_MAX
        )
        database = unquote(urlsplit(dsn).path.removeprefix("/"))
        with running_server.serving(dsn, settings, adjust=open_to_change) as running:
            yield House(
                running=running,
                endpoints=endpoints,
                numbers=count(1),
                superuser_dsn=postgres_server.dsn_as(user="postgres", database=database),
            )


@pytest.fixture
def server(house: House, scripted_provider: ScriptedProvider) -> RunningServer:
    """The server with this test's own provider behind it, and an agent of the test's own."""
    house.leads_to(scripted_provider)
    return house.newcomer()


@pytest.fixture(scope="session")
def local_llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalModel]:
    """A real model, in llama.cpp's own server."""
    started = local_model.start(tmp_path_factory.mktemp("llama") / "log")
    yield started
    started.stop()


@pytest.fixture(scope="session")
def local_server(
    local_llama: LocalModel,
    new_database: MakeDatabase,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningServer]:
    """A server with nothing behind it but the real model, as a newcomer's; its agent's floor is 0.

    That is what the first start makes for the quickstart.
    """
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("local"), local_model_url=local_llama.base_url
    )
    with (
        new_database(migrated_template) as dsn,
        running_server.serving(dsn, settings) as running,
    ):
        yield replace(running, agent=running.sign_up("demo", min_quality=0))


@pytest.fixture(scope="session")
def one_openai_client(house: House) -> Iterator[openai.OpenAI]:
    """What takes time to make of a client is made once; it has no key that opens anything."""
    with openai.OpenAI(base_url=f"{house.running.url}/v1", api_key=NO_KEY) as client:
        yield client


@pytest.fixture
def openai_client(one_openai_client: openai.OpenAI, server: RunningServer) -> openai.OpenAI:
    """OpenAI's client as anybody would make it, with this test's key."""
    return one_openai_client.with_options(api_key=server.agent.api_key)


@pytest_asyncio.fixture
async def async_openai_client(server: RunningServer) -> AsyncIterator[openai.AsyncOpenAI]:
    """The same for asyncio."""
    base_url = f"{server.url}/v1"
    async with openai.AsyncOpenAI(base_url=base_url, api_key=server.agent.api_key) as client:
        yield client


@pytest.fixture(scope="session")
def one_anthropic_client(house: House) -> Iterator[anthropic.Anthropic]:
    """As `one_openai_client`."""
    with anthropic.Anthropic(base_url=house.running.url, api_key=NO_KEY) as client:
        yield client


@pytest.fixture
def anthropic_client(
    one_anthropic_client: anthropic.Anthropic, server: RunningServer
) -> anthropic.Anthropic:
    """Anthropic's client as anybody would make it, with this test's key."""
    return one_anthropic_client.with_options(api_key=server.agent.api_key)


@pytest_asyncio.fixture
async def async_anthropic_client(server: RunningServer) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """The same for asyncio."""
    async with anthropic.AsyncAnthropic(
        base_url=server.url, api_key=server.agent.api_key
    ) as client:
        yield client


@pytest.fixture
def ainfera_agent(server: RunningServer) -> Iterator[Agent]:
    """An agent of the published `ainfera` client."""
    with AinferaClient(api_key=server.agent.api_key, base_url=server.url) as client:
        yield client.agents.retrieve(server.agent.agent_id)


@pytest_asyncio.fixture
async def async_ainfera_agent(server: RunningServer) -> AsyncIterator[AsyncAgent]:
    """The same for asyncio."""
    async with AsyncAinferaClient(api_key=server.agent.api_key, base_url=server.url) as client:
        yield await client.agents.retrieve(server.agent.agent_id)
