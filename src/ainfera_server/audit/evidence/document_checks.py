"""Checks of receipts among the other things in their file: fields shown, events, decisions."""

from collections.abc import Mapping, Sequence

from ainfera_server import money
from ainfera_server.audit.evidence import chain_checks, cost_checks, decision_checks, receipt_checks
from ainfera_server.audit.evidence.chain_checks import Checker, Facts
from ainfera_server.audit.evidence.exhibits import ChainExport, DecisionTexts, ReceiptDocument
from ainfera_server.audit.evidence.findings import Fault, Held, Open
from ainfera_server.conversation import Json
from ainfera_server.money import NotAnAmount

CREATED = "receipt.created"
DEBITED = "ledger.debited"


def shown(document: ReceiptDocument, said: Facts) -> int:
    """Check that the fields beside the signed text say what it says. Raises Fault."""
    expected = {**said, "model": said["model_served"]}
    found = dict(document.shown)
    audit_url, cost = found.pop("audit_url", None), found.pop("cost_usd", None)
    if not isinstance(audit_url, str) or not audit_url.endswith(f"/v1/audit/{said['agent_id']}"):
        raise Fault("it is the address of another chain", record="audit_url")
    if not _is_same_amount(cost, cost_checks.amount(expected, "cost_usd")):
        raise Fault("the signed text says another amount", record="cost_usd")
    del expected["cost_usd"]
    for name in sorted(set(expected) | set(found)):
        if name not in found or name not in expected or not _is_same(found[name], expected[name]):
            raise Fault("the signed text says something else", record=name)
    return len(found) + 2


def event_facts(document: ReceiptDocument, said: Facts, by: Checker) -> tuple[Facts, ...]:
    """Check the events for themselves, that they are about the receipt, and their order."""
    found: list[Facts] = []
    for place, one in enumerate(document.evidence.events, start=1):
        facts = chain_checks.event_facts(
            one, place=place, agent_id=str(said["agent_id"]), tenant_id=said["tenant_id"], by=by
        )
        wrong = _misplaced(document, facts, found, place)
        if wrong is None and not _is_about(facts, said):
            wrong = "it is about something else"
        if wrong is not None:
            raise Fault(wrong, record=f"event {place}", place=place)
        found.append(facts)
    return tuple(found)


def in_chain(document: ReceiptDocument, said: Facts, events: Sequence[Facts]) -> int:
    """Check that the chain says of the receipt what the receipt says. Raises Fault."""
    try:
        receipt_checks.check_events(document.evidence.receipt, said, events)
    except Fault as fault:
        raise Fault(fault.sentence, record="the receipt") from None
    return 1


def inclusion(document: ReceiptDocument, said: Facts, events: Sequence[Facts], by: Checker) -> Held:
    """Check that the log holds the event that commits to the receipt. Raises Fault and Open."""
    chain_checks.require_one_of(document.evidence.inclusion, document.evidence.inclusion_pending)
    created = [
        (_seq(facts), one.event_hash)
        for facts, one in zip(events, document.evidence.events, strict=True)
        if facts["event_type"] == CREATED
    ]
    if len(created) != 1:
        raise Fault("there is no event that it would be about", record="the inclusion proof")
    ((seq, event_hash),) = created
    sentence = chain_checks.check_inclusion(
        document.evidence.inclusion, str(said["agent_id"]), seq, event_hash, by
    )
    return Held(count=1, sentence=sentence)


def decision(document: ReceiptDocument, said: Facts, committed: str | None) -> int:
    """Check the decision behind a receipt; a call that named its model has none.

    Raises Fault, and Open for one whose text is missing.
    """
    if said["decision_id"] is None:
        if document.evidence.decision is not None or committed is not None:
            raise Fault("the receipt names no decision, and there is one", record="the decision")
        return 0
    if document.evidence.decision is None:
        raise Fault("the receipt names a decision, and it is not there", record="the decision")
    decision_checks.check(
        document.evidence.decision, said, committed, record="the decision", place=None
    )
    return 1


def chain_receipts(export: ChainExport, events: Sequence[Facts], by: Checker) -> tuple[Facts, ...]:
    """Check every receipt that the chain commits to, in its order. Raises Fault."""
    receipts = export.receipts or ()
    created = [facts for facts in events if facts["event_type"] == CREATED]
    about = _about(events)
    found: list[Facts] = []
    for place, one in enumerate(receipts, start=1):
        record = f"receipt {place}"
        said = receipt_checks.read(one, by=by, record=record, place=place)
        if place > len(created) or created[place - 1].get("receipt_id") != said["receipt_id"]:
            raise Fault("the chain has another receipt in its place", record=record, place=place)
        try:
            receipt_checks.check_events(one, said, _told(about, said))
        except Fault as fault:
            raise Fault(fault.sentence, record=record, place=place) from None
        found.append(said)
    if len(created) > len(receipts):
        place = len(receipts) + 1
        raise Fault(
            f"the chain has {len(created)} receipts, and this one is not there",
            record=f"receipt {place}",
            place=place,
        )
    _require_receipts_of_debits(found, events)
    return tuple(found)


