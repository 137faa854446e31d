"""The way out: every response gets its request id and the headers that keep browsers honest."""

from collections.abc import Iterable

from starlette.types import Message, Send

from ainfera_server.dialects.sides import ErrorAnswer

Pair = tuple[bytes, bytes]

UNLESS_SET: tuple[Pair, ...] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
REQUEST_ID_NAMES = (b"request-id", b"x-request-id")


class Outgoing:
    """One response on its way; `status` is None until it has begun."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id.encode("ascii")
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        """Pass a message on; the first one gets the headers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": self._completed(message.get("headers", ()))}
        await self._send(message)

    async def send_error(self, answer: ErrorAnswer) -> None:
        """Send a whole error."""
        headers = {**answer.headers, "content-length": str(len(answer.body))}
        encoded = [
            (name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()
        ]
        await self.send(
            {"type": "http.response.start", "status": answer.status, "headers": encoded}
        )
        await self.send({"type": "http.response.body", "body": answer.body})

    def _completed(self, headers: Iterable[Pair]) -> list[Pair]:
        """The headers as they were given, then ours; an id that is there already is replaced."""
        given = [pair for pair in headers if pair[0] not in REQUEST_ID_NAMES]
        names = {name for name, _ in given}
        missing = [pair for pair in UNLESS_SET if pair[0] not in names]
        return [*given, *missing, *((name, self._request_id) for name in REQUEST_ID_NAMES)]
