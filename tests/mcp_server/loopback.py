"""An application served over real HTTP on loopback, in the loop of the test that asks for it."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

REQUEST_ID = "req_of_a_test"


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncGenerator[str]:
    """Serve until the block ends, and say where."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, lifespan="off", log_level="warning", http="httptools")
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not running.done():  # noqa: ASYNC110 (uvicorn has no event)
            await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


def beside(door: ASGIApp, prefix: str, app: ASGIApp) -> ASGIApp:
    """One application for a prefix, and another for everything else, as the HTTP door does it."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path == prefix or path.startswith(prefix + "/"):
            scope.setdefault("state", {})["request_id"] = REQUEST_ID
            await door(scope, receive, send)
        else:
            await app(scope, receive, send)

    return answer
