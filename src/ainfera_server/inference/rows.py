"""Rows as an inference writes them, named as the tables' columns, because that is where they go."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

from ainfera_server.identifiers import TransferId


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceRow:
    """An inference as it begins."""

    cell: int
    inference_id: UUID
    tenant_id: UUID
    agent_id: UUID
    decision_id: UUID | None
    transfer_id: TransferId
    status: Literal["running"]
    dialect: str
    is_streamed: bool
    model_asked: str
    model_slug: str
    offer_slug: str
    provider: str
    task_type: str
    task_type_source: str
    policy_version: str | None
    coverage_cell: str
    price_book_version: str
    amount_held: int
    attempts: str
    created_at: datetime
    session_id: str | None = None
    node: str | None = None
    parent_node: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceEnd:
    """What became of an inference. Token counts are None when nothing was generated."""

    cell: int
    inference_id: UUID
    status: Literal["succeeded", "failed", "refused"]
    attempts: str
    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: int | None = None
    usage_source: Literal["provider", "estimate"] | None = None
    finish_reason: str | None = None
    finish_reason_native: str | None = None
    failure: str | None = None
    receipt_id: UUID | None = None
    latency_ms: int | None = None
    completed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """A routing outcome as it is decided; `inference_id` is None when nothing will be sent."""

    cell: int
    id: UUID
    tenant_id: UUID
    agent_id: UUID
    request_id: str
    inference_id: UUID | None
    task_type: str
    task_type_source: str
    cell_key: str | None
    decision_rule: str
    chosen_model_id: str | None
    chosen_model_slug: str | None
    policy_version: str
    ruleset_hash: str
    q_prior_used: str | None
    m_allowed_set: str
    candidates: str
    snapshot: str
    seed: str | None
    cost_projected: int | None
    exploration: bool
    decision_type: str
    created_at: datetime
    outcome_status: str | None = None
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeEnd:
    """What became of a routed call. `decision_rule` None leaves the rule that fired."""

    cell: int
    id: UUID
    outcome_status: str
    completed_at: datetime
    decision_rule: str | None = None
    cost_actual: int | None = None
    observed_latency_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRow:
    """A receipt, signed, as it will be kept; that of a refusal may have no inference."""

    cell: int
    receipt_id: UUID
    tenant_id: UUID
    agent_id: UUID
    inference_id: UUID | None
    body: str
    key_id: str
    signature: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """An answer to give again to the same idempotency key; `sealed` is encrypted.

    Its lifetime begins when it is written, by the database's clock.
    """

    cell: int
    scope: str
    sealed: str
    lifetime: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRow:
    """A hold."""

    cell: int
    transfer_id: UUID
    tenant_id: UUID
    agent_id: UUID
    kind: Literal["inference"]
    debit_account_id: UUID
    credit_account_id: UUID
    amount_held: int
    state: Literal["pending"]
    inference_id: UUID
    day: date
    subagents: str | None
    memo: str
    created_at: datetime
    expires_at: datetime


ResolvedState = Literal["posted", "voided", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedRow:
    """What became of a hold; `amount_posted` is None unless it was posted."""

    cell: int
    transfer_id: UUID
    state: ResolvedState
    amount_posted: int | None
    resolved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedRow:
    """A hold that has grown."""

    cell: int
    transfer_id: UUID
    amount_held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """One side of a posted transfer."""

    cell: int
    account_id: UUID
    account_version: int
    entry_id: UUID
    tenant_id: UUID
    transfer_id: UUID
    side: Literal["debit", "credit"]
    amount: int
    balance_after: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """An account's new totals."""

    cell: int
    account_id: UUID
    debits_posted: int
    credits_posted: int
    debits_pending: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWindowRow:
    """A window that nobody spent in before; `agent_id` is None where it is a tenant's.

    Its cap is copied by the database.
    """

    cell: int
    tenant_id: UUID
    agent_id: UUID | None
    scope: str
    scope_key: str
    period: str
    starts: date
    parent: str | None = None
    posted: int = 0
    pending: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRow:
    """What is spent and held in a window."""

    cell: int
    scope: str
    scope_key: str
    period: str
    starts: date
    parent: str | None
    posted: int
    pending: int
