"""The programs of the guide to verifying accept what a server says, and nothing changed."""

import hashlib
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ainfera_server.audit.evidence import exhibits, receipt_checks
from tests import lived_server
from tests.audit.evidence import evidence as evidence_files
from tests.audit.evidence import forgeries
from tests.conftest import Look
from tests.promises import proves
from tests.running_server import RunningServer
from tests.scripted_provider import ScriptedProvider

GUIDE = Path(__file__).parents[1].joinpath("docs", "guides", "verifying.md").read_text("utf-8")
WORDS, PROGRAM = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
PROGRAM_LINES_MAX = 200
STEPS = {"chain": 499, "bare chain": 997, "log": 197}
"""Primes, so that one thing or another is changed in each kind of place."""

STEP_IN_RECEIPTS = 797

Files = Mapping[str, bytes]
Ran = subprocess.CompletedProcess[str]


@pytest.fixture
def evidence(
    server: RunningServer, scripted_provider: ScriptedProvider, database: str, look: Look
) -> Files:
    """Every file that a server gives out about an agent."""
    lived_server.live(server, scripted_provider, database)
    rows = look("select receipt_id::text, body::json ->> 'outcome' as outcome from receipts")
    return lived_server.files(
        server, {f"{row['outcome']} {row['receipt_id']}": row["receipt_id"] for row in rows}
    )


@pytest.fixture
def verifier(tmp_path: Path, server: RunningServer) -> Path:
    """The program as a file, with the keys beside it."""
    program = tmp_path / "verifier.py"
    program.write_text(PROGRAM, encoding="utf-8")
    return program


