"""A file of evidence holds as it was made, and whatever is changed in it is found where it is."""

import random  # noqa: TID251 (seeded, so that every run draws the same)
from collections import Counter
from dataclasses import replace

import orjson
import pytest

from ainfera_server.audit import chain
from ainfera_server.audit.evidence import verifying
from ainfera_server.audit.evidence.exhibits import NotAnExhibit
from ainfera_server.audit.evidence.findings import Report
from ainfera_server.audit.evidence.trust import NO_KEYS, Keys
from ainfera_server.audit.public_log import notes
from tests.audit.evidence import evidence, mutations
from tests.audit.evidence.evidence import Document
from tests.promises import proves


def verified(document: Document, *, brought: Keys = evidence.KEYS) -> Report:
    return verifying.verify(orjson.dumps(document), brought=brought)


@proves("tampering-is-named", "evidence-travels")
@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 40, 200])
def test_chains_receipts_and_logs_of_any_length_hold_as_they_were_made(length: int) -> None:
    whole = evidence.of(length)
    documents = [evidence.chain_export(whole), evidence.log_export(whole)]
    documents += [evidence.receipt_document(whole, place) for place in range(len(whole.receipts))]
    for document in documents:
        for brought in (evidence.KEYS, NO_KEYS):
            report = verified(document, brought=brought)
            assert [one for one in report.checks if one.state != "holds"] == []
    counted = verifying.verify(
        orjson.dumps(documents[0]), brought=evidence.KEYS, log=orjson.dumps(documents[1])
    )
    assert counted.holds
    assert counted.checks[-1].count == length


LOTS = (
    # How many mutations, of chains how long.
    (9_300, (1, 2, 3, 5, 8, 13)),
    (550, (40,)),
    (120, (200,)),
    (22, (1_000,)),
    (8, (5_000,)),
)


@proves("tampering-is-named", "evidence-travels")
def test_ten_thousand_mutations_of_chains_receipts_and_logs_are_each_found_in_their_place() -> None:
    lot = random.Random(20260102)  # noqa: S311 (not for secrets)
    missed: list[str] = []
    kinds = Counter[str]()
    for times, lengths in LOTS:
        documents = [document for length in lengths for document in documents_of(length)]
        for _ in range(times):
            mutation = mutations.drawn(lot.choice(documents), lot)
            brought = lot.choice((evidence.KEYS, NO_KEYS))
            kinds[mutation.kind] += 1
            if not is_found(mutation, brought):
                missed.append(f"{mutation.kind} at {mutation.place}")
    assert missed == []
    assert kinds.total() == 10_000
    assert len(kinds) > 90


def documents_of(length: int) -> list[Document]:
    """A chain, the log and, of shorter ones, every receipt."""
    whole = evidence.of(length)
    places = range(len(whole.receipts) if length <= 40 else 0)
    receipts = [evidence.receipt_document(whole, place) for place in places]
    return [evidence.chain_export(whole), evidence.log_export(whole), *receipts]


def is_found(mutation: mutations.Mutation, brought: Keys) -> bool:
    """Whether something does not hold, and where it was changed if that is a place."""
    try:
        report = verified(mutation.document, brought=brought)
    except NotAnExhibit:
        return mutation.kind in {"edited format", "without format"}
    places = {one.place for one in report.checks if one.state == "fails"}
    return not report.holds and (mutation.place is None or mutation.place in places)


def rewritten(document: Document, place: int) -> Document:
    """An event changed as if it had always been so: every hash behind it is made anew."""
    events = [dict(one) for one in document["events"]]
    events[place - 1]["payload"] = events[place - 1]["payload"].replace('"', "'", 2)
    last = events[place - 1]["previous_hash"]
    for one in events[place - 1 :]:
        one["previous_hash"] = last
        one["event_hash"] = last = chain.event_hash(last, one["payload"].encode())
    return {**document, "events": events}


@proves("tampering-is-named")
@pytest.mark.parametrize("place", [1, 5, 13])
def test_an_event_whose_followers_were_hashed_anew_is_found_where_it_is(place: int) -> None:
    document = evidence.chain_export(evidence.of(13))
    fault = verified(rewritten(document, place)).first_fault
    assert fault is not None
    assert (fault.name, fault.place) == ("events", place)


@proves("tampering-is-named")
def test_a_whole_file_by_somebody_else_holds_only_by_its_own_keys() -> None:
    forged = evidence.of(40, signer=mutations.FORGER)
    for document in (
        evidence.chain_export(forged, signer=mutations.FORGER),
        evidence.receipt_document(forged, 0, signer=mutations.FORGER),
    ):
        assert [one.name for one in failed(verified(document))] == ["keys"]
        alone = verified(document, brought=NO_KEYS)
        assert alone.holds
        assert "came from the file itself" in str(alone.checks[0].sentence)


@proves("tampering-is-named")
def test_a_whole_log_by_somebody_else_is_found() -> None:
    whole = evidence.of(13)
    forgers = notes.log_key(evidence.ORIGIN, mutations.FORGER).text
    signed = notes.read_note(whole.note.encode())
    checkpoint = notes.signed(notes.read_text(signed.text), mutations.FORGER).decode()
    forged = {**evidence.log_export(whole), "checkpoint": checkpoint}
    assert not verified(forged).holds
    assert not verified({**forged, "log_keys": [forgers]}).holds
    assert not verified({**forged, "log_keys": [evidence.LOG_KEY, forgers]}).holds


def failed(report: verifying.Report) -> list[verifying.Check]:
    return [one for one in report.checks if one.state == "fails"]


@proves("tampering-is-named")
def test_a_chain_whose_end_the_server_itself_left_out_is_found_by_the_log() -> None:
    whole = evidence.of(13)
    shorter = replace(whole, links=whole.links[:10], receipts=whole.receipts[:2])
    document = orjson.dumps(evidence.chain_export(shorter))
    log = orjson.dumps(evidence.log_export(whole))
    assert verifying.verify(document, brought=evidence.KEYS).holds
    (fault,) = failed(verifying.verify(document, brought=evidence.KEYS, log=log))
    assert (fault.name, fault.place) == ("counted in the log", 11)


@proves("tampering-is-named")
def test_a_chain_of_which_the_log_has_another_is_found_by_the_log() -> None:
    one, other = evidence.of(8), evidence.of(13)
    pairs = zip(one.links, other.links, strict=False)
    differs = [mine.event_hash != theirs.event_hash for mine, theirs in pairs].index(True)
    report = verifying.verify(
        orjson.dumps(evidence.chain_export(one)),
        brought=evidence.KEYS,
        log=orjson.dumps(evidence.log_export(other)),
    )
    (fault,) = failed(report)
    assert (fault.name, fault.place) == ("counted in the log", differs + 1)
