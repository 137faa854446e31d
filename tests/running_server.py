"""A really running server for tests: uvicorn in a thread, on a free port of loopback."""

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from ainfera_server import gateway as gateways
from ainfera_server.api import app
from ainfera_server.gateway import Gateway
from ainfera_server.inference import record
from ainfera_server.settings import Settings
from tests.scripted_provider import DEFAULT_KEY, ScriptedProvider

START_S_MAX = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedUp:
    """An agent with its key."""

    agent_id: str
    tenant_id: str
    api_key: str

    @property
    def headers(self) -> Mapping[str, str]:
        """What a request of this agent carries."""
        return {"authorization": f"Bearer {self.api_key}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningServer:
    """Where the server listens, the agent that was signed up first, and its gateway."""

    url: str
    agent: SignedUp
    gateway: Gateway

    def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        """Ask as the agent."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {**self.agent.headers, **named}
        return httpx.post(self.url + path, json=body, headers=sent, timeout=30)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Read as the agent."""
        return httpx.get(self.url + path, headers={**self.agent.headers, **headers}, timeout=30)

    def sign_up(self, handle: str, **more: object) -> SignedUp:
        """Another agent, of another tenant."""
        return sign_up(self.url, handle, **more)


def settings(provider: ScriptedProvider, data_dir: Path) -> Settings:
    """Settings under which three providers are one scripted one."""
    return Settings(
        data_dir=data_dir,
        provider_keys=dict.fromkeys(("openai", "anthropic", "mistral"), DEFAULT_KEY),
        provider_base_urls={
            "openai": provider.base_url,
            "mistral": provider.base_url,
            "anthropic": provider.root_url,
        },
    )


def impatient(gateway: Gateway) -> Gateway:
    """The same gateway without waits before another attempt."""
    return replace(gateway, retry_waits_s=(0.0, 0.0))


def sign_up(url: str, handle: str, **more: object) -> SignedUp:
    """Sign an agent up over HTTP."""
    answer = httpx.post(
        f"{url}/v1/agents/signup", json={"agent_handle": handle, **more}, timeout=30
    )
    assert answer.status_code == 201, answer.text
    body = answer.json()
    return SignedUp(agent_id=body["agent_id"], tenant_id=body["tenant_id"], api_key=body["api_key"])


@contextmanager
def serving(
    dsn: str, settings: Settings, *, adjust: Callable[[Gateway], Gateway] = impatient
) -> Generator[RunningServer]:
    """Serve until the block ends."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        thread = _ServerThread(dsn, replace(settings, port=port), listener, adjust)
        thread.start()
        try:
            gateway = thread.ready()
            url = f"http://127.0.0.1:{port}"
            yield RunningServer(url=url, agent=sign_up(url, "first-agent"), gateway=gateway)
        finally:
            thread.stop()


class _ServerThread(threading.Thread):
    def __init__(
        self,
        dsn: str,
        settings: Settings,
        listener: socket.socket,
        adjust: Callable[[Gateway], Gateway],
    ) -> None:
        super().__init__(daemon=True)
        self._dsn = dsn
        self._settings = settings
        self._listener = listener
        self._adjust = adjust
        self._is_ready = threading.Event()
        self._gateway: Gateway | None = None
        self._problem: BaseException | None = None
        self._server: uvicorn.Server | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as problem:
            self._problem = problem
            raise
        finally:
            self._is_ready.set()

    def ready(self) -> Gateway:
        assert self._is_ready.wait(START_S_MAX), "the server did not start in time"
        assert self._gateway is not None, f"the server did not start: {self._problem!r}"
        return self._gateway

    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
        self.join(START_S_MAX)
        assert not self.is_alive(), "the server did not stop"

    async def _serve(self) -> None:
        async with self._opened() as gateway:
            config = uvicorn.Config(
                app.application(gateway), lifespan="off", log_level="warning", http="httptools"
            )
            self._server = uvicorn.Server(config)
            self._gateway = gateway
            # The socket listens already, so a request that comes too early only waits.
            self._listener.listen()
            self._is_ready.set()
            await self._server.serve(sockets=[self._listener])

    @asynccontextmanager
    async def _opened(self) -> AsyncGenerator[Gateway]:
        async with gateways.opened(self._settings, dsn=self._dsn, writes=record.writes) as gateway:
            yield self._adjust(gateway)


def json_of(answer: httpx.Response, status: int = 200) -> Any:
    """The body of an answer that has to have this status."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    return answer.json()
