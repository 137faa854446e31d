"""Check a file of evidence with nothing but the file and public keys: no server, no network.

The file says what it is; each kind has its own checks. docs/guides/verifying.md tells all that is
checked here to whoever writes a verifier of their own.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ainfera_server.audit.evidence import (
    chain_checks,
    document_checks,
    exhibits,
    log_checks,
    receipt_checks,
    trust,
)
from ainfera_server.audit.evidence.chain_checks import Checker, Facts
from ainfera_server.audit.evidence.exhibits import (
    AnyExhibit,
    BrokenExhibit,
    ChainExport,
    LogExport,
    NotAnExhibit,
    ReceiptDocument,
)
from ainfera_server.audit.evidence.findings import Check, Fault, Held, Open, Report, State
from ainfera_server.audit.evidence.trust import NO_KEYS, Keys
from ainfera_server.audit.public_log.notes import SignedCheckpoint
from ainfera_server.conversation import Json

FoundT = TypeVar("FoundT")

SUBJECT_LENGTH_MAX = 80

INDEX = re.compile(r"\[(\d+)\]")


class WrongKind(ValueError):
    """A file was given where another kind is asked for."""


def verify(content: bytes, *, brought: Keys = NO_KEYS, log: bytes | None = None) -> Report:
    """Check a file; `log` is an export of the public log to count a chain against.

    Raises NotAnExhibit for content that is none of the files, and WrongKind.
    """
    try:
        exhibit = _read(content)
        counted = None if log is None else _read(log)
    except BrokenExhibit as problem:
        return Report(subject="the file", checks=(_broken(problem),))
    if counted is None:
        return _report(exhibit, brought)
    if not isinstance(exhibit, ChainExport) or not isinstance(counted, LogExport):
        raise WrongKind("only the export of a chain can be counted in the export of a log")
    chain, whole_log = _report(exhibit, brought), _report(counted, brought)
    bench = _Bench()
    bench.look(
        "counted in the log",
        "events",
        lambda: log_checks.counted_count(exhibit, counted, brought=brought),
    )
    return Report(
        subject=f"{chain.subject}, or {whole_log.subject}",
        checks=(*chain.checks, *whole_log.checks, *bench.checks),
    )


@dataclass(slots=True, kw_only=True)  # tidy: grows while a file is checked
class _Bench:
    """The checks made so far; what builds on one that failed is left open."""

    checks: list[Check] = field(default_factory=list[Check])

    def look(self, name: str, records: str, check: Callable[[], int | Held]) -> bool:
        """Carry out a check that tells how many records it looked at; whether they hold."""
        held, sentence, record, place = 0, None, None, None
        state: State = "holds"
        try:
            found = _guarded(check)
            held, sentence = (
                (found.count, found.sentence) if isinstance(found, Held) else (found, None)
            )
        except Open as reason:
            state, sentence, held = "open", str(reason), reason.held
        except Fault as fault:
            state, sentence, record, place = "fails", fault.sentence, fault.record, fault.place
            held = 0 if place is None else place - 1
        self.checks.append(
            Check(
                name=name,
                records=records,
                count=held,
                state=state,
                record=record,
                place=place,
                sentence=sentence,
            )
        )
        return state != "fails"

    def keys(self, exhibit: AnyExhibit, brought: Keys) -> Checker | None:
        """Whose signatures count; None when the file's own keys are none."""
        try:
            listed = _guarded(lambda: _listed(exhibit))
            keys = trust.pinned(brought, listed)
        except Fault as fault:
            self.look("keys", "keys", _raises(fault))
            return None
        self.checks.append(_of_keys(keys, brought))
        return Checker(keys=keys, listed=listed)


def _report(exhibit: AnyExhibit, brought: Keys) -> Report:
    bench = _Bench()
    match exhibit:
        case ReceiptDocument():
            subject = f"the receipt {_named(exhibit.shown.get('receipt_id'))}"
            _check_document(bench, exhibit, bench.keys(exhibit, brought))
        case ChainExport():
            subject = f"the chain of the agent {_named(exhibit.agent_id)}"
            _check_chain(bench, exhibit, bench.keys(exhibit, brought))
        case LogExport():
            subject = f"the log {_named(exhibit.checkpoint.partition(chr(10))[0])}"
            _check_log(bench, exhibit, bench.keys(exhibit, brought))
    return Report(subject=subject, checks=tuple(bench.checks))