@proves("tampering-is-named", "receipts-verify-without-us")
def test_the_program_of_the_guide_finds_everything_in_order(
    server: RunningServer, evidence: Files, verifier: Path, tmp_path: Path
) -> None:
    assert len(PROGRAM.splitlines()) <= PROGRAM_LINES_MAX
    keys = tmp_path / "keys.json"
    keys.write_bytes(lived_server.keys(server))
    assert len(evidence) == 3 + lived_server.RECEIPTS
    for content in evidence.values():
        file = tmp_path / "file.json"
        file.write_bytes(content)
        run = subprocess.run(
            (sys.executable, verifier, file, keys),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (run.stderr, run.returncode) == ("", 0)
        assert run.stdout == f"All holds in {json.loads(content)['format']}.\n"


@proves("tampering-is-named", "receipts-verify-without-us")
def test_one_changed_byte_of_any_file_is_found(
    server: RunningServer,
    evidence: Files,
    verifier: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys, file = tmp_path / "keys.json", tmp_path / "file.json"
    keys.write_bytes(lived_server.keys(server))
    monkeypatch.setattr(sys, "argv", [str(verifier), str(file), str(keys)])
    changed = 0
    for name, content in evidence.items():
        file.write_bytes(content)
        runpy.run_path(str(verifier))
        for position in places_to_change(content, STEPS.get(name, STEP_IN_RECEIPTS)):
            other = bytearray(content)
            other[position] ^= 1
            file.write_bytes(bytes(other))
            require_refused(verifier, name, content[max(position - 40, 0) : position + 40])
            changed += 1
    assert changed > 250


def run(verifier_program: Path, document: evidence_files.Document, home: Path) -> Ran:
    """Run the program on a file, with the keys of our made-up evidence."""
    file, keys = home / "file.json", home / "made_up_keys.json"
    file.write_text(json.dumps(document))
    (key,) = evidence_files.receipt_document(evidence_files.of(13), 0)["public_keys"]
    keys.write_text(json.dumps({"keys": [key], "log": {"verifier_key": evidence_files.LOG_KEY}}))
    return subprocess.run(
        (sys.executable, verifier_program, file, keys),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@proves("tampering-is-named")
def test_the_program_says_what_it_could_not_check_and_ends_without_a_traceback(
    tmp_path: Path,
) -> None:
    program = tmp_path / "verifier.py"
    program.write_text(PROGRAM, encoding="utf-8")
    whole = evidence_files.of(13)
    receipt, chain = evidence_files.receipt_document(whole, 0), evidence_files.chain_export(whole)
    assert run(program, receipt, tmp_path).stdout == f"All holds in {receipt['format']}.\n"
    unwritten = {**receipt["decision"], "snapshot": '{"forged":true}', "decision": None}
    done = run(program, {**receipt, "decision": unwritten}, tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith(f"What could be checked holds in {receipt['format']}; not che")
    assert "whose text is missing" in done.stdout
    payloads = [json.loads(one["payload"]) for one in chain["events"]]
    (debit, *_) = (one for one in payloads if one["event_type"] == "ledger.debited")
    unknown = {"inference_id": "none", "event_id": "another"}
    for odd in (
        forgeries.resigned(receipt, margin_rate="1e999999999"),
        forgeries.resigned(receipt, usage=["x"]),
        {**receipt, "signed_text": '{"a":' + "[" * 5_000 + "]" * 5_000 + "}"},
        forgeries.signed_anew(chain, [*payloads, payloads[4]]),
        forgeries.signed_anew(chain, [*payloads, {**debit, **unknown}]),
    ):
        done = run(program, odd, tmp_path)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


@pytest.mark.parametrize("path", ["/v1/inference", "/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("streams", ["whole", "streamed"])
def test_the_hashes_on_a_receipt_are_those_of_the_bytes_on_the_wire(
    server: RunningServer, tmp_path: Path, path: str, streams: str
) -> None:
    asked, answered = tmp_path / "request.json", tmp_path / "answer.json"
    asked.write_text(json.dumps(lived_server.ASKED | {"stream": streams == "streamed"}, indent=3))
    headers = {**server.agent.headers, "content-type": "application/json"}
    answer = httpx.post(server.url + path, content=asked.read_bytes(), headers=headers)
    assert answer.status_code == 200
    answered.write_bytes(answer.content)
    receipt = server.get("/v1/receipts/" + answer.headers["x-ainfera-receipt-id"]).json()
    salt = answer.headers["x-ainfera-content-salt"]
    assert hashes_of(tmp_path, salt, asked, answered) == [
        f"{receipt['prompt_hash']} {asked}",
        f"{receipt['response_hash']} {answered}",
    ]


def test_the_hash_on_the_receipt_of_a_refusal_is_that_of_what_was_asked(
    server: RunningServer, tmp_path: Path
) -> None:
    asked = tmp_path / "request.json"
    asked.write_text(json.dumps(lived_server.NEVER, indent=3))
    headers = {**server.agent.headers, "content-type": "application/json"}
    refused = httpx.post(f"{server.url}/v1/inference", content=asked.read_bytes(), headers=headers)
    assert refused.status_code == 422
    receipt = server.get("/v1/receipts/" + refused.headers["x-ainfera-receipt-id"]).json()
    salt = refused.headers["x-ainfera-content-salt"]
    assert hashes_of(tmp_path, salt, asked) == [f"{receipt['prompt_hash']} {asked}"]


def test_a_key_is_named_by_its_own_bytes(server: RunningServer) -> None:
    (key,) = json.loads(lived_server.keys(server))["keys"]
    public_key = serialization.load_pem_public_key(key["public_key_pem"].encode())
    assert isinstance(public_key, Ed25519PublicKey)
    assert hashlib.sha256(public_key.public_bytes_raw()).hexdigest()[:16] == key["kid"]


def test_every_member_of_a_file_and_of_a_receipt_is_on_the_page() -> None:
    structs = (
        exhibits.ReceiptEvidence,
        exhibits.ChainExport,
        exhibits.LogExport,
        exhibits.SignedEvent,
        exhibits.SignedText,
        exhibits.DecisionTexts,
        exhibits.Inclusion,
        exhibits.PublicKey,
    )
    named = {name for struct in structs for name in struct.__struct_fields__}
    missing = [name for name in named | receipt_checks.MEMBERS if name not in GUIDE]
    assert missing == []


def hashes_of(tmp_path: Path, salt: str, *files: Path) -> list[str]:
    """What the first program of the guide prints."""
    script = tmp_path / "words.py"
    script.write_text(WORDS)
    run = subprocess.run(
        (sys.executable, script, salt, *files),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return run.stdout.splitlines()


def require_refused(verifier: Path, name: str, near: bytes) -> None:
    """A program that ends with an error has found something; what can be no JSON too."""
    try:
        runpy.run_path(str(verifier))
    except (SystemExit, InvalidSignature, LookupError, ValueError, TypeError):
        return
    pytest.fail(f"nobody found the change in {name} near {near!r}")


def places_to_change(content: bytes, step: int) -> Iterator[int]:
    """Places all over a file, but for the address of a receipt's chain, which is not signed."""
    start = content.find(b'"audit_url"')
    skipped = range(start, content.find(b",", start)) if start >= 0 else range(0)
    yield from (one for one in range(0, len(content), step) if one not in skipped)
