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

SAME = ("policy_version", "ruleset_hash", "rule_fired", "seed", "propensity")


def check(
    texts: DecisionTexts, said: Facts, committed: str | None, *, record: str, place: int | None
) -> None:
    """Check that these are the bytes that receipt and chain commit to. Raises Fault."""
    if texts.decision_id != said["decision_id"]:
        raise Fault("it is another decision than the receipt's", record=record, place=place)
    if texts.decision is None and said["ruleset_hash"] != ruleset(texts.snapshot):
        return
    try:
        _check(texts.snapshot, texts.decision or made(texts.snapshot), said, committed)
    except Fault as fault:
        raise Fault(fault.sentence, record=record, place=place) from None


def check_again(texts: DecisionTexts, *, record: str, place: int) -> None:
    """Make the decision again. Raises Fault, and Open for rules that are not known here."""
    if texts.decision is None:
        raise Open("whoever made the file did not know its rules any more")
    decided = chain_checks.canonical_object(texts.decision, record=record, place=place)
    if decided.get("ruleset_hash") != ruleset(texts.snapshot):
        raise Open(f"this version does not know the rules {decided.get('ruleset_hash')!r}")
    try:
        again = made(texts.snapshot)
    except (AssertionError, ArithmeticError) as problem:
        sentence = f"nothing can be decided from its snapshot: {problem}"
        raise Fault(sentence, record=record, place=place) from None
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
    """Decide, and write the decision down as it was written down then."""
    return decisions.encode(decide.decide(snapshots.decode(snapshot.encode()))).decode()


def _check(snapshot: str, decision: str, said: Facts, committed: str | None) -> None:
    decided = chain_checks.canonical_object(decision, record="the decision")
    chain_checks.canonical_object(snapshot, record="the snapshot")
    if hashlib.sha256((snapshot + decision).encode()).hexdigest() != committed:
        raise Fault("snapshot and decision are not those that the evidence commits to")
    for name in SAME:
        if said.get(name) is not None and said[name] != decided.get(name):
            raise Fault(f"the receipt has another {name}")
    order = decided.get("fallback_order")
    if said["offer"] is not None and (not isinstance(order, list) or said["offer"] not in order):
        raise Fault("the receipt names an offer that was not chosen")
