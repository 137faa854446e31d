"""`ainfera-server verify`: a line for each check, and an exit code that a script can go by."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from ainfera_server.audit.evidence import exhibits
from ainfera_server.cli import main
from tests.audit.evidence import evidence, mutations
from tests.audit.evidence.evidence import Document
from tests.cli import running_command
from tests.promises import proves

WHOLE = evidence.of(13)
KEYS = {
    "keys": [
        {
            "kid": evidence.SIGNER.key_id,
            "alg": "Ed25519",
            "public_key_pem": evidence.SIGNER.public_key_pem,
        }
    ],
    "log": {"origin": evidence.ORIGIN, "verifier_key": evidence.LOG_KEY},
}
FILES: dict[str, Document] = {
    "chain": evidence.chain_export(WHOLE),
    "receipt": evidence.receipt_document(WHOLE, 1),
    "log": evidence.log_export(WHOLE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command printed, and its exit code."""

    lines: list[str]
    complaint: str
    exit_code: int


Verify = Callable[..., Said]


@pytest.fixture
def verify(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Verify:
    """Run the command on a file with this content."""

    def run(content: bytes, *options: str) -> Said:
        file = tmp_path / "evidence.json"
        file.write_bytes(content)
        monkeypatch.setattr(sys, "argv", ["ainfera-server", "verify", str(file), *options])
        with pytest.raises(SystemExit) as ended:
            main.main()
        printed = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int), "an exit code is a number"
        return Said(lines=printed.out.splitlines(), complaint=printed.err, exit_code=code)

    return run


@pytest.fixture
def keys(tmp_path: Path) -> str:
    """The server's document of keys as a file."""
    file = tmp_path / "keys.json"
    file.write_bytes(orjson.dumps(KEYS))
    return str(file)


@proves("receipts-verify-without-us")
@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_holds_says_so_check_by_check(verify: Verify, keys: str, kind: str) -> None:
    said = verify(orjson.dumps(FILES[kind]), "--key", keys)
    assert (said.exit_code, said.complaint) == (0, "")
    assert said.lines[-1].startswith("Nothing is wrong with the ")
    assert all(line.startswith("holds  ") for line in said.lines[:-1])
    assert "came from the file" not in "\n".join(said.lines)


