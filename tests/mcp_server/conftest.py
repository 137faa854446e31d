"""What the tests of the MCP door may ask for: the door beside the API, an agent, and a client."""

import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import httpx
import httpx2
import pytest
import pytest_asyncio
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from ainfera_server.api import app, authenticate
from ainfera_server.gateway import Gateway
from ainfera_server.mcp_server import server as mcp_server
from tests.mcp_server import loopback
from tests.running_server import SignedUp

Connect = Callable[..., AbstractAsyncContextManager[Client]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Where the doors are, and one agent that was signed up."""

    url: str
    agent: SignedUp

    async def sign_up(self, handle: str) -> SignedUp:
        """Another agent, of another tenant."""
        return await sign_up(self.url, handle)

    async def get(self, path: str) -> httpx.Response:
        """Read from the API as the agent."""
        async with httpx.AsyncClient(headers=dict(self.agent.headers)) as client:
            return await client.get(self.url + path)


@pytest_asyncio.fixture
async def doors(gateway: Gateway) -> AsyncIterator[Doors]:
    """The API and MCP over HTTP."""
    knows = functools.partial(authenticate.authenticate, gateway)
    door = mcp_server.application(gateway, knows)
    everything = loopback.beside(door, "/mcp", app.application(gateway))
    async with loopback.serving(everything) as url:
        yield Doors(url=url, agent=await sign_up(url, "first-agent"))


@pytest.fixture
def connect(doors: Doors) -> Connect:
    """The official client, as the agent unless told otherwise."""

    @asynccontextmanager
    async def connected(
        *, by: SignedUp | None = None, mode: str = "auto"
    ) -> AsyncGenerator[Client]:
        headers = dict((by or doors.agent).headers)
        async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
            transport = streamable_http_client(f"{doors.url}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                yield client

    return connected


async def sign_up(url: str, handle: str) -> SignedUp:
    """Sign an agent up over HTTP."""
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{url}/v1/agents/signup", json={"agent_handle": handle})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    return SignedUp(agent_id=body["agent_id"], tenant_id=body["tenant_id"], api_key=body["api_key"])
