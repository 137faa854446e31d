"""Anthropic's own client over a transport that answers what it is told."""

from collections.abc import Mapping

import anthropic
import httpx2


def client(
    *, status: int = 200, body: bytes, headers: Mapping[str, str] | None = None
) -> anthropic.Anthropic:
    """A client whose every call is answered with this."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, content=body, headers=headers)

    transport = httpx2.MockTransport(answer)
    return anthropic.Anthropic(
        api_key="sk-ant-test",
        base_url="http://127.0.0.1",
        http_client=anthropic.DefaultHttpxClient(transport=transport),
        max_retries=0,
    )
