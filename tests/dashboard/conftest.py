"""What the tests of the dashboard may ask for: the door beside the API, an agent, and a browser."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest_asyncio

from ainfera_server.api import app
from ainfera_server.dashboard import pages
from ainfera_server.gateway import Gateway
from tests.mcp_server import loopback
from tests.mcp_server.conftest import sign_up
from tests.running_server import SignedUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Where the doors are, and one agent that was signed up."""

    url: str
    agent: SignedUp

    async def sign_up(self, handle: str) -> SignedUp:
        """Another agent, of another tenant."""
        return await sign_up(self.url, handle)

    async def ask(self, by: SignedUp | None = None, **fields: object) -> httpx.Response:
        """Ask a model through the API."""
        body = {
            "model": "ainfera-inference",
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 50,
            **fields,
        }
        headers = dict((by or self.agent).headers)
        async with httpx.AsyncClient(headers=headers, timeout=30) as client:
            return await client.post(f"{self.url}/v1/inference", json=body)

    async def api(self, path: str) -> Any:
        """Read from the API as the agent."""
        async with httpx.AsyncClient(headers=dict(self.agent.headers)) as client:
            answer = await client.get(self.url + path)
        assert answer.status_code == 200, answer.text
        return answer.json()


class Browser(httpx.AsyncClient):
    """A browser without JavaScript: it keeps cookies and names the page that posts."""

    def __init__(self, url: str) -> None:
        super().__init__(base_url=url, timeout=30, headers={"origin": url})

    async def signs_in(self, api_key: str) -> httpx.Response:
        """Send the form."""
        return await self.post("/dashboard/sign-in", data={"api_key": api_key})

    async def reads(self, path: str) -> str:
        """The HTML of a page that is there."""
        answer = await self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def knows(self, path: str) -> Any:
        """The twin of a page."""
        answer = await self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest_asyncio.fixture
async def doors(gateway: Gateway) -> AsyncIterator[Doors]:
    """The API and the dashboard over HTTP."""
    door = pages.application(gateway)
    everything = loopback.beside(door, "/dashboard", app.application(gateway))
    async with loopback.serving(everything) as url:
        yield Doors(url=url, agent=await sign_up(url, "first-agent"))


@pytest_asyncio.fixture
async def stranger(doors: Doors) -> AsyncIterator[Browser]:
    """A browser in which nobody is signed in."""
    async with Browser(doors.url) as browser:
        yield browser


@pytest_asyncio.fixture
async def browser(doors: Doors) -> AsyncIterator[Browser]:
    """A browser in which the agent's owner is signed in."""
    async with Browser(doors.url) as browser:
        answer = await browser.signs_in(doors.agent.api_key)
        assert answer.status_code == 303, answer.text
        yield browser
