"""The page that verifies files in the browser: a second verifier, beside the command's."""

import random  # noqa: TID251 (seeded, so that every run draws the same)
import re
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson

from ainfera_server.audit.evidence import verifying
from ainfera_server.audit.evidence.exhibits import NotAnExhibit
from ainfera_server.audit.evidence.trust import NO_KEYS
from ainfera_server.dashboard import rendering
from tests import lived_server
from tests.audit.evidence import evidence, forgeries, mutations
from tests.audit.evidence.evidence import Document
from tests.conftest import Look
from tests.dashboard import browsers_verifier
from tests.dashboard.browsers_verifier import Case
from tests.dashboard.conftest import Browser
from tests.promises import proves
from tests.running_server import RunningServer
from tests.scripted_provider import ScriptedProvider

KEYS = (evidence.SIGNER.public_key_pem.encode(), evidence.LOG_KEY.encode())
MUTATIONS = 300
LENGTHS = (1, 2, 5, 13, 40)

Named = tuple[str, int | None] | None
"""The first check that failed, and the place of the record; None for a file that holds."""


def documents_of(length: int) -> list[Document]:
    whole = evidence.of(length)
    places = range(len(whole.receipts))
    receipts = [evidence.receipt_document(whole, place) for place in places]
    return [evidence.chain_export(whole), evidence.log_export(whole), *receipts]


def verified(*cases: Case) -> list[Any]:
    """The reports on files that are of a kind that can be checked."""
    reports = browsers_verifier.verified(cases)
    assert None not in reports
    return reports


def faults(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in report["checks"] if one["state"] == "fails"]


def named_by_page(report: dict[str, Any] | None) -> Named:
    if report is None:
        return ("no kind", None)
    return next(((one["name"], one["place"]) for one in faults(report)), None)


def named_by_command(content: bytes, *, has_keys: bool) -> Named:
    try:
        brought = evidence.KEYS if has_keys else NO_KEYS
        fault = verifying.verify(content, brought=brought).first_fault
    except NotAnExhibit:
        return ("no kind", None)
    return None if fault is None else (fault.name, fault.place)


def is_same(theirs: Named, ours: Named) -> bool:
    """The same check failed at the same place; one that the command does not place may have one."""
    if theirs is None or ours is None:
        return theirs is ours
    return theirs[0] == ours[0] and theirs[1] in {None, ours[1]}


@proves("receipts-verify-without-us")
def test_whatever_a_server_says_of_itself_holds_in_the_browser(
    server: RunningServer, scripted_provider: ScriptedProvider, database: str, look: Look
) -> None:
    lived_server.live(server, scripted_provider, database)
    rows = look("select receipt_id::text from receipts")
    named = {one["receipt_id"]: one["receipt_id"] for one in rows}
    files = lived_server.files(server, named)
    keys = (lived_server.keys(server),)
    cases = [Case(file=file, keys=keys) for file in files.values()]
    reports = verified(*cases, Case(file=files["chain"], keys=keys, log=files["log"]))
    assert [faults(report) for report in reports] == [[]] * (len(files) + 1)
    assert len(files) == lived_server.RECEIPTS + 3
    (again,) = (one for one in reports[0]["checks"] if one["name"] == "decisions made again")
    assert again["state"] == "open"
    assert "ainfera-server verify FILE" in again["sentence"]


@proves("receipts-verify-without-us")
def test_evidence_with_every_ending_in_it_holds_with_and_without_keys() -> None:
    documents = [orjson.dumps(one) for length in LENGTHS for one in documents_of(length)]
    reports = verified(*(Case(file=one, keys=keys) for one in documents for keys in ((), KEYS)))
    assert [faults(one) for one in reports if not one["holds"]] == []
    assert all(not one["fingerprints"] for one in reports[1::2])
    own = evidence.KEYS.fingerprints
    assert set(reports[0]["fingerprints"]) == set(own)


@proves("tampering-is-named", "two-verifiers-agree")
def test_the_page_and_the_command_name_the_same_place_of_whatever_was_changed() -> None:
    lot = random.Random(20260504)  # noqa: S311 (not for secrets)
    documents = [one for length in LENGTHS for one in documents_of(length)]
    drawn = [mutations.drawn(lot.choice(documents), lot) for _ in range(MUTATIONS)]
    with_keys = [lot.random() < 0.5 for _ in drawn]
    contents = [orjson.dumps(one.document) for one in drawn]
    reports = browsers_verifier.verified(
        [
            Case(file=content, keys=KEYS if has_keys else ())
            for content, has_keys in zip(contents, with_keys, strict=True)
        ]
    )
    differing: list[str] = []
    for one, content, has_keys, report in zip(drawn, contents, with_keys, reports, strict=True):
        theirs, ours = named_by_command(content, has_keys=has_keys), named_by_page(report)
        if ours is None or not is_same(theirs, ours):
            differing.append(f"{one.kind}: {theirs} and {ours}")
    assert differing == []


@proves("tampering-is-named", "two-verifiers-agree")
def test_files_with_a_byte_changed_are_read_alike_by_the_page_and_the_command() -> None:
    lot = random.Random(20260505)  # noqa: S311 (not for secrets)
    originals = [orjson.dumps(one) for one in documents_of(8)]
    contents = [damaged(lot.choice(originals), lot) for _ in range(MUTATIONS)]
    reports = browsers_verifier.verified([Case(file=one, keys=KEYS) for one in contents])
    for content, report in zip(contents, reports, strict=True):
        theirs, ours = named_by_command(content, has_keys=True), named_by_page(report)
        assert is_same(theirs, ours), (theirs, ours)


