"""Files that somebody made up: texts left out, other logs, odd numbers; none passes for whole."""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import orjson
import pytest

from ainfera_server.audit import chain
from ainfera_server.audit.evidence import verifying
from ainfera_server.audit.evidence.findings import Check, Report
from ainfera_server.audit.evidence.trust import NO_KEYS, Keys
from tests.audit.evidence import evidence, forgeries, mutations
from tests.audit.evidence.evidence import Document
from tests.promises import proves

Fork = Callable[[Sequence[bytes], Sequence[bytes]], Sequence[bytes]]
"""Another log, of the entries of an agent and those of everybody else."""


def verified(document: Document, *, brought: Keys = evidence.KEYS) -> Report:
    return verifying.verify(orjson.dumps(document), brought=brought)


def failed(report: Report) -> list[Check]:
    return [one for one in report.checks if one.state == "fails"]


def decided(document: Document, **changed: object) -> Document:
    """A receipt or chain with its first decision changed."""
    if "decision" in document:
        return {**document, "decision": {**document["decision"], **changed}}
    first, *others = document["decisions"]
    return {**document, "decisions": [{**first, **changed}, *others]}


@proves("tampering-is-named", "unchecked-is-said")
@pytest.mark.parametrize("snapshot", ['{"forged":true}', None], ids=["forged", "as it was"])
@pytest.mark.parametrize("kind", ["receipt", "chain"])
def test_a_decision_without_its_text_is_never_said_to_hold(kind: str, snapshot: str | None) -> None:
    whole = evidence.of(40)
    document = (
        evidence.receipt_document(whole, 0) if kind == "receipt" else evidence.chain_export(whole)
    )
    changed = {} if snapshot is None else {"snapshot": snapshot}
    report = verified(decided(document, decision=None, **changed))
    about = [one for one in report.checks if one.name.startswith("decision")]
    assert [one.state for one in about] == ["open", "open"]
    assert all("the decision's text is missing" in str(one.sentence) for one in about)
    count = 1 if kind == "receipt" else len(document["decisions"])
    assert [one.count for one in about] == [count - 1, count - 1], "the others are checked"
    assert report.not_made == tuple(one.name for one in about)


@proves("tampering-is-named")
def test_a_snapshot_that_known_rules_decide_otherwise_is_found_without_the_decisions_text() -> None:
    document = evidence.receipt_document(evidence.of(13), 0)
    snapshot = orjson.loads(document["decision"]["snapshot"])
    snapshot["input_tokens_estimate"] += 1
    text = chain.canonical(snapshot).decode()
    (fault,) = failed(verified(decided(document, decision=None, snapshot=text)))
    assert fault.name == "decision"
    (fault,) = failed(verified(decided(document, decision=None, snapshot="no JSON")))
    assert fault.name == "decision"


def test_a_report_says_how_old_the_file_is() -> None:
    told = {
        one.name: one.sentence for one in verified(evidence.chain_export(evidence.of(13))).checks
    }
    assert told["end of the chain"] == "exported at 2026-01-02T03:04:05.000006Z"
    assert told["inclusion in the log"] == "by a checkpoint of the log with 26 entries"


def counted(document: Document, log: Document, *, brought: Keys = evidence.KEYS) -> Report:
    return verifying.verify(orjson.dumps(document), brought=brought, log=orjson.dumps(log))


TWO, OLDER = "there are two logs", "it is older than the chain"
FORKS: Mapping[str, tuple[str, Fork]] = {
    "as long": (TWO, lambda own, others: [*own[:10], *others, *forgeries.strangers(3)]),
    "longer": (TWO, lambda own, others: [*own[:10], *others, *forgeries.strangers(50)]),
    "in another order": (TWO, lambda own, others: [*own, *others]),
    "shorter": (OLDER, lambda own, others: [*own[:10], *others]),
    "of one entry": (OLDER, lambda own, _: own[:1]),
    "empty": (OLDER, lambda own, _: own[:0]),
}


@proves("tampering-is-named")
@pytest.mark.parametrize("brought", [evidence.KEYS, NO_KEYS], ids=["given keys", "own keys"])
@pytest.mark.parametrize("kind", FORKS)
def test_a_log_that_forks_from_the_chains_own_checkpoint_is_found(kind: str, brought: Keys) -> None:
    reason, fork = FORKS[kind]
    whole = evidence.of(13)
    log = forgeries.log_of(fork(whole.entries[::2], whole.entries[1::2]))
    assert verified(log, brought=brought).holds
    (fault,) = failed(counted(evidence.chain_export(whole), log, brought=brought))
    assert (fault.name, fault.record) == ("counted in the log", "the log")
    assert reason in str(fault.sentence)


