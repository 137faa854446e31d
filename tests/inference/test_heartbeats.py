"""A stream that falls silent is kept alive, and its receipt covers the signs of life as well."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from threading import Timer

import pytest

from ainfera_server.settings import Settings
from tests import running_server
from tests.conftest import Look
from tests.promises import proves
from tests.running_server import RunningServer
from tests.scripted_provider import ScriptedProvider

PATHS = ("/v1/chat/completions", "/v1/messages")
SIGNS = {"/v1/chat/completions": b": keep-alive", "/v1/messages": b"event: ping"}


@pytest.fixture
def quick_server(database: str, settings: Settings) -> Iterator[RunningServer]:
    """A server that shows that it lives twenty times a second."""
    with running_server.serving(
        database, settings, adjust=lambda gateway: replace(gateway, heartbeat_s=0.05)
    ) as running:
        yield running


@proves("receipts-verify-without-us")
@pytest.mark.parametrize("path", PATHS)
def test_the_hash_of_an_answer_covers_its_heartbeats(
    quick_server: RunningServer, scripted_provider: ScriptedProvider, look: Look, path: str
) -> None:
    scripted_provider.stalls_mid_stream(times=1)
    going_on = Timer(0.4, scripted_provider.releases)
    going_on.start()

    message = {"role": "user", "content": "Say hello."}
    answer = quick_server.post(
        path,
        {"model": "ainfera-inference", "max_tokens": 16, "stream": True, "messages": [message]},
    )

    going_on.join()
    assert answer.content.count(SIGNS[path]) > 1
    salt = bytes.fromhex(answer.headers["x-ainfera-content-salt"])
    (receipt,) = look("select body::json ->> 'response_hash' as hash from receipts")
    assert receipt["hash"] == hashlib.sha256(salt + answer.content).hexdigest()
