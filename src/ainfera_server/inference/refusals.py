"""What is recorded, and what the caller is told, when the wallet or a cap says no."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import assert_never

from ainfera_server import money
from ainfera_server.audit import events
from ainfera_server.audit.events import Event, EventType
from ainfera_server.audit.signing import Signer
from ainfera_server.conversation import Json
from ainfera_server.errors import AgentNotActive, AinferaError, CapExceeded, InsufficientFunds
from ainfera_server.identifiers import EventId
from ainfera_server.inference import endings
from ainfera_server.inference.endings import Written
from ainfera_server.inference.entries import Hold, NotActive, WhyRefused
from ainfera_server.inference.rows import (
    InferenceEnd,
    InferenceRow,
    OutcomeEnd,
    OutcomeRow,
    ReceiptRow,
)
from ainfera_server.money import UsdMicros
from ainfera_server.wallet.caps import CapBroken, Reason
from ainfera_server.wallet.ledger import Shortfall

FAILED_PRE_DISPATCH = "failed_pre_dispatch"

OF_AGENT = "PATCH /v1/agents/{id}/spend-policy changes it."
OF_TENANT = "PATCH /v1/tenants/{id}/spend-policy changes it."
CAPS: Mapping[Reason, tuple[str, str, str]] = {
    "per_call_cap_exceeded": ("cap on one call", "", OF_AGENT),
    "daily_cap_exceeded": ("daily cap", "", OF_AGENT),
    "monthly_cap_exceeded": ("monthly cap", "", OF_AGENT),
    "session_cap_exceeded": ("session's cap", "until another session begins", OF_AGENT),
    "subagent_cap_exceeded": (
        "subagent's cap",
        "for good, while the agent above it can go on",
        OF_AGENT,
    ),
    "tenant_daily_cap_exceeded": ("daily cap of all agents together", "", OF_TENANT),
    "tenant_monthly_cap_exceeded": ("monthly cap of all agents together", "", OF_TENANT),
}
"""What each cap is called, how long its rest lasts where it never resets, and what to do."""


def error(
    why: WhyRefused, *, model: str, alternative: Callable[[UsdMicros], str | None]
) -> AinferaError:
    """Word a refusal: what was refused, the numbers, when it resets, and what would fit."""
    match why:
        case Shortfall():
            return InsufficientFunds(
                _sentence_of_funds(why),
                model=model,
                reason=why.reason,
                cheapest_feasible_model=alternative(why.available),
                **_numbers(why),
            )
        case CapBroken():
            return CapExceeded(
                _sentence_of_cap(why),
                reason=why.reason,
                model=model,
                cheapest_feasible_model=alternative(why.remaining),
                **_numbers(why),
            )
        case NotActive():
            return AgentNotActive("The agent is not active. Its owner can make it so again.")
        case _:
            assert_never(why)


def receipt_row(entry: Hold, why: WhyRefused, signer: Signer) -> ReceiptRow:
    """The signed receipt of a refusal."""
    return _written(entry, why, signer).row


def receipt_event(entry: Hold, why: WhyRefused, signer: Signer) -> Event:
    """Commit to the receipt of a refusal in the agent's chain, behind the refusal itself."""
    return _written(entry, why, signer).created


def outcome_row(row: OutcomeRow, why: WhyRefused) -> OutcomeRow:
    """A routed call that was refused before anything was sent has no inference."""
    return replace(
        row,
        inference_id=None,
        decision_rule=FAILED_PRE_DISPATCH,
        outcome_status=_outcome_status(why),
        completed_at=row.created_at,
    )


def outcome_end(row: InferenceRow, why: WhyRefused) -> OutcomeEnd:
    """A routed call whose next offer was refused after an earlier one had failed."""
    assert row.decision_id is not None, "only a routed call has an outcome"
    return OutcomeEnd(
        cell=row.cell,
        id=row.decision_id,
        outcome_status=_outcome_status(why),
        completed_at=row.created_at,
        decision_rule=FAILED_PRE_DISPATCH,
    )


