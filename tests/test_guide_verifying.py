"""The program of the guide to verifying accepts what a server says, and nothing changed."""

import hashlib
import io
import json
import re
import runpy
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.promises import proves
from tests.running_server import RunningServer
from tests.scripted_provider import ScriptedProvider

GUIDE = Path(__file__).parents[1].joinpath("docs", "guides", "verifying.md").read_text("utf-8")
WORDS, PROGRAM = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
PROGRAM_LINES_MAX = 100
FIRST_UPSTREAM = "mistral-large-2512"
"""What the first choice is called by its provider."""
QUESTION = {"role": "user", "content": "Grüße, ☃ and \U0001f600."}
STEP_IN_EVENTS, STEP_IN_RECEIPTS, STEP_IN_DECISIONS = 37, 29, 499
"""Primes, so that one event or another is changed in each kind of place."""

Answers = Mapping[str, bytes]
"""What the server says, by path."""


@pytest.fixture
def verifier(tmp_path: Path) -> Path:
    """The program as a file."""
    program = tmp_path / "verify.py"
    program.write_text(PROGRAM, encoding="utf-8")
    return program


@pytest.fixture(autouse=True)
def environment(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the guide tells its reader to set."""
    monkeypatch.setenv("AINFERA_BASE_URL", server.url)
    monkeypatch.setenv("AINFERA_API_KEY", server.agent.api_key)
    monkeypatch.setenv("AINFERA_AGENT_ID", server.agent.agent_id)


@proves("tampering-is-named", "receipts-verify-without-us")
def test_the_program_of_the_guide_finds_everything_in_order(
    server: RunningServer, scripted_provider: ScriptedProvider, verifier: Path
) -> None:
    assert len(PROGRAM.splitlines()) <= PROGRAM_LINES_MAX
    live(server, scripted_provider)
    run = subprocess.run(
        (sys.executable, verifier), capture_output=True, text=True, check=False, timeout=60
    )
    events = server.get(f"/v1/audit/{server.agent.agent_id}").json()["events"]
    assert (run.stderr, run.returncode) == ("", 0)
    assert run.stdout == f"All holds: {len(events)} events, 4 lines of the ledger.\n"


@proves("tampering-is-named", "receipts-verify-without-us")
def test_one_changed_byte_of_an_event_a_receipt_or_a_decision_is_found(
    server: RunningServer,
    scripted_provider: ScriptedProvider,
    verifier: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live(server, scripted_provider)
    said = recorded(verifier, monkeypatch)
    require_accepted(said, verifier, monkeypatch)
    changed = 0
    for path, answer in said.items():
        for position in places_to_change(path, answer):
            other = bytearray(answer)
            other[position] ^= 1
            require_refused({**said, path: bytes(other)}, verifier, monkeypatch, path, position)
            changed += 1
    assert changed > len(said)


@pytest.mark.parametrize("place", [0, 5, -1])
def test_an_event_that_is_left_out_is_found(
    server: RunningServer,
    scripted_provider: ScriptedProvider,
    verifier: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: int,
) -> None:
    live(server, scripted_provider)
    said = recorded(verifier, monkeypatch)
    path = next(one for one in said if one.endswith("since_seq=0"))
    chain = json.loads(said[path])
    last = len(chain["events"])
    del chain["events"][place]
    shorter = {
        **said,
        path: json.dumps(chain).encode(),
        path.replace("since_seq=0", f"since_seq={last - 1}"): b'{"events": []}',
    }
    require_refused(shorter, verifier, monkeypatch, path, place)


@pytest.mark.parametrize("path", ["/v1/inference", "/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("streams", ["whole", "streamed"])
def test_the_hashes_on_a_receipt_are_those_of_the_bytes_on_the_wire(
    server: RunningServer, tmp_path: Path, path: str, streams: str
) -> None:
    asked, answered = tmp_path / "request.json", tmp_path / "answer.json"
    body = {"model": "ainfera-inference", "max_tokens": 50, "messages": [QUESTION]}
    asked.write_text(json.dumps(body | {"stream": streams == "streamed"}, indent=3))
    headers = {**server.agent.headers, "content-type": "application/json"}
    answer = httpx.post(server.url + path, content=asked.read_bytes(), headers=headers)
    assert answer.status_code == 200
    answered.write_bytes(answer.content)
    script = tmp_path / "words.py"
    script.write_text(WORDS)
    run = subprocess.run(
        (sys.executable, script, answer.headers["x-ainfera-content-salt"], asked, answered),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    receipt = server.get("/v1/receipts/" + answer.headers["x-ainfera-receipt-id"]).json()
    assert run.stdout.splitlines() == [
        f"{receipt['prompt_hash']} {asked}",
        f"{receipt['response_hash']} {answered}",
    ]


def test_a_key_is_named_by_its_own_bytes(server: RunningServer) -> None:
    (key,) = httpx.get(f"{server.url}/.well-known/ainfera-public-key.json").json()["keys"]
    public_key = serialization.load_pem_public_key(key["public_key_pem"].encode())
    assert isinstance(public_key, Ed25519PublicKey)
    assert hashlib.sha256(public_key.public_bytes_raw()).hexdigest()[:16] == key["kid"]


def live(server: RunningServer, provider: ScriptedProvider) -> None:
    """A pinned call, a routed one and one that has to go on to the next offer; a stream too."""
    body = {"model": "gpt-5-mini", "messages": [QUESTION], "max_tokens": 50}
    routed = body | {"model": "ainfera-inference"}
    assert server.post("/v1/chat/completions", body | {"stream": True}).status_code == 200
    assert server.post("/v1/inference", routed).status_code == 200
    provider.fails(status=500, model=FIRST_UPSTREAM)
    assert server.post("/v1/messages", routed).status_code == 200
    never = routed | {"routing_hint": {"budget_cap_usd": 0.0000001}}
    assert server.post("/v1/inference", never).status_code == 422


def recorded(verifier: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Everything that the program reads of a really running server."""
    said: dict[str, bytes] = {}
    asks = urllib.request.urlopen

    def listening(request: urllib.request.Request) -> io.BytesIO:
        with asks(request) as answer:
            said[request.selector] = answer.read()
        return io.BytesIO(said[request.selector])

    with monkeypatch.context() as patch:
        patch.setattr(urllib.request, "urlopen", listening)
        runpy.run_path(str(verifier))
    return said


def require_accepted(said: Answers, verifier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the program on answers that were recorded."""

    def replayed(request: urllib.request.Request) -> io.BytesIO:
        return io.BytesIO(said[request.selector])

    with monkeypatch.context() as patch:
        patch.setattr(urllib.request, "urlopen", replayed)
        runpy.run_path(str(verifier))


def require_refused(
    said: Answers, verifier: Path, monkeypatch: pytest.MonkeyPatch, path: str, position: int
) -> None:
    """A program that ends with an error has found something; what can be no JSON too."""
    try:
        require_accepted(said, verifier, monkeypatch)
    except (SystemExit, InvalidSignature, LookupError, ValueError):
        return
    near = said[path][max(position - 40, 0) : position + 40]
    pytest.fail(f"nobody found the change at {position} of {path}: {near!r}")


def places_to_change(path: str, answer: bytes) -> Iterator[int]:
    """Places in what is signed or hashed: not in the address of a receipt's chain."""
    if "/audit/" in path and "since_seq" in path:
        yield from range(answer.find(b"["), len(answer) - 1, STEP_IN_EVENTS)
    elif "/receipts/" in path:
        start = answer.find(b'"audit_url"')
        skipped = range(start, answer.find(b",", start))
        yield from (one for one in range(0, len(answer), STEP_IN_RECEIPTS) if one not in skipped)
    elif "/decision" in path:
        start, end = answer.find(b'"candidates"'), answer.find(b'"dashboard_candidates"')
        yield from range(start, end, STEP_IN_DECISIONS)
