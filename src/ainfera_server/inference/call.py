"""What a door hands to an inference, and what it gets back."""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ainfera_server.accounts.store import Payer
from ainfera_server.conversation import Request
from ainfera_server.dialects.sides import ServerSide
from ainfera_server.routing.task_type import ResolvedTaskType
from ainfera_server.wallet.caps import Branch


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request of a caller who is known.

    `received_at_s` is monotonic time; `created_at` is the moment for people and for the record.
    `idempotency_scope` is None when the caller sent no key. `vendor_headers` are for the vendor
    whose dialect the caller speaks, names in lower case; they go with a body that is relayed.
    `branch` is where in a tree of agents the call stands, None when it does not say.
    """

    payer: Payer
    request: Request
    speaks: ServerSide
    task_type: ResolvedTaskType
    request_id: str
    audit_url: str
    created_at: datetime
    received_at_s: float
    idempotency_scope: str | None = None
    branch: Branch | None = None
    vendor_headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeAnswer:
    """An answer in one piece."""

    headers: Mapping[str, str]
    body: bytes
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedAnswer:
    """An answer as it comes. Whoever takes it closes it, whether or not it read to the end.

    `heartbeat` gives the bytes to send when nothing came for a while; they count as sent.
    """

    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]
    heartbeat: Callable[[], bytes]
    close: Callable[[], Coroutine[object, object, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """An answer as it is kept for its idempotency key, and given again."""

    status: int
    headers: dict[str, str]
    body: bytes


Answer = WholeAnswer | StreamedAnswer
