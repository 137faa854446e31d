"""A provider that answers in the same process and at once, in place of the network."""

import json
from collections import deque
from collections.abc import Mapping
from typing import Any, cast

import aiohttp
from yarl import URL

from ainfera_server.conversation import Usage
from ainfera_server.providers.transport import Transport
from tests.providers import vendor_shapes
from tests.providers.vendor_shapes import Told

FAR_TOO_MANY_TOKENS = 100_000
"""What costs more than was held is billed at what was held: each answer costs exactly its hold."""


def transport(*, output_tokens: int) -> Transport:
    """The product's transport, on a session that asks nobody."""
    return Transport(cast("aiohttp.ClientSession", InstantSession(output_tokens=output_tokens)))


class InstantSession:
    """Answers in the dialect of the path, and says that it used so many tokens."""

    def __init__(self, *, output_tokens: int) -> None:
        self._usage = Usage(input_tokens=11, output_tokens=output_tokens)

    async def post(self, url: URL, **sent: Any) -> "InstantResponse":
        """A whole answer or a stream, as was asked."""
        asked = json.loads(sent["data"])
        dialect = vendor_shapes.DIALECTS[url.path]
        told = Told(
            text="An answer.",
            tool_calls=(),
            usage=self._usage,
            model=asked["model"],
            finish="stop",
        )
        if asked.get("stream"):
            events = vendor_shapes.streamed(dialect, told, includes_usage=True)
            return InstantResponse("text/event-stream", events)
        return InstantResponse("application/json", (vendor_shapes.plain(dialect, told),))


class InstantResponse:
    """As much of a response as the transport reads."""

    def __init__(self, content_type: str, pieces: tuple[bytes, ...]) -> None:
        self.status = 200
        self.content_type = content_type
        self.headers: Mapping[str, str] = {"content-type": content_type}
        self.content = self
        self._pieces = deque(pieces)

    async def readany(self) -> bytes:
        """The next piece; nothing at the end."""
        return self._pieces.popleft() if self._pieces else b""

    def close(self) -> None:
        """There is nothing to close."""