@proves("evidence-travels")
def test_the_command_works_in_a_process_of_its_own_with_nothing_else_there(tmp_path: Path) -> None:
    file = tmp_path / "chain.json"
    file.write_bytes(orjson.dumps(FILES["chain"]))
    done = running_command.run("verify", str(file), home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"sha256:{'0' * 64}" not in done.stdout
    assert "they came from the file itself" in done.stdout
    assert sorted(tmp_path.iterdir()) == [file], "it writes nothing"


@proves("tampering-is-named", "evidence-travels")
@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
def test_the_first_bad_record_is_named_with_the_reason_and_exit_code_4(
    verify: Verify, keys: str, *, as_json: bool
) -> None:
    events = [dict(one) for one in FILES["chain"]["events"]]
    events[6]["payload"] = events[6]["payload"].replace("inference", "inferense", 1)
    content = orjson.dumps({**FILES["chain"], "events": events})
    said = verify(content, "--key", keys, *(["--json"] if as_json else []))
    assert said.exit_code == 4
    assert "event 7: its hash is not that of its text" in said.complaint
    if as_json:
        checks = [json.loads(line) for line in said.lines]
        assert [(one["name"], one["state"]) for one in checks] == [
            ("keys", "holds"),
            ("events", "fails"),
        ]
        assert (checks[1]["count"], checks[1]["place"], checks[1]["record"]) == (6, 7, "event 7")
    else:
        assert "FAILS  events                 6 events  event 7: " in said.lines[1]


@proves("tampering-is-named")
def test_a_chain_is_counted_in_the_log_that_is_given(
    verify: Verify, keys: str, tmp_path: Path
) -> None:
    log = tmp_path / "log.json"
    log.write_bytes(orjson.dumps(FILES["log"]))
    said = verify(orjson.dumps(FILES["chain"]), "--key", keys, "--log", str(log))
    assert said.exit_code == 0
    assert "holds  counted in the log     13 events" in said.lines
    other = evidence.chain_export(evidence.of(5))
    said = verify(orjson.dumps(other), "--key", keys, "--log", str(log))
    assert said.exit_code == 4
    said = verify(orjson.dumps(FILES["receipt"]), "--key", keys, "--log", str(log))
    assert (said.exit_code, said.lines) == (2, [])


def test_the_last_line_says_how_many_checks_could_not_be_made(verify: Verify, keys: str) -> None:
    receipt = FILES["receipt"]
    unwritten = {**receipt["decision"], "decision": None}
    said = verify(orjson.dumps({**receipt, "decision": unwritten}), "--key", keys)
    assert (said.exit_code, said.complaint) == (0, "")
    assert "open   decision               0 decisions  cannot be checked: " in said.lines[-3]
    assert said.lines[-1].startswith(
        "Nothing is wrong in what could be checked; 2 checks could not be made: decision, decision"
        " made again. This is the receipt "
    )
    unproven = {"inclusion": None, "inclusion_pending": exhibits.NOT_COVERED_YET}
    said = verify(orjson.dumps({**receipt, **unproven}), "--key", keys)
    assert "; 1 check could not be made: inclusion in the log. " in said.lines[-1]


def test_the_age_of_a_file_is_printed(verify: Verify, keys: str) -> None:
    said = verify(orjson.dumps(FILES["chain"]), "--key", keys)
    printed = "\n".join(said.lines)
    assert "13 events  exported at 2026-01-02T03:04:05.000006Z" in printed
    assert "13 events  by a checkpoint of the log with 26 entries" in printed


TERMINAL = "\x1b[2J\x1b[Hholds\r\nNothing is wrong\x9b8m\u202e"


@proves("tampering-is-named")
@pytest.mark.parametrize("name", ["receipt_id", TERMINAL])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_nothing_in_a_file_commands_the_terminal(
    verify: Verify, name: str, options: tuple[str, ...]
) -> None:
    said = verify(orjson.dumps({**FILES["receipt"], name: TERMINAL}), *options)
    assert said.exit_code == 4
    assert said.complaint.count("\n") == 1
    for line in (*said.lines, said.complaint.removesuffix("\n")):
        assert line.isascii()
        assert line.isprintable()


@pytest.mark.parametrize("kind", ["pipe", "device", "directory"])
def test_what_is_no_regular_file_is_wrong_usage(tmp_path: Path, kind: str) -> None:
    named = {"pipe": tmp_path / "pipe", "device": Path("/dev/zero"), "directory": tmp_path}[kind]
    os.mkfifo(tmp_path / "pipe")
    file = tmp_path / "chain.json"
    file.write_bytes(orjson.dumps(FILES["chain"]))
    for arguments in ((named,), (file, "--key", named), (file, "--log", named)):
        done = running_command.run("verify", *map(str, arguments), home=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"ainfera-server: {named}: not a regular file.\n"


def test_keys_are_given_as_files_or_as_text(verify: Verify, tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    pem.write_text(evidence.SIGNER.public_key_pem)
    content = orjson.dumps(FILES["chain"])
    said = verify(content, "--key", str(pem), "--key", evidence.LOG_KEY)
    assert said.exit_code == 0
    assert "came from the file" not in said.lines[0]
    only_log = verify(content, "--key", evidence.LOG_KEY)
    assert "came from the file itself" in only_log.lines[0]
    assert evidence.LOG_KEY not in only_log.lines[0]
    pem.write_text(mutations.FORGER.public_key_pem)
    assert verify(content, "--key", str(pem)).exit_code == 4


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[1]", "no JSON object"),
        (b"{}", "does not say what it is"),
        (b'{"format":7}', "no format that this version knows"),
        (b'{"format":"ainfera.chain-export/9"}', "no format that this version knows"),
        (orjson.dumps(FILES["chain"])[:-20], "no JSON"),
        (b'{"format":"\\ud800"}', "no JSON"),
    ],
)
def test_what_is_no_evidence_is_wrong_usage(verify: Verify, content: bytes, reason: str) -> None:
    said = verify(content)
    assert (said.exit_code, said.lines) == (2, [])
    assert reason in said.complaint
    assert said.complaint.count("\n") == 1


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"events": 7}, "events"),
        ({"events": [7]}, "events[0]"),
        ({"end": None}, "end"),
        ({"log_keys": ["x"]}, "a key of the log"),
        ({"public_keys": [{"kid": "x", "alg": "Ed25519", "public_key_pem": "x"}]}, "key x"),
        ({"inclusion_seq": -1}, "the inclusion proof"),
        ({"agent_id": "nobody"}, "event 1"),
        ({"more": 1}, "the file"),
        ({"receipts": None}, "receipt 1"),
    ],
)
def test_a_file_that_is_not_whole_is_told_where(
    verify: Verify, changed: Document, where: str
) -> None:
    said = verify(orjson.dumps({**FILES["chain"], **changed}))
    assert said.exit_code == 4
    assert f"{where}: " in said.complaint
    assert "Traceback" not in said.complaint


def test_a_name_that_stands_twice_in_an_object_is_found(verify: Verify) -> None:
    content = orjson.dumps(FILES["chain"]).replace(b'{"format"', b'{"agent_id":"x","format"', 1)
    said = verify(content)
    assert said.exit_code == 4
    assert "the name 'agent_id' twice" in said.complaint


@pytest.mark.parametrize(
    "options",
    [
        ("--key", "/nowhere/key.pem"),
        ("--key", "nobody+00000000+AAAA"),
        ("--key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
        ("--log", "/nowhere/log.json"),
        ("--nonsense",),
    ],
)
def test_keys_and_logs_that_are_none_are_wrong_usage(
    verify: Verify, options: tuple[str, ...]
) -> None:
    said = verify(orjson.dumps(FILES["chain"]), *options)
    assert (said.exit_code, said.lines) == (2, [])


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    done = running_command.run("verify", str(tmp_path / "nothing.json"), home=tmp_path)
    assert done.returncode == 2
    assert "No such file" in done.stderr
