"""The two sides of a dialect: `server` where we answer, `client` where we ask.

Each side is a module; these protocols say which functions it has. Nothing here knows a vendor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from ainfera_server.conversation import Reply, Request, StreamEvent
from ainfera_server.errors import AinferaError, ProviderFailed
from ainfera_server.sse import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What we say about an answer beside the answer itself; every value is text for the wire.

    `cost_usd` and `receipt_id` are None while a stream still runs.
    """

    agent_id: str
    inference_id: str
    receipt_id: str | None
    model_slug: str
    provider: str
    cost_usd: str | None
    audit_url: str
    created_unix_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorAnswer:
    """An error, worded for a caller; `headers` are those that steer the caller's retries."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """Where a provider's reading of a dialect differs from its author's."""

    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    takes_stream_options: bool = True


class StreamEncoder(Protocol):
    """Writes the events of one streamed answer."""

    def encode(self, event: StreamEvent) -> bytes:
        """Write one event; b"" when this dialect has nothing to say for it."""
        ...


class StreamDecoder(Protocol):
    """Reads the events of one streamed answer."""

    def decode(self, event: Event) -> tuple[StreamEvent, ...]:
        """Read one event. The last call of a whole answer returns an Ended, and only that one.

        Raises ProviderFailed when the event is broken or is the provider's own error event.
        """
        ...


class ServerSide(Protocol):
    """A dialect as our callers speak it."""

    HEARTBEAT: bytes
    """What keeps a silent stream open in this dialect."""

    def decode_request(self, body: bytes) -> Request:
        """Read a request. Raises Malformed or Invalid, which name the place in `param`."""
        ...

    def encode_reply(self, reply: Reply, envelope: Envelope) -> bytes:
        """Write a whole answer."""
        ...

    def adapt_reply(self, body: bytes, envelope: Envelope) -> bytes:
        """Add our own fields to an answer that already is in this dialect, and change no other."""
        ...

    def stream_encoder(self, request: Request, envelope: Envelope) -> StreamEncoder:
        """Begin a streamed answer."""
        ...

    def encode_error(self, error: AinferaError, *, request_id: str) -> ErrorAnswer:
        """Word an error as an HTTP answer."""
        ...

    def encode_stream_error(self, error: AinferaError, *, request_id: str) -> bytes:
        """Word an error inside a stream that has begun."""
        ...


class ClientSide(Protocol):
    """A dialect as providers speak it."""

    PATH: str
    """Where requests go, below the provider's base URL."""

    def headers(self, *, api_key: str) -> Mapping[str, str]:
        """The headers that carry the credential and the dialect's version."""
        ...

    def encode_request(
        self, request: Request, *, model: str, max_tokens: int, quirks: Quirks
    ) -> bytes:
        """Write a request that came in another dialect. Raises NotCarried."""
        ...

    def adapt_request(
        self, request: Request, *, model: str, max_tokens: int, quirks: Quirks
    ) -> bytes:
        """Rewrite `request.body`, which is in this dialect: the model, the limit, our own fields.

        Every other value keeps its bytes.
        """
        ...

    def decode_reply(self, body: bytes) -> Reply:
        """Read a whole answer. Raises ProviderFailed when it is not one."""
        ...

    def stream_decoder(self) -> StreamDecoder:
        """Begin to read a streamed answer."""
        ...

    def relayed(self, event: Event, request: Request) -> bytes:
        """The bytes of an event for a caller of this dialect; b"" for what only we asked for."""
        ...

    def decode_failure(
        self, *, status: int, headers: Mapping[str, str], body: bytes
    ) -> ProviderFailed:
        """Read an answer with an error status."""
        ...
