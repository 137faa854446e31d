"""The queries about kept prompts and answers: one function runs one query."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from ainfera_server import identifiers
from ainfera_server.contents.keeping import LeftOut, Retention, SealedContent
from ainfera_server.identifiers import AgentId, InferenceId, ReceiptId, TenantId
from ainfera_server.postgres import queries
from ainfera_server.postgres.pool import Connection

QUERIES = queries.load(__name__)
RETENTION = QUERIES["retention"]
WRITE_RETENTION = QUERIES["write_retention"]
FIRST_AGENT = QUERIES["first_agent"]
KEY_IN_USE = QUERIES["key_in_use"]
WRITE_KEY = QUERIES["write_key"]
FORGET_KEY = QUERIES["forget_key"]
FORGET_ANSWERS = QUERIES["forget_answers"]
WRITE_CONTENT = QUERIES["write_content"]
CONTENT = QUERIES["content"]
AGENT_OF_CONTENT = QUERIES["agent_of_content"]
FORGET_CONTENT = QUERIES["forget_content"]
FORGET_CONTENTS_OF_TENANT = QUERIES["forget_contents_of_tenant"]
FORGET_CONTENTS_OF_DELETED_KEYS = QUERIES["forget_contents_of_deleted_keys"]
FORGET_EXPIRED_CONTENTS = QUERIES["forget_expired_contents"]
FORGET_DELETED_KEYS = QUERIES["forget_deleted_keys"]

BATCH_BYTES_MAX = 32 * 1024 * 1024
"""What one transaction takes of contents: some 12 ms each MiB, measured, and money waits for it."""

STEP_ROWS = 50
"""Deleted at once: each content may have thousands of pieces, and a statement takes 2 s at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentKey:
    """A tenant's key, sealed with the server's."""

    key_id: UUID
    tenant_id: TenantId
    sealed_key: str = field(repr=False)
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentRow:
    """What is to be kept of an inference, for so long; or why it is left out."""

    cell: int
    inference_id: UUID
    tenant_id: UUID
    agent_id: UUID
    key_id: UUID
    content: SealedContent | LeftOut
    created_at: datetime
    lifetime: timedelta

    @property
    def size(self) -> int:
        """How many bytes it brings."""
        if not isinstance(self.content, SealedContent):
            return 0
        return len(self.content.request) + len(self.content.answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptContent:
    """What is kept of an inference, with the key to open it."""

    inference_id: InferenceId
    tenant_id: TenantId
    agent_id: AgentId
    receipt_id: ReceiptId | None
    is_streamed: bool
    key_id: UUID
    sealed_key: str = field(repr=False)
    content: SealedContent | LeftOut
    created_at: datetime
    expires_at: datetime


async def retention(connection: Connection, tenant_id: TenantId) -> Retention | None:
    """What a tenant chose; None when there is no such tenant."""
    row = await connection.fetchrow(RETENTION, identifiers.cell_of(tenant_id), tenant_id)
    if row is None:
        return None
    return Retention(store_content=row["store_content"], days=row["content_days"])


async def write_retention(connection: Connection, tenant_id: TenantId, chosen: Retention) -> None:
    """Write what a tenant chooses."""
    await connection.execute(
        WRITE_RETENTION,
        identifiers.cell_of(tenant_id),
        tenant_id,
        chosen.store_content,
        chosen.days,
    )


async def first_agent(connection: Connection, tenant_id: TenantId) -> AgentId | None:
    """The agent that a tenant began with; None when there is no such tenant."""
    found: UUID | None = await connection.fetchval(
        FIRST_AGENT, identifiers.cell_of(tenant_id), tenant_id
    )
    return None if found is None else AgentId(found)


async def key_in_use(connection: Connection, tenant_id: TenantId) -> ContentKey | None:
    """The key that a tenant's next content is sealed with; None when it has none."""
    row = await connection.fetchrow(KEY_IN_USE, identifiers.cell_of(tenant_id), tenant_id)
    if row is None:
        return None
    return ContentKey(
        key_id=row["key_id"],
        tenant_id=tenant_id,
        sealed_key=row["sealed_key"],
        created_at=row["created_at"],
    )


async def write_key(connection: Connection, key: ContentKey) -> None:
    """Write a new key."""
    await connection.execute(
        WRITE_KEY,
        identifiers.cell_of(key.tenant_id),
        key.key_id,
        key.tenant_id,
        key.sealed_key,
        key.created_at,
    )


async def forget_key(connection: Connection, key_id: UUID) -> None:
    """Make everything that was sealed with a key unreadable for good."""
    await connection.execute(FORGET_KEY, identifiers.cell_of(key_id), key_id)


async def forget_answers(connection: Connection, tenant_id: TenantId) -> int:
    """Delete the answers that a tenant's calls could get again by their keys; tells how many."""
    status = await connection.execute(FORGET_ANSWERS, identifiers.cell_of(tenant_id), tenant_id)
    return int(status.rpartition(" ")[2])


async def write_contents(connection: Connection, rows: Iterable[ContentRow]) -> None:
    """Write contents, as bytes: as JSON, like other rows, they would take twice as long.

    What is too much for one transaction is left out, because money waits for the same one.
    """
    parameters = [_parameters(row) for row in _within_bounds(rows)]
    if parameters:
        await connection.executemany(WRITE_CONTENT, parameters)


async def content(connection: Connection, inference_id: InferenceId) -> KeptContent | None:
    """What is kept of an inference; None when nothing is, or nothing that anybody could read."""
    row = await connection.fetchrow(CONTENT, identifiers.cell_of(inference_id), inference_id)
    if row is None:
        return None
    sealed = SealedContent(
        request=row["sealed_request"] or b"",
        answer=row["sealed_answer"] or b"",
        salt=row["sealed_salt"] or b"",
    )
    return KeptContent(
        inference_id=inference_id,
        tenant_id=TenantId(row["tenant_id"]),
        agent_id=AgentId(row["agent_id"]),
        receipt_id=row["receipt_id"],
        is_streamed=row["is_streamed"],
        key_id=row["key_id"],
        sealed_key=row["sealed_key"],
        content=row["left_out"] or sealed,
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


async def agent_of_content(connection: Connection, inference_id: InferenceId) -> AgentId | None:
    """Whose inference it is that something is kept of; None when nothing is."""
    cell = identifiers.cell_of(inference_id)
    found: UUID | None = await connection.fetchval(AGENT_OF_CONTENT, cell, inference_id)
    return None if found is None else AgentId(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """A content that is gone; `sealed_sha256` names its bytes, None when it was left out."""

    sealed_sha256: str | None


async def forget_content(connection: Connection, inference_id: InferenceId) -> Forgotten | None:
    """Delete what is kept of one inference; None when nothing is."""
    cell = identifiers.cell_of(inference_id)
    row = await connection.fetchrow(FORGET_CONTENT, cell, inference_id)
    return None if row is None else Forgotten(sealed_sha256=row["sealed_sha256"])


async def forget_contents_of_tenant(connection: Connection, tenant_id: TenantId) -> int:
    """Delete some of what a tenant's deleted keys have left; tells how many."""
    cell = identifiers.cell_of(tenant_id)
    return _count(await connection.execute(FORGET_CONTENTS_OF_TENANT, cell, tenant_id, STEP_ROWS))


async def forget_contents_of_deleted_keys(connection: Connection) -> int:
    """Delete some of what anybody's deleted keys have left; tells how many."""
    return _count(await connection.execute(FORGET_CONTENTS_OF_DELETED_KEYS, STEP_ROWS))


async def forget_expired_contents(connection: Connection) -> int:
    """Delete some of what has outlived its time; tells how many."""
    return _count(await connection.execute(FORGET_EXPIRED_CONTENTS, STEP_ROWS))


async def forget_deleted_keys(connection: Connection) -> None:
    """Delete the rows of deleted keys that no content names any more."""
    await connection.execute(FORGET_DELETED_KEYS)


def _within_bounds(rows: Iterable[ContentRow]) -> Iterator[ContentRow]:
    taken = 0
    for row in rows:
        taken += row.size
        yield row if taken <= BATCH_BYTES_MAX else replace(row, content="too_much_at_once")


def _parameters(row: ContentRow) -> tuple[object, ...]:
    """A row in the order of its query's parameters."""
    match row.content:
        case SealedContent(request=request, answer=answer, salt=salt):
            content = (None, request, answer, salt)
        case left_out:
            content = (left_out, None, None, None)
    place = (row.cell, row.inference_id, row.tenant_id, row.agent_id, row.key_id)
    return (*place, *content, row.created_at, row.lifetime)


def _count(status: str) -> int:
    """How many rows a statement touched, as the server says it: `DELETE 7`."""
    return int(status.rpartition(" ")[2])
