"""What an agent may read through MCP: its ledger, and its receipts."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import mcp_types
import orjson

from ainfera_server import money
from ainfera_server.accounts import absent
from ainfera_server.audit import events
from ainfera_server.conversation import Json
from ainfera_server.errors import NotFound
from ainfera_server.identifiers import AgentId
from ainfera_server.mcp_server.asking import Asking
from ainfera_server.postgres import tenancy
from ainfera_server.usage import calls
from ainfera_server.wallet import store as wallet_store
from ainfera_server.wallet.store import Line

MEDIA_TYPE = "application/json"
LEDGER_LINES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A kind of resource: its address has one id in it."""

    name: str
    title: str
    description: str
    uri_template: str
    pattern: re.Pattern[str]
    read: Callable[[Asking, UUID], Awaitable[Json]]

    @property
    def definition(self) -> mcp_types.ResourceTemplate:
        """The kind as clients are told of it."""
        return mcp_types.ResourceTemplate(
            name=self.name,
            title=self.title,
            description=self.description,
            uri_template=self.uri_template,
            mime_type=MEDIA_TYPE,
        )


def of_caller(ask: Asking) -> tuple[mcp_types.Resource, ...]:
    """The resources that a caller need not look for."""
    return (
        mcp_types.Resource(
            name="ledger",
            title="Your ledger",
            description="The last movements of your own wallet, newest first.",
            uri=f"ainfera://agents/{ask.caller.agent_id}/ledger",
            mime_type=MEDIA_TYPE,
        ),
    )


async def read(ask: Asking, uri: str) -> str:
    """Read a resource as JSON. Raises NotFound."""
    for template in TEMPLATES:
        match = template.pattern.fullmatch(uri)
        if match is not None:
            return orjson.dumps(await template.read(ask, UUID(match["id"]))).decode()
    raise NotFound("There is no such resource.", resource="resource")


async def _ledger(ask: Asking, identifier: UUID) -> Json:
    agent_id = AgentId(identifier)
    async with tenancy.tenant_transaction(
        ask.gateway.pools.app, ask.caller.tenant_id
    ) as connection:
        wallet = await wallet_store.wallet(connection, agent_id)
        if wallet is None:
            raise absent.agent()
        lines = await wallet_store.ledger(connection, wallet.account_id, limit=LEDGER_LINES)
    return {
        "agent_id": str(agent_id),
        "balance_usd": money.usd(wallet.balance),
        "entries": [_line(line) for line in lines],
    }


async def _receipt(ask: Asking, identifier: UUID) -> Json:
    async with tenancy.tenant_transaction(
        ask.gateway.pools.app, ask.caller.tenant_id
    ) as connection:
        receipt = await calls.receipt(connection, identifier)
    if receipt is None:
        raise absent.receipt()
    return {
        "receipt": orjson.loads(receipt.body),
        "signed_text": receipt.body,
        "sha256": receipt.sha256,
        "key_id": receipt.key_id,
        "signature": receipt.signature,
    }


def _line(line: Line) -> Json:
    return {
        "id": str(line.entry_id),
        "kind": line.kind,
        "memo": line.memo,
        "amount_usd": money.usd(line.amount),
        "balance_after_usd": money.usd(line.balance_after),
        "transfer_id": str(line.transfer_id),
        "inference_id": None if line.inference_id is None else str(line.inference_id),
        "created_at": events.timestamp(line.created_at),
    }


def _pattern(kind: str) -> re.Pattern[str]:
    return re.compile(kind.replace("{id}", "(?P<id>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"))


TEMPLATES: tuple[Template, ...] = (
    Template(
        name="agent_ledger",
        title="An agent's ledger",
        description="The last movements of the wallet of an agent of yours, newest first.",
        uri_template="ainfera://agents/{agent_id}/ledger",
        pattern=_pattern("ainfera://agents/{id}/ledger"),
        read=_ledger,
    ),
    Template(
        name="receipt",
        title="A receipt",
        description="The signed proof of an inference of yours, by its own id or the inference's.",
        uri_template="ainfera://receipts/{receipt_id}",
        pattern=_pattern("ainfera://receipts/{id}"),
        read=_receipt,
    ),
)
