"""Checks of a receipt: its own text, what the chain says of it, and the decision behind it."""

import hashlib
from collections.abc import Mapping, Sequence

from ainfera_server.audit.evidence import chain_checks, cost_checks
from ainfera_server.audit.evidence.chain_checks import Checker, Facts
from ainfera_server.audit.evidence.exhibits import SignedText
from ainfera_server.audit.evidence.findings import Fault
from ainfera_server.conversation import Json

FIRST_SCHEMA = "ainfera.receipt/1"
SCHEMA = "ainfera.receipt/2"
FIRST_MEMBERS = frozenset(
    {
        *("schema", "receipt_id", "inference_id", "decision_id", "tenant_id", "agent_id"),
        *("model_asked", "model_served", "offer", "provider", "usage", "usage_source"),
        *("prices_usd_per_mtok", "price_book_version", "cost_usd", "held_usd", "transfer_id"),
        *("attempts", "policy_version", "ruleset_hash", "prompt_hash", "response_hash"),
        *("fields_not_carried", "created_at"),
    }
)
MEMBERS = FIRST_MEMBERS | {
    *("outcome", "failure", "refusal_reason", "billing_rule", "decision_hash", "rule_fired"),
    *("seed", "propensity", "web_search_usd", "provider_cost_usd", "margin_usd", "margin_rate"),
    "paid_from",
}

ENDINGS: Mapping[tuple[Json, Json], tuple[str, ...]] = {
    ("succeeded", "answer_delivered"): ("provider.responded", "ledger.debited"),
    ("failed", "part_delivered"): ("provider.responded", "ledger.debited"),
    ("failed", "nothing_delivered"): ("inference.failed",),
    ("expired", "nothing_delivered"): ("inference.expired",),
}
"""Which events tell of an ending, beside the choices before and the receipt behind them."""

REFUSALS = (
    "inference.rejected_cap_violation",
    "inference.rejected_insufficient_funds",
    "inference.rejected_floor",
    "inference.failed",
)
TELLING = frozenset({name for names in ENDINGS.values() for name in names} | set(REFUSALS))


def read(one: SignedText, *, by: Checker, record: str, place: int | None = None) -> Facts:
    """Check a receipt for itself: signature, form and what it cost. Raises Fault."""
    said = chain_checks.signed_object(one, record=record, by=by, place=place)
    try:
        _check_said(said)
    except Fault as fault:
        raise Fault(fault.sentence, record=record, place=place) from None
    return said


def check_events(one: SignedText, said: Facts, events: Sequence[Facts]) -> None:
    """Compare a receipt with all events about it, in their order. Raises Fault."""
    told = [facts for facts in events if facts["event_type"] in TELLING]
    routed = [facts for facts in events if facts["event_type"] == "inference.routed"]
    created = [facts for facts in events if facts["event_type"] == "receipt.created"]
    sha256 = hashlib.sha256(one.signed_text.encode()).hexdigest()
    if len(created) != 1 or created[0].get("receipt_id") != said["receipt_id"]:
        raise Fault("no event of the chain, or more than one, says that the receipt was created")
    if created[0].get("receipt_sha256") != sha256:
        raise Fault("the chain commits to another text of the receipt")
    _require_same(said, created[0], ("agent_id", "tenant_id"), "receipt.created")
    _check_order([*routed, *told, *created])
    _check_routed(said, routed)
    _check_told(said, told)


def decision_hash(said: Facts, events: Sequence[Facts]) -> str | None:
    """What the evidence commits to as the decision; None when it names none."""
    found = [said.get("decision_hash")]
    found += [facts.get("decision_hash") for facts in events]
    return next((one for one in found if isinstance(one, str)), None)


def _check_said(said: Facts) -> None:
    match said.get("schema"):
        case "ainfera.receipt/1":
            _require_members(said, FIRST_MEMBERS)
            cost_checks.check_first_schema(said)
        case "ainfera.receipt/2":
            _require_members(said, MEMBERS)
            _check_ending(said)
            cost_checks.check(said)
        case other:
            raise Fault(f"{str(other)[:60]!r} is no kind of receipt that this version knows")