def _check_document(bench: _Bench, document: ReceiptDocument, by: Checker | None) -> None:
    if by is None:
        return
    said: dict[str, Facts] = {}
    events: list[Facts] = []

    def receipt() -> int:
        said["receipt"] = receipt_checks.read(
            document.evidence.receipt, by=by, record="the receipt"
        )
        return 1

    def links() -> int:
        events.extend(document_checks.event_facts(document, said["receipt"], by))
        return len(events)

    if not bench.look("receipt", "receipts", receipt):
        return
    bench.look("shown fields", "fields", lambda: document_checks.shown(document, said["receipt"]))
    if bench.look("events", "events", links):
        bench.look(
            "receipt in the chain",
            "receipts",
            lambda: document_checks.in_chain(document, said["receipt"], events),
        )
        bench.look(
            "inclusion in the log",
            "events",
            lambda: document_checks.inclusion(document, said["receipt"], events, by),
        )
    committed = receipt_checks.decision_hash(said["receipt"], events)
    decisions = () if document.evidence.decision is None else (document.evidence.decision,)
    if bench.look(
        "decision",
        "decisions",
        lambda: document_checks.decision(document, said["receipt"], committed),
    ):
        bench.look(
            "decision made again", "decisions", lambda: document_checks.made_again(decisions)
        )


def _check_chain(bench: _Bench, export: ChainExport, by: Checker | None) -> None:
    if by is None:
        return
    events: list[Facts] = []

    def links() -> int:
        events.extend(chain_checks.chain_facts(export, by))
        return len(events)

    if not bench.look("events", "events", links):
        return
    bench.look("end of the chain", "events", lambda: chain_checks.end_count(export, events, by))
    bench.look("inclusion in the log", "events", lambda: chain_checks.inclusion_count(export, by))
    if export.receipts is None and export.decisions is None:
        return
    receipts: list[Facts] = []

    def of_chain() -> int:
        receipts.extend(document_checks.chain_receipts(export, events, by))
        return len(receipts)

    if bench.look("receipts", "receipts", of_chain):
        _check_decisions(bench, export, receipts, events)


def _check_decisions(
    bench: _Bench, export: ChainExport, receipts: Sequence[Facts], events: Sequence[Facts]
) -> None:
    holds = bench.look(
        "decisions",
        "decisions",
        lambda: document_checks.chain_decisions(export, receipts, events),
    )
    if holds:
        bench.look(
            "decisions made again",
            "decisions",
            lambda: document_checks.made_again(export.decisions or ()),
        )


def _check_log(bench: _Bench, export: LogExport, by: Checker | None) -> None:
    if by is None:
        return
    found: list[SignedCheckpoint] = []

    def checkpoint() -> Held:
        found.append(log_checks.checkpoint(export, by.keys))
        return Held(count=1, sentence=f"of {found[0].checkpoint.size} entries")

    if bench.look("checkpoint", "checkpoints", checkpoint):
        bench.look("leaf hashes", "hashes", lambda: log_checks.leaves_count(export, found[0]))
    bench.look("entries", "entries", lambda: log_checks.entries_count(export))


def _read(content: bytes) -> AnyExhibit:
    try:
        return _guarded(lambda: exhibits.read(content))
    except Fault as fault:
        raise BrokenExhibit(fault.sentence) from None


def _guarded(check: Callable[[], FoundT]) -> FoundT:
    """Strangers write these files: whatever they break in here is their file's fault."""
    try:
        return check()
    except (Open, Fault, NotAnExhibit):
        raise
    except Exception as problem:
        raise Fault(f"cannot be read: {type(problem).__name__}") from problem


def _named(found: Json) -> str:
    """What a file says that it is about, as far as that fits into a sentence."""
    return found[:SUBJECT_LENGTH_MAX] if isinstance(found, str) else "without a name"


def _listed(exhibit: AnyExhibit) -> Keys:
    match exhibit:
        case ReceiptDocument(evidence=evidence):
            return trust.of_file(evidence.public_keys, evidence.log_keys)
        case ChainExport():
            return trust.of_file(exhibit.public_keys, exhibit.log_keys)
        case LogExport():
            return trust.of_file((), exhibit.log_keys)


def _of_keys(keys: Keys, brought: Keys) -> Check:
    """Whose word everything else is, said plainly when it is only the file's own."""
    own = Keys(
        pems={} if brought.pems else keys.pems,
        log_keys=() if brought.log_keys else keys.log_keys,
    )
    told = None
    if own.fingerprints:
        told = (
            "they came from the file itself, so compare them with some that you have from"
            f" elsewhere, or give those with --key: {', '.join(own.fingerprints)}"
        )
    count = len(keys.pems) + len(keys.log_keys)
    return Check(name="keys", records="keys", count=count, state="holds", sentence=told)


def _broken(problem: BrokenExhibit) -> Check:
    """A file that is not as it has to be; in a list, the place of the first such element."""
    index = INDEX.search(problem.member or "")
    return Check(
        name="form",
        records="members",
        count=0,
        state="fails",
        record=problem.member or "the file",
        place=None if index is None else int(index[1]) + 1,
        sentence=problem.sentence,
    )


def _raises(fault: Fault) -> Callable[[], int]:
    def check() -> int:
        raise fault

    return check