@proves("tampering-is-named")
def test_a_log_by_another_key_or_name_is_none_to_count_in() -> None:
    whole = evidence.of(13)
    only_events = Keys(pems=evidence.KEYS.pems, log_keys=())
    for signer, origin in (
        (mutations.FORGER, evidence.ORIGIN),
        (mutations.FORGER, "elsewhere.example/log"),
    ):
        log = forgeries.log_of(whole.entries, signer=signer, origin=origin)
        for brought in (only_events, NO_KEYS):
            (fault,) = failed(counted(evidence.chain_export(whole), log, brought=brought))
            assert fault.name == "counted in the log"
            assert "no known key" in str(fault.sentence)


@proves("evidence-travels")
def test_a_log_that_went_on_since_the_chain_was_exported_is_one_to_count_in() -> None:
    whole = evidence.of(13)
    report = counted(
        evidence.chain_export(whole), forgeries.log_of([*whole.entries, *forgeries.strangers(7)])
    )
    assert report.holds
    assert report.checks[-1].count == 13


ODD: Sequence[Document] = (
    {"margin_rate": "1e999999999"},
    {"margin_rate": "1e-999999999"},
    {"margin_rate": "0." + "0" * 13},
    {"margin_rate": "sNaN"},
    {"margin_rate": "-1"},
    {"margin_rate": "٣"},
    {"margin_rate": None},
    {"outcome": ["x"]},
    {"billing_rule": {}},
    {"outcome": {}, "billing_rule": []},
    {"prices_usd_per_mtok": {"input": "1e99", "output": "1"}},
    {"usage": {"input_tokens": 1.5}},
    {"schema": ["x"]},
)


@proves("tampering-is-named")
@pytest.mark.parametrize("changed", ODD, ids=str)
def test_a_receipt_that_its_signer_wrote_oddly_does_not_hold(changed: Document) -> None:
    document = evidence.receipt_document(evidence.of(13), 0)
    (fault, *_) = failed(verified(forgeries.resigned(document, **changed)))
    assert fault.name == "receipt"


@proves("tampering-is-named")
def test_a_text_that_is_nested_too_deep_to_be_read_is_a_fault_in_its_place() -> None:
    document = evidence.chain_export(evidence.of(13))
    deep = {**document["events"][3], "payload": '{"a":' + "[" * 990 + "]" * 990 + "}"}
    events = [*document["events"][:3], deep, *document["events"][4:]]
    (fault, *_) = failed(verified({**document, "events": events}))
    assert (fault.name, fault.place) == ("events", 4)


def test_a_subject_that_has_no_name_is_called_so() -> None:
    document = evidence.receipt_document(evidence.of(13), 0)
    report = verified({**document, "receipt_id": ["x"]})
    assert not report.holds
    assert report.subject == "the receipt without a name"


@proves("tampering-is-named")
def test_money_that_was_taken_without_a_receipt_is_found() -> None:
    document = evidence.chain_export(evidence.of(13))
    payloads = [orjson.loads(one["payload"]) for one in document["events"]]
    assert verified(forgeries.signed_anew(document, payloads)).holds
    (debit, *_) = (one for one in payloads if one["event_type"] == "ledger.debited")
    more = {**debit, "inference_id": str(UUID(int=5)), "event_id": str(UUID(int=6))}
    (fault,) = failed(verified(forgeries.signed_anew(document, [*payloads, more])))
    assert (fault.name, fault.record) == ("receipts", "event 14")


@proves("tampering-is-named")
def test_an_event_that_a_chain_tells_twice_is_found() -> None:
    document = evidence.chain_export(evidence.of(13))
    payloads = [orjson.loads(one["payload"]) for one in document["events"]]
    (fault, *_) = failed(verified(forgeries.signed_anew(document, [*payloads, payloads[4]])))
    assert (fault.name, fault.place) == ("events", 14)
    assert "the event_id of event 5" in str(fault.sentence)


@proves("tampering-is-named")
def test_whatever_breaks_inside_of_a_check_is_a_fault_of_the_file() -> None:
    document = evidence.chain_export(evidence.of(13))
    payloads = [orjson.loads(one["payload"]) for one in document["events"]]
    odd = {"event_type": "ledger.debited", "inference_id": ["x"], "event_id": str(UUID(int=6))}
    (fault,) = failed(
        verified(forgeries.signed_anew(document, [*payloads, {**payloads[0], **odd}]))
    )
    assert (fault.name, fault.sentence) == ("receipts", "cannot be read: TypeError")
