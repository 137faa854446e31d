"""A body that does not come is waited for only so long, and its sender hears what was wrong."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from ainfera_server.api import bodies, inference
from tests.running_server import RunningServer


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/inference", {"code": "request_timeout"}),
        ("/v1/chat/completions", {"error": {"code": "request_timeout"}}),
        ("/v1/messages", {"error": {"type": "invalid_request_error"}}),
        ("/v1/wallets/topup", {"code": "request_timeout"}),
    ],
)
def test_a_body_that_comes_too_slowly_is_a_408_on_every_path(
    shared_server: RunningServer,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    words: dict[str, Any],
) -> None:
    monkeypatch.setattr(inference, "BODY_S_MAX", 0.05)
    monkeypatch.setattr(bodies, "BODY_TIMEOUT_S", 0.05)
    status, headers, body = told_after_half_a_body(shared_server, path)
    assert status == 408
    assert headers["x-should-retry"] == "false"
    for name, word in words.items():
        assert word == body[name] or word.items() <= body[name].items()
    assert body["detail"]["code"] == "request_timeout"
    assert body["detail"]["message"] == "The body did not arrive within 0 seconds."


def told_after_half_a_body(
    server: RunningServer, path: str
) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Say that more will come than comes, and read the answer."""
    url = urlsplit(server.url)
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {url.netloc}\r\nconnection: close\r\n"
        f"authorization: Bearer {server.agent.api_key}\r\n"
        "content-type: application/json\r\ncontent-length: 20\r\n\r\n{"
    )
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=10) as connection:
        connection.sendall(head.encode())
        with connection.makefile("rb") as answer:
            status = int(answer.readline().split()[1])
            lines = iter(lambda: answer.readline().decode().strip(), "")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            body = json.loads(answer.read(int(headers["content-length"])))
    return status, headers, body