def damaged(content: bytes, lot: random.Random) -> bytes:
    """A file with a byte too many, too few, or another."""
    at = lot.randrange(len(content))
    between = lot.choice(
        (b"", bytes([lot.randrange(256)]), lot.choice(b'",:{}[]\\ -0.e').to_bytes())
    )
    return content[:at] + between + content[at + lot.choice((0, 1)) :]


@proves("tampering-is-named")
def test_an_end_that_was_left_out_is_found_by_the_log() -> None:
    whole = evidence.of(13)
    shorter = replace(whole, links=whole.links[:10], receipts=whole.receipts[:2])
    chain = orjson.dumps(evidence.chain_export(shorter))
    log = orjson.dumps(evidence.log_export(whole))
    alone, counted = verified(Case(file=chain, keys=KEYS), Case(file=chain, keys=KEYS, log=log))
    assert alone["holds"]
    assert named_by_page(counted) == ("counted in the log", 11)


@proves("tampering-is-named", "two-verifiers-agree")
def test_a_decision_without_its_text_is_open_in_the_browser_too() -> None:
    whole = evidence.of(40)
    receipt, chain = evidence.receipt_document(whole, 0), evidence.chain_export(whole)
    first, *others = chain["decisions"]
    forged = {"snapshot": '{"forged":true}', "decision": None}
    files = (
        {**receipt, "decision": {**receipt["decision"], **forged}},
        {**chain, "decisions": [{**first, **forged}, *others]},
    )
    for report, held in zip(
        verified(*(Case(file=orjson.dumps(one), keys=KEYS) for one in files)),
        (0, len(others)),
        strict=True,
    ):
        about, again = (one for one in report["checks"] if one["name"].startswith("decision"))
        assert (about["state"], about["count"]) == ("open", held)
        assert "the decision's text is missing" in about["sentence"]
        assert again["state"] == "open"


@proves("tampering-is-named", "two-verifiers-agree")
def test_logs_that_are_none_of_the_chains_and_odd_receipts_are_found_in_the_browser_too() -> None:
    whole = evidence.of(13)
    chain = evidence.chain_export(whole)
    log_of = forgeries.log_of
    own, strangers = whole.entries, forgeries.strangers(50)
    forger = mutations.FORGER
    logs = (
        log_of([*own[:20:2], *own[1::2], *strangers]),
        log_of(own[:0]),
        log_of(own, signer=forger),
        log_of([*own, *strangers]),
    )
    file = orjson.dumps(chain)
    cases = [Case(file=file, log=orjson.dumps(log)) for log in logs]
    *faulty, good = [named_by_page(one) for one in verified(*cases)]
    assert faulty == [("counted in the log", None)] * 3
    assert good is None
    receipt = evidence.receipt_document(whole, 0)
    odd = [
        Case(file=orjson.dumps(forgeries.resigned(receipt, margin_rate=rate)))
        for rate in ("1e999999999", "0." + "0" * 13, "-1", None)
    ]
    assert [named_by_page(one) for one in verified(*odd)] == [("receipt", None)] * len(odd)


@proves("tampering-is-named", "two-verifiers-agree")
def test_debits_without_receipts_and_events_told_twice_are_found_in_the_browser_too() -> None:
    chain = evidence.chain_export(evidence.of(13))
    payloads = [orjson.loads(one["payload"]) for one in chain["events"]]
    (debit, *_) = (one for one in payloads if one["event_type"] == "ledger.debited")
    unknown = {"inference_id": str(UUID(int=5)), "event_id": str(UUID(int=6))}
    files = [
        forgeries.signed_anew(chain, [*payloads, *more])
        for more in ([], [{**debit, **unknown}], [payloads[4]])
    ]
    reports = verified(*(Case(file=orjson.dumps(one), keys=KEYS) for one in files))
    assert [named_by_page(one) for one in reports] == [None, ("receipts", None), ("events", 14)]


@proves("tampering-is-named")
def test_a_whole_file_by_somebody_else_holds_only_by_its_own_keys() -> None:
    forged = evidence.of(13, signer=mutations.FORGER)
    content = orjson.dumps(evidence.chain_export(forged, signer=mutations.FORGER))
    by_our_keys, by_its_own = verified(Case(file=content, keys=KEYS), Case(file=content))
    assert named_by_page(by_our_keys) == ("keys", None)
    assert by_its_own["holds"]
    assert by_its_own["fingerprints"]


def test_what_is_no_file_of_ours_is_not_judged() -> None:
    others = (b"", b"\xff", b"[]", b"{}", b'{"format":"toString"}', b'{"format":1}', b"[" * 100_000)
    assert browsers_verifier.verified([Case(file=one) for one in others]) == [None] * len(others)


async def test_the_page_is_for_everybody_and_runs_only_its_own_files(stranger: Browser) -> None:
    answer = await stranger.get("/dashboard/verify")
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    html = answer.text
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", html)
    assert scripts == [""]
    for forbidden in ("style=", "onclick", "onload", "javascript:", "http://", "https://"):
        assert forbidden not in html
    sources = re.findall(r'"(/dashboard/static/[^"]+\.js\?v=[0-9a-f]{12})"', html)
    assert len(sources) == 2
    for source in sources:
        file = await stranger.get(source)
        assert file.headers["content-type"].startswith("text/javascript")
        assert "immutable" in file.headers["cache-control"]


def test_the_scripts_ask_no_network_and_write_no_markup() -> None:
    for name in ("verify.js", "verify_page.js"):
        script = rendering.STATIC_FILES[name].content.decode()
        for forbidden in ("fetch(", "XMLHttpRequest", "innerHTML", "eval(", "Function(", "storage"):
            assert forbidden not in script, name
    verifier = rendering.STATIC_FILES["verify.js"].content.decode()
    assert "import" not in verifier.replace("importKey", "")
