"""A caller who takes a stream and never reads it does not keep its hold for ever."""

import asyncio

import pytest
from starlette.types import Message, Scope

from ainfera_server.api import inference as doors
from ainfera_server.gateway import Gateway
from tests.conftest import Look
from tests.inference import books_of
from tests.promises import proves
from tests.running_server import RunningServer

BODY = (
    b'{"model": "ainfera-inference", "max_tokens": 16, "stream": true,'
    b' "messages": [{"role": "user", "content": "Say hello."}]}'
)


@proves("waiting-is-bounded")
async def test_a_stream_that_nobody_reads_ends_with_its_time(
    server: RunningServer, look: Look, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "READ_GRACE_S", 0.5 - gateway.settings.inference_timeout_s)
    scope: Scope = {
        "type": "http",
        "path": "/v1/chat/completions",
        "headers": [(b"authorization", server.agent.headers["authorization"].encode())],
        "state": {"request_id": "req_never_reads"},
    }
    body = iter([{"type": "http.request", "body": BODY, "more_body": False}])

    async def receive() -> Message:
        message = next(body, None)
        return message or await asyncio.Future[Message]()

    async def send(_: Message) -> None:
        await asyncio.Future[None]()

    async with asyncio.timeout(10):
        await doors.application(gateway)(scope, receive, send)

    (held,) = look("select debits_pending as pending from accounts where kind = 'wallet'")
    assert held == {"pending": 0}
    assert books_of.violations(look) == []
