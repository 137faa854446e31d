"""OpenAI's own client over a transport that answers what it is told."""

from collections.abc import Mapping

import httpx2
import openai


def client(
    *, status: int = 200, body: bytes, headers: Mapping[str, str] | None = None
) -> openai.OpenAI:
    """A client whose every call is answered with this."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, content=body, headers=headers)

    transport = httpx2.MockTransport(answer)
    return openai.OpenAI(
        api_key="sk-test",
        base_url="http://127.0.0.1/v1",
        http_client=openai.DefaultHttpxClient(transport=transport),
        max_retries=0,
    )