def chain_decisions(export: ChainExport, receipts: Sequence[Facts], events: Sequence[Facts]) -> int:
    """Check the decision behind every receipt that names one, in their order.

    Raises Fault, and Open when the text of one is missing: the others are checked all the same.
    """
    if export.receipts is None or export.decisions is None:
        raise Fault("receipts and decisions belong together", record="the file")
    about = _about(events)
    wanted = [said for said in receipts if said["decision_id"] is not None]
    reasons: list[str] = []
    for place, (texts, said) in enumerate(zip(export.decisions, wanted, strict=False), start=1):
        committed = receipt_checks.decision_hash(said, _told(about, said))
        try:
            decision_checks.check(texts, said, committed, record=f"decision {place}", place=place)
        except Open as reason:
            reasons.append(str(reason))
    if len(export.decisions) != len(wanted):
        place = min(len(export.decisions), len(wanted)) + 1
        raise Fault(
            f"the receipts name {len(wanted)} decisions, and the file has {len(export.decisions)}",
            record=f"decision {place}",
            place=place,
        )
    _require_all_made(reasons, len(wanted))
    return len(wanted)


def made_again(decisions: Sequence[DecisionTexts]) -> int:
    """Make decisions again. Raises Fault, and Open when some cannot be made here."""
    reasons: list[str] = []
    for place, texts in enumerate(decisions, start=1):
        try:
            decision_checks.check_again(texts, record=f"decision {place}", place=place)
        except Open as reason:
            reasons.append(str(reason))
    _require_all_made(reasons, len(decisions))
    return len(decisions)


def _require_all_made(reasons: Sequence[str], count: int) -> None:
    if reasons:
        raise Open(f"{len(reasons)} of {count}: {reasons[0]}", held=count - len(reasons))


def _require_receipts_of_debits(receipts: Sequence[Facts], events: Sequence[Facts]) -> None:
    """Money is never taken without a receipt that says what for."""
    known = {said["inference_id"] for said in receipts if isinstance(said["inference_id"], str)}
    for place, facts in enumerate(events, start=1):
        if facts["event_type"] == DEBITED and facts.get("inference_id") not in known:
            raise Fault("money was taken, and there is no receipt of it", record=f"event {place}")


def _about(events: Sequence[Facts]) -> Mapping[str, list[Facts]]:
    """Events by the inference and by the receipt that they name."""
    found: dict[str, list[Facts]] = {}
    for facts in events:
        for name in (facts.get("inference_id"), facts.get("receipt_id")):
            if isinstance(name, str):
                found.setdefault(name, []).append(facts)
    return found


def _told(about: Mapping[str, list[Facts]], said: Facts) -> list[Facts]:
    named = [about.get(str(said[name]), []) for name in ("inference_id", "receipt_id")]
    by_place = {_seq(facts): facts for events in named for facts in events}
    return [by_place[seq] for seq in sorted(by_place)]


def _is_about(facts: Facts, said: Facts) -> bool:
    is_the_inference = (
        said["inference_id"] is not None and facts.get("inference_id") == said["inference_id"]
    )
    return is_the_inference or facts.get("receipt_id") == said["receipt_id"]


def _misplaced(
    document: ReceiptDocument, facts: Facts, before: Sequence[Facts], place: int
) -> str | None:
    """Why an event cannot stand behind those before it; None when it can."""
    seq, previous_hash = facts.get("seq"), document.evidence.events[place - 1].previous_hash
    if not isinstance(seq, int) or seq < 1 or (seq == 1) != (previous_hash is None):
        return "its place in the chain cannot be"
    last = _seq(before[-1]) if before else 0
    if seq <= last:
        return "it comes before the event before it"
    if (
        before
        and seq == last + 1
        and previous_hash != document.evidence.events[place - 2].event_hash
    ):
        return "it does not follow the event before it"
    return None


def _seq(facts: Facts) -> int:
    seq = facts["seq"]
    assert isinstance(seq, int), "only events whose place was checked come here"
    return seq


def _is_same_amount(shown_as: Json, amount: int) -> bool:
    if isinstance(shown_as, bool) or not isinstance(shown_as, int | float):
        return False
    try:
        return money.parse_usd(shown_as) == amount
    except NotAnAmount:
        return False


def _is_same(found: Json, expected: Json) -> bool:
    """Equal, and of one kind: for Python true is 1 and 1 is 1.0, for other readers they are not."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return set(found) == set(expected) and all(
            _is_same(one, expected[name]) for name, one in found.items()
        )
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(_is_same, found, expected))
    return type(found) is type(expected) and found == expected
