"""The signed proof of one inference or refusal: what was asked, who answered, what it cost.

A receipt holds hashes, never words. It is written once as canonical JSON and kept as that text.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

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

SCHEMA = "ainfera.receipt/2"

Ending = Literal["succeeded", "failed", "refused", "expired"]
PaidFrom = Literal["wallet", "pool"]
BillingRule = Literal["answer_delivered", "part_delivered", "nothing_delivered", "refused"]
"""Why it cost what it cost: docs/guides/verifying.md says what each of them means."""


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
    """Everything that an auditor of one inference, or of one refusal, needs.

    What does not apply is None: a refusal has no inference, a pinned call no decision, and what
    delivered nothing has neither usage nor prices. `prices` maps a class of tokens to the price
    used, of a prompt of that length. The hashes are salted, see `content_hash`.
    """

    receipt_id: ReceiptId
    tenant_id: TenantId
    agent_id: AgentId
    outcome: Ending
    billing_rule: BillingRule
    model_asked: str
    price_book_version: str
    created_at: datetime
    inference_id: InferenceId | None = None
    failure: str | None = None
    refusal_reason: str | None = None
    decision_id: DecisionId | None = None
    decision_hash: str | None = None
    policy_version: str | None = None
    ruleset_hash: str | None = None
    rule_fired: str | None = None
    seed: str | None = None
    propensity: str | None = None
    model_served: str | None = None
    offer: str | None = None
    provider: str | None = None
    attempts: tuple[Attempt, ...] = ()
    usage: Usage | None = None
    usage_source: Literal["provider", "estimate"] | None = None
    prices: Mapping[str, UsdMicrosPerMtok] | None = None
    web_search_price: UsdMicros | None = None
    cost: UsdMicros = UsdMicros(0)
    provider_cost: UsdMicros = UsdMicros(0)
    margin: UsdMicros = UsdMicros(0)
    margin_rate: Decimal | None = None
    held: UsdMicros | None = None
    paid_from: PaidFrom | None = None
    transfer_id: TransferId | None = None
    prompt_hash: str | None = None
    response_hash: str | None = None
    fields_not_carried: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert self.cost == self.provider_cost + self.margin, "what is paid goes to these two"
        assert (self.outcome == "refused") == (self.refusal_reason is not None), "why refused"


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
            "inference_id": _id(receipt.inference_id),
            "tenant_id": str(receipt.tenant_id),
            "agent_id": str(receipt.agent_id),
            "outcome": receipt.outcome,
            "failure": receipt.failure,
            "refusal_reason": receipt.refusal_reason,
            "billing_rule": receipt.billing_rule,
            **_decision(receipt),
            "model_asked": receipt.model_asked,
            "model_served": receipt.model_served,
            "offer": receipt.offer,
            "provider": receipt.provider,
            "attempts": [_attempt(attempt) for attempt in receipt.attempts],
            **_money(receipt),
            "prompt_hash": receipt.prompt_hash,
            "response_hash": receipt.response_hash,
            "fields_not_carried": list(receipt.fields_not_carried),
            "created_at": events.timestamp(receipt.created_at),
        }
    )


def _decision(receipt: Receipt) -> dict[str, Json]:
    return {
        "decision_id": _id(receipt.decision_id),
        "decision_hash": receipt.decision_hash,
        "policy_version": receipt.policy_version,
        "ruleset_hash": receipt.ruleset_hash,
        "rule_fired": receipt.rule_fired,
        "seed": receipt.seed,
        "propensity": receipt.propensity,
    }


def _money(receipt: Receipt) -> dict[str, Json]:
    prices, search, rate = receipt.prices, receipt.web_search_price, receipt.margin_rate
    return {
        "usage": None if receipt.usage is None else _usage(receipt.usage),
        "usage_source": receipt.usage_source,
        "prices_usd_per_mtok": None
        if prices is None
        else {name: money.usd_per_mtok(price) for name, price in prices.items()},
        "web_search_usd": None if search is None else money.usd(search),
        "price_book_version": receipt.price_book_version,
        "cost_usd": money.usd(receipt.cost),
        "provider_cost_usd": money.usd(receipt.provider_cost),
        "margin_usd": money.usd(receipt.margin),
        "margin_rate": None if rate is None else format(rate, "f"),
        "held_usd": None if receipt.held is None else money.usd(receipt.held),
        "paid_from": receipt.paid_from,
        "transfer_id": _id(receipt.transfer_id),
    }


def _usage(usage: Usage) -> dict[str, Json]:
    return {
        "input_tokens": usage.input_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "web_searches": usage.web_searches,
    }


def _attempt(attempt: Attempt) -> dict[str, Json]:
    return {
        "offer": attempt.offer,
        "provider": attempt.provider,
        "result": attempt.result,
        "upstream_status": attempt.upstream_status,
        "latency_ms": attempt.latency_ms,
    }


def _id(identifier: UUID | None) -> str | None:
    return None if identifier is None else str(identifier)