def inference_end(entry: Hold, why: WhyRefused) -> InferenceEnd:
    """The inference that an earlier offer had begun."""
    row = entry.inference
    return InferenceEnd(
        cell=row.cell,
        inference_id=row.inference_id,
        status="refused",
        attempts=row.attempts,
        failure=_outcome_status(why),
        receipt_id=entry.refused_receipt_id,
        completed_at=row.created_at,
    )


def event(entry: Hold, why: WhyRefused) -> Event:
    """Write a refusal into the agent's chain."""
    row = entry.inference
    begun: dict[str, Json] = (
        {} if entry.replaces is None else {"inference_id": str(row.inference_id)}
    )
    return replace(
        entry.routed,
        event_id=entry.refused_event_id,
        event_type=_event_type(why),
        facts={
            **begun,
            "model": row.model_slug,
            "provider": row.provider,
            "decision_id": None if row.decision_id is None else str(row.decision_id),
            "receipt_id": str(entry.refused_receipt_id),
            "reason": reason(why),
            "reserved_usd": money.usd(UsdMicros(row.amount_held)),
            **_numbers(why),
        },
    )


def reason(why: WhyRefused) -> str:
    """The one word that programs switch on, also on the receipt."""
    match why:
        case Shortfall() | CapBroken():
            return why.reason
        case NotActive():
            return "agent_not_active"
        case _:
            assert_never(why)


def _written(entry: Hold, why: WhyRefused, signer: Signer) -> Written:
    """Signing is deterministic, so that it comes out the same each time."""
    receipt = endings.refused(entry, reason=reason(why))
    return endings.written(receipt, by=signer, event_id=EventId(entry.refused_receipt_id))


def _numbers(why: WhyRefused) -> Mapping[str, Json]:
    match why:
        case Shortfall():
            return {
                "remaining_usd": money.usd(why.available),
                "needed_usd": money.usd(why.needed),
                "resets_at": None,
            }
        case CapBroken():
            return {
                "cap_usd": money.usd(why.cap),
                "spent_usd": money.usd(why.spent),
                "needed_usd": money.usd(why.needed),
                "remaining_usd": money.usd(why.remaining),
                "resets_at": None if why.resets_at is None else events.timestamp(why.resets_at),
            }
        case NotActive():
            return {"refused_because": "agent_not_active"}
        case _:
            assert_never(why)


def _sentence_of_funds(why: Shortfall) -> str:
    needed, available = money.usd(why.needed), money.usd(why.available)
    match why.reason:
        case "wallet_insufficient":
            whose = "The wallet, or the pool behind it, has"
            mend = "Top it up with POST /v1/wallets/topup."
        case "wallet_insufficient_per_agent":
            whose = "The agent's own wallet has"
            mend = "Each agent is left to its own: top it up with POST /v1/wallets/topup."
        case _:
            assert_never(why.reason)
    return f"{whose} {available} USD to spend, and this call may cost up to {needed} USD. {mend}"


def _sentence_of_cap(why: CapBroken) -> str:
    needed, remaining = money.usd(why.needed), money.usd(why.remaining)
    cap, (name, resets, mend) = money.usd(why.cap), CAPS[why.reason]
    if why.reason == "per_call_cap_exceeded":
        return f"This call may cost up to {needed} USD, and one call may cost {cap} USD. {mend}"
    until = resets if why.resets_at is None else f"until {events.timestamp(why.resets_at)}"
    return (
        f"This call may cost up to {needed} USD, and {remaining} USD of the {name} of {cap} USD"
        f" remain {until}. {mend}"
    )


def _outcome_status(why: WhyRefused) -> str:
    match why:
        case Shortfall():
            return "rejected_funds"
        case CapBroken():
            return "rejected_cap"
        case NotActive():
            return "failed_other"
        case _:
            assert_never(why)


def _event_type(why: WhyRefused) -> EventType:
    match why:
        case Shortfall():
            return EventType.INFERENCE_REJECTED_INSUFFICIENT_FUNDS
        case CapBroken():
            return EventType.INFERENCE_REJECTED_CAP_VIOLATION
        case NotActive():
            return EventType.INFERENCE_FAILED
        case _:
            assert_never(why)
