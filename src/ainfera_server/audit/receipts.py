"""The signed proof of one inference: what was asked, who answered, what it cost and why.

A receipt holds hashes, never words. It is written once as canonical JSON and kept as that text.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ainfera_server import money
from ainfera_server.audit import chain, events, signing
from ainfera_server.audit.signing import Signer
from ainfera_server.conversation import Json, Usage
from ainfera_server.identifiers import (
    AgentId,
    DecisionId,
    InferenceId,
    ReceiptId,
    TenantId,
    TransferId,
)
from ainfera_server.money import UsdMicros, UsdMicrosPerMtok

SCHEMA = "ainfera.receipt/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One offer tried; `upstream_status` and `latency_ms` are None when no answer came."""

    offer: str
    provider: str
    result: str
    upstream_status: int | None
    latency_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Everything that an auditor of one inference needs.

    `decision_id`, `policy_version` and `ruleset_hash` are None for a pinned call. `prices` maps a
    class of tokens to the price used. The hashes are salted, see `content_hash`.
    """

    receipt_id: ReceiptId
    inference_id: InferenceId
    decision_id: DecisionId | None
    tenant_id: TenantId
    agent_id: AgentId
    model_asked: str
    model_served: str
    offer: str
    provider: str
    usage: Usage
    usage_source: Literal["provider", "estimate"]
    prices: Mapping[str, UsdMicrosPerMtok]
    price_book_version: str
    cost: UsdMicros
    held: UsdMicros
    transfer_id: TransferId
    attempts: tuple[Attempt, ...]
    policy_version: str | None
    ruleset_hash: str | None
    prompt_hash: str
    response_hash: str
    fields_not_carried: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReceipt:
    """A receipt as it is kept: the exact text, its SHA-256 and the signature under the text."""

    receipt_id: ReceiptId
    body: str
    sha256: str
    key_id: str
    signature: str


def sign(receipt: Receipt, by: Signer) -> SignedReceipt:
    """Write a receipt down and sign it."""
    body = encode(receipt)
    return SignedReceipt(
        receipt_id=receipt.receipt_id,
        body=body.decode(),
        sha256=hashlib.sha256(body).hexdigest(),
        key_id=by.key_id,
        signature=signing.signature(by, body),
    )


def is_genuine(receipt: SignedReceipt, *, public_key_pem: str) -> bool:
    """Whether the key signed exactly this text."""
    body = receipt.body.encode()
    return hashlib.sha256(body).hexdigest() == receipt.sha256 and signing.is_signature(
        receipt.signature, message=body, public_key_pem=public_key_pem
    )


def content_hash(salt: bytes, content: bytes) -> str:
    """Commit to a prompt or an answer.

    The salt is kept beside the content and deleted with it, never in the chain: without it nobody
    can find a short prompt by guessing.
    """
    return hashlib.sha256(salt + content).hexdigest()


def encode(receipt: Receipt) -> bytes:
    """Write a receipt as canonical JSON; money as decimal text of dollars."""
    return chain.canonical(
        {
            "schema": SCHEMA,
            "receipt_id": str(receipt.receipt_id),
            "inference_id": str(receipt.inference_id),
            "decision_id": None if receipt.decision_id is None else str(receipt.decision_id),
            "tenant_id": str(receipt.tenant_id),
            "agent_id": str(receipt.agent_id),
            "model_asked": receipt.model_asked,
            "model_served": receipt.model_served,
            "offer": receipt.offer,
            "provider": receipt.provider,
            "usage": _usage(receipt.usage),
            "usage_source": receipt.usage_source,
            "prices_usd_per_mtok": {
                name: money.usd_per_mtok(price) for name, price in receipt.prices.items()
            },
            "price_book_version": receipt.price_book_version,
            "cost_usd": money.usd(receipt.cost),
            "held_usd": money.usd(receipt.held),
            "transfer_id": str(receipt.transfer_id),
            "attempts": [_attempt(attempt) for attempt in receipt.attempts],
            "policy_version": receipt.policy_version,
            "ruleset_hash": receipt.ruleset_hash,
            "prompt_hash": receipt.prompt_hash,
            "response_hash": receipt.response_hash,
            "fields_not_carried": list(receipt.fields_not_carried),
            "created_at": events.timestamp(receipt.created_at),
        }
    )


def _usage(usage: Usage) -> dict[str, Json]:
    return {
        "input_tokens": usage.input_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    }


def _attempt(attempt: Attempt) -> dict[str, Json]:
    return {
        "offer": attempt.offer,
        "provider": attempt.provider,
        "result": attempt.result,
        "upstream_status": attempt.upstream_status,
        "latency_ms": attempt.latency_ms,
    }
