"""What can happen to an agent, and the form in which it is written down."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from ainfera_server import identifiers
from ainfera_server.conversation import Json
from ainfera_server.identifiers import AgentId, Cell, EventId, TenantId

INTEGER_MAX = 2**53 - 1
"""The largest whole number that every JSON reader keeps as it is."""
DEPTH_MAX = 16


class EventType(StrEnum):
    """The dotted names are what is stored and served, everywhere."""

    AGENT_REGISTERED = "agent.registered"
    AGENT_CARD_MINTED = "agent_card.minted"
    AGENT_CARD_ROTATED = "agent_card.rotated"
    WALLET_TOPPED_UP = "wallet.topped_up"
    WALLET_MONEY_MOVED = "wallet.money_moved"
    SPEND_POLICY_UPDATED = "spend_policy.updated"
    TENANT_POLICY_UPDATED = "tenant_policy.updated"
    API_KEY_CREATED = "api_key.created"
    API_KEY_REVOKED = "api_key.revoked"
    INFERENCE_ROUTED = "inference.routed"
    PROVIDER_RESPONDED = "provider.responded"
    LEDGER_DEBITED = "ledger.debited"
    RECEIPT_CREATED = "receipt.created"
    INFERENCE_REJECTED_CAP_VIOLATION = "inference.rejected_cap_violation"
    INFERENCE_REJECTED_INSUFFICIENT_FUNDS = "inference.rejected_insufficient_funds"
    INFERENCE_REJECTED_FLOOR = "inference.rejected_floor"
    INFERENCE_FAILED = "inference.failed"
    INFERENCE_EXPIRED = "inference.expired"
    OUTCOME_RECORDED = "outcome.recorded"
    RETENTION_UPDATED = "retention.updated"
    CONTENT_DELETED = "content.deleted"


MEANINGS: Mapping[EventType, str] = MappingProxyType(
    {
        EventType.AGENT_REGISTERED: "An agent came into being.",
        EventType.AGENT_CARD_MINTED: "A signed card was issued to the agent.",
        EventType.AGENT_CARD_ROTATED: "The agent got another key for its cards.",
        EventType.WALLET_TOPPED_UP: (
            "Money was put into the wallet, or into the tenant's pool: a grant or a top-up."
        ),
        EventType.WALLET_MONEY_MOVED: "Money was moved between wallets, or a wallet and the pool.",
        EventType.SPEND_POLICY_UPDATED: "The owner changed what the agent may spend.",
        EventType.TENANT_POLICY_UPDATED: "The owner changed what all agents together may spend.",
        EventType.API_KEY_CREATED: "A key that acts for the agent was made.",
        EventType.API_KEY_REVOKED: "A key that acted for the agent was withdrawn.",
        EventType.INFERENCE_ROUTED: "A call was sent to a provider, routed or pinned.",
        EventType.PROVIDER_RESPONDED: "The provider answered.",
        EventType.LEDGER_DEBITED: "The answer was paid for from the wallet.",
        EventType.RECEIPT_CREATED: "The receipt of an answer was signed.",
        EventType.INFERENCE_REJECTED_CAP_VIOLATION: "A cap refused a call; nothing was spent.",
        EventType.INFERENCE_REJECTED_INSUFFICIENT_FUNDS: (
            "The wallet could not cover a call; nothing was spent."
        ),
        EventType.INFERENCE_REJECTED_FLOOR: "No offer was good enough; nothing was spent.",
        EventType.INFERENCE_FAILED: "Nobody answered a call; what was held came back.",
        EventType.INFERENCE_EXPIRED: "A call was never finished; what was held came back.",
        EventType.OUTCOME_RECORDED: "Somebody said how an answer turned out.",
        EventType.RETENTION_UPDATED: "The owner changed whether prompts and answers are kept.",
        EventType.CONTENT_DELETED: (
            "Kept prompts and answers were deleted: one, or all by the key they were sealed with."
        ),
    }
)

REPEATED = ("agent_id", "created_at", "event_id", "event_type", "seq", "tenant_id")
"""What the chain writes into every payload itself, so that the hash covers it."""


class NotRecordable(ValueError):
    """A fact cannot be written so that everybody reads, and hashes, the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, before it has its place in the chain.

    Raises NotRecordable for facts that JSON readers would not all keep as they are.
    """

    event_id: EventId
    tenant_id: TenantId
    agent_id: AgentId
    event_type: EventType
    facts: Mapping[str, Json]
    created_at: datetime

    def __post_init__(self) -> None:
        taken = [name for name in REPEATED if name in self.facts]
        if taken:
            raise NotRecordable(f"{taken[0]!r} is written by the chain, give the fact another name")
        require_recordable(self.facts)

    @property
    def cell(self) -> Cell:
        """Where the agent lives."""
        return identifiers.cell_of(self.agent_id)


def require_recordable(facts: Mapping[str, Json]) -> None:
    """Allow text, whole numbers, booleans, nulls, lists and objects with plain ASCII names.

    Inside this profile Python's JSON, orjson's and RFC 8785's are the same bytes.
    Raises NotRecordable for floats, numbers beyond 53 bits, broken text and depths above DEPTH_MAX.
    """
    for name, value in facts.items():
        _require_name(name)
        _require_recordable(value, name, DEPTH_MAX)


def timestamp(moment: datetime) -> str:
    """Write a moment in UTC, always with six decimals, `2026-01-02T03:04:05.000006Z`."""
    assert moment.utcoffset() == timedelta(0), "moments are kept in UTC"
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _require_recordable(value: Json, name: str, depth: int) -> None:
    match value:
        case bool() | None:
            return
        case str():
            _require_text(value, name)
        case int():
            if abs(value) > INTEGER_MAX:
                raise NotRecordable(f"{name!r} is beyond 53 bits, write it as text")
        case float():
            raise NotRecordable(f"{name!r} is a float, write it as decimal text")
        case list() | dict():
            _require_members(value, name, depth - 1)


def _require_members(value: "list[Json] | dict[str, Json]", name: str, depth: int) -> None:
    if depth <= 0:
        raise NotRecordable(f"{name!r} is nested too deep")
    if isinstance(value, dict):
        for key, member in value.items():
            _require_name(key)
            _require_recordable(member, key, depth)
        return
    for member in value:
        _require_recordable(member, name, depth)


def _require_name(name: str) -> None:
    if not name.isascii():
        raise NotRecordable(f"{name!r} is not a plain ASCII name")


def _require_text(text: str, name: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotRecordable(f"{name!r} holds half a character (a lone surrogate)") from None