def _require_members(said: Facts, members: frozenset[str]) -> None:
    odd = sorted(members ^ set(said))
    if odd:
        raise Fault(f"{odd[0]!r} is missing, or is no part of a receipt")


def _check_ending(said: Facts) -> None:
    outcome, rule = said["outcome"], said["billing_rule"]
    if not isinstance(outcome, str) or not isinstance(rule, str):
        raise Fault("outcome and billing_rule are no names")
    if outcome == "refused":
        holds = rule == "refused" and said["refusal_reason"] is not None
        holds = holds and said["usage"] is None
    else:
        holds = (outcome, rule) in ENDINGS and said["refusal_reason"] is None
        holds = holds and said["inference_id"] is not None
        holds = holds and (said["usage"] is None) == (rule == "nothing_delivered")
        holds = holds and (said["failure"] is None) == (outcome == "succeeded")
    if not holds:
        raise Fault("outcome, billing_rule, usage and the reasons do not fit together")


def _check_order(events: Sequence[Facts]) -> None:
    seqs = [facts["seq"] for facts in events]
    if seqs != sorted(seqs, key=lambda seq: seq if isinstance(seq, int) else 0):
        raise Fault("the events about the receipt came in another order")


def _check_routed(said: Facts, routed: Sequence[Facts]) -> None:
    """Every offer that was held for follows the one before, and the last is the receipt's."""
    before: Json = None
    for facts in routed:
        if facts.get("fallback_from") != before:
            raise Fault("an event inference.routed is missing, or follows another one")
        before = facts.get("model")
        _require_same(said, facts, ("inference_id", "decision_id"), "inference.routed")
        for name in ("prompt_hash", "decision_hash"):
            if said.get(name) is not None:
                _require_same(said, facts, (name,), "inference.routed")
    if said["inference_id"] is not None and not routed:
        raise Fault("no event inference.routed tells that the inference began")
    if routed and said["transfer_id"] is not None:
        _require_same(said, routed[-1], ("transfer_id",), "the last inference.routed")
        if routed[-1].get("model") != said["offer"]:
            raise Fault("the last inference.routed names another offer")


def _check_told(said: Facts, told: Sequence[Facts]) -> None:
    types = tuple(str(facts["event_type"]) for facts in told)
    if said.get("outcome") == "refused":
        if len(types) != 1 or types[0] not in REFUSALS:
            raise Fault("no event, or more than one, tells of the refusal")
        _require_same(said, told[0], ("receipt_id", "decision_id"), types[0])
        return
    ending = (said.get("outcome", "succeeded"), said.get("billing_rule", "answer_delivered"))
    if types != ENDINGS[ending]:
        raise Fault(f"the chain tells another end: {', '.join(types) or 'none'}")
    if types == ("inference.failed",):
        _require_same(said, told[0], ("inference_id", "failure"), types[0])
    elif types == ("inference.expired",):
        _require_same(said, told[0], ("inference_id", "transfer_id"), types[0])
    else:
        _check_delivery(said, *told)


def _check_delivery(said: Facts, responded: Facts, debited: Facts) -> None:
    same = ("inference_id", "provider", "response_hash", "usage_source")
    _require_same(said, responded, same, "provider.responded")
    counted = cost_checks.counts(said)
    written = counted["cache_write_tokens"] + counted["cache_write_1h_tokens"]
    counts = {**counted, "cache_write_tokens": written}
    for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"):
        if responded.get(name) != counts[name]:
            raise Fault(f"provider.responded has another {name}")
    if "failure" in said:
        _require_same(said, responded, ("failure",), "provider.responded")
    _require_same(said, debited, ("inference_id", "transfer_id", "held_usd"), "ledger.debited")
    if debited.get("amount_usd") != said["cost_usd"]:
        raise Fault("ledger.debited took another amount")


def _require_same(said: Facts, facts: Facts, names: Sequence[str], event: str) -> None:
    for name in names:
        if facts.get(name) != said[name]:
            raise Fault(f"{event} has another {name}")
