"""What is recorded, and what the caller is told, when the wallet or a cap says no."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import assert_never

from ainfera_server import money
from ainfera_server.audit import events
from ainfera_server.audit.events import Event, EventType
from ainfera_server.conversation import Json
from ainfera_server.errors import AgentNotActive, AinferaError, CapExceeded, InsufficientFunds
from ainfera_server.inference.entries import Hold, NotActive, WhyRefused
from ainfera_server.inference.rows import InferenceEnd, InferenceRow, OutcomeEnd, OutcomeRow
from ainfera_server.money import UsdMicros
from ainfera_server.wallet.caps import CapBroken
from ainfera_server.wallet.ledger import Shortfall

FAILED_PRE_DISPATCH = "failed_pre_dispatch"


def error(
    why: WhyRefused, *, model: str, alternative: Callable[[UsdMicros], str | None]
) -> AinferaError:
    """Word a refusal: what was refused, the numbers, when it resets, and what would fit."""
    match why:
        case Shortfall():
            return InsufficientFunds(
                f"The wallet has {money.usd(why.available)} USD to spend, and this call may cost"
                f" up to {money.usd(why.needed)} USD. Top it up with POST /v1/wallets/topup.",
                model=model,
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


def inference_end(row: InferenceRow, why: WhyRefused) -> InferenceEnd:
    """The inference that an earlier offer had begun."""
    return InferenceEnd(
        cell=row.cell,
        inference_id=row.inference_id,
        status="refused",
        attempts=row.attempts,
        failure=_outcome_status(why),
        completed_at=row.created_at,
    )


def event(entry: Hold, why: WhyRefused) -> Event:
    """Write a refusal into the agent's chain."""
    row = entry.inference
    return replace(
        entry.routed,
        event_id=entry.refused_event_id,
        event_type=_event_type(why),
        facts={
            "model": row.model_slug,
            "provider": row.provider,
            "decision_id": None if row.decision_id is None else str(row.decision_id),
            "reserved_usd": money.usd(UsdMicros(row.amount_held)),
            **_numbers(why),
        },
    )


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


def _sentence_of_cap(why: CapBroken) -> str:
    change = "PATCH /v1/agents/{id}/spend-policy changes it."
    needed, remaining = money.usd(why.needed), money.usd(why.remaining)
    cap = money.usd(why.cap)
    if why.resets_at is None:
        return f"This call may cost up to {needed} USD, and one call may cost {cap} USD. {change}"
    return (
        f"This call may cost up to {needed} USD, and {remaining} USD of the daily cap of {cap} USD"
        f" remain until {events.timestamp(why.resets_at)}. {change}"
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
