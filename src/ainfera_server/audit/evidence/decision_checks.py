"""Checks of a decision: the bytes that were committed to, and the decision made again from them."""

import hashlib

from ainfera_server.audit.evidence import chain_checks
from ainfera_server.audit.evidence.chain_checks import Facts
from ainfera_server.audit.evidence.exhibits import DecisionTexts
from ainfera_server.audit.evidence.findings import Fault, Open
from ainfera_server.routing import decide
from ainfera_server.routing import decision as decisions
from ainfera_server.routing import snapshot as snapshots
from ainfera_server.routing.snapshot import NotASnapshot

NO_TEXT = "cannot be checked: the decision's text is missing"

SAME = ("policy_version", "ruleset_hash", "rule_fired", "seed", "propensity")


def check(
    texts: DecisionTexts, said: Facts, committed: str | None, *, record: str, place: int | None
) -> None:
    """Check that these are the bytes that receipt and chain commit to.

    Raises Fault, and Open when there is no text of the decision: the hash covers both texts, so
    without one of them nothing is known of the other.
    """
    if texts.decision_id != said["decision_id"]:
        raise Fault("it is another decision than the receipt's", record=record, place=place)
    try:
        chain_checks.canonical_object(texts.snapshot, record="the snapshot")
        decision = texts.decision
        if decision is None and said["ruleset_hash"] == ruleset(texts.snapshot):
            decision = made(texts.snapshot)
        if decision is not None:
            _check(texts.snapshot, decision, said, committed)
    except Fault as fault:
        raise Fault(fault.sentence, record=record, place=place) from None
    if texts.decision is None:
        raise Open(NO_TEXT)


def check_again(texts: DecisionTexts, *, record: str, place: int) -> None:
    """Make the decision again. Raises Fault, and Open for rules that are not known here."""
    if texts.decision is None:
        raise Open(NO_TEXT)
    decided = chain_checks.canonical_object(texts.decision, record=record, place=place)
    if decided.get("ruleset_hash") != ruleset(texts.snapshot):
        raise Open(f"this version does not know the rules {decided.get('ruleset_hash')!r}")
    try:
        again = made(texts.snapshot)
    except Fault as fault:
        raise Fault(fault.sentence, record=record, place=place) from None
    if again != texts.decision:
        sentence = "the same rules and the same snapshot give another decision"
        raise Fault(sentence, record=record, place=place)


def ruleset(snapshot: str) -> str | None:
    """The fingerprint of the rules by which this version would decide; None when it cannot."""
    try:
        return decide.fingerprint(snapshots.decode(snapshot.encode()))
    except (NotASnapshot, AssertionError):
        return None


def made(snapshot: str) -> str:
    """Decide, and write the decision down as it was written down then. Raises Fault."""
    try:
        return decisions.encode(decide.decide(snapshots.decode(snapshot.encode()))).decode()
    except (AssertionError, ArithmeticError) as problem:
        raise Fault(f"nothing can be decided from its snapshot: {problem}") from None


def _check(snapshot: str, decision: str, said: Facts, committed: str | None) -> None:
    decided = chain_checks.canonical_object(decision, record="the decision")
    if hashlib.sha256((snapshot + decision).encode()).hexdigest() != committed:
        raise Fault("snapshot and decision are not those that the evidence commits to")
    for name in SAME:
        if said.get(name) is not None and said[name] != decided.get(name):
            raise Fault(f"the receipt has another {name}")
    order = decided.get("fallback_order")
    if said["offer"] is not None and (not isinstance(order, list) or said["offer"] not in order):
        raise Fault("the receipt names an offer that was not chosen")
