"""Checkpoints are C2SP's signed notes: others' examples are read, and nothing malformed is."""

import base64
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server.audit import signing
from ainfera_server.audit.public_log import notes
from ainfera_server.audit.public_log.notes import Checkpoint, NotACheckpoint, NotAVerifierKey
from tests.audit.public_log import cosigning

GO_CHECKSUM_DATABASE = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdng"
    "otpRZb6KE6RyyBwJnAM=\n"
)
"""The examples of Go's `sumdb/note`, from which C2SP's signed note was made."""

ORIGIN = "ainfera.example/log"
LOG = signing.signer(b"l" * 32)
LOG_KEY = notes.log_key(ORIGIN, LOG).text
CHECKPOINT = Checkpoint(origin=ORIGIN, size=20852163, root=bytes(range(32)))
NOTE = notes.signed(CHECKPOINT, LOG)
WITNESS = cosigning.Signing(name="witness.example/w1", seed=b"w" * 32)


def test_others_verifier_keys_are_read_and_written_the_same() -> None:
    for text in (GO_CHECKSUM_DATABASE, PETER):
        key = notes.read_verifier_key(text)
        assert key.kind == notes.ED25519
        assert key.text == text


def test_the_example_of_go_is_read_and_its_signature_holds() -> None:
    note = notes.read_note(PETERS_NOTE.encode())
    (signature,) = note.signatures
    key = notes.read_verifier_key(PETER)
    assert (signature.name, signature.key_id) == (key.name, key.key_id)
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature.octets, note.text.encode())
    assert note.octets == PETERS_NOTE.encode()


def test_a_checkpoint_is_three_lines_and_a_signature() -> None:
    origin, size, root, blank, signature, end = NOTE.decode().split("\n")
    assert (origin, size, blank, end) == (ORIGIN, "20852163", "", "")
    assert base64.b64decode(root) == CHECKPOINT.root
    mark, name, octets = signature.split(" ")
    assert (mark, name) == ("\u2014", ORIGIN)
    assert base64.b64decode(octets)[:4] == notes.read_verifier_key(LOG_KEY).key_id


def test_a_checkpoint_that_its_log_signed_is_read_back() -> None:
    signed = notes.read_checkpoint(NOTE, verifier_keys=(LOG_KEY,))
    assert (signed.checkpoint, signed.cosignatures, signed.note) == (CHECKPOINT, (), NOTE)


def test_signatures_of_strangers_are_carried_and_those_of_witnesses_are_read() -> None:
    stranger = cosigning.Signing(name="stranger.example", seed=b"s" * 32)
    text = CHECKPOINT.text
    note = NOTE + b"".join(
        one.cosignature(text, time_s=1679315147).line.encode() for one in (stranger, WITNESS)
    )
    signed = notes.read_checkpoint(note, verifier_keys=(LOG_KEY, WITNESS.verifier_key))
    (cosignature,) = signed.cosignatures
    assert (cosignature.witness, cosignature.time_s) == (WITNESS.name, 1679315147)
    assert signed.note == note
    assert len(notes.read_note(note).signatures) == 3


def test_a_wrong_signature_by_a_known_key_spoils_the_note() -> None:
    other = replace(CHECKPOINT, size=7)
    wrong = WITNESS.cosignature(other.text, time_s=5).line.encode()
    with pytest.raises(NotACheckpoint, match=r"signature of 'witness.example/w1' is wrong"):
        notes.read_checkpoint(NOTE + wrong, verifier_keys=(LOG_KEY, WITNESS.verifier_key))
    assert notes.read_checkpoint(NOTE + wrong, verifier_keys=(LOG_KEY,))


def test_a_witness_alone_does_not_make_a_checkpoint_the_logs() -> None:
    line = WITNESS.cosignature(CHECKPOINT.text, time_s=5)
    note = notes.Note(text=CHECKPOINT.text, signatures=(line,)).octets
    with pytest.raises(NotACheckpoint, match="no known key"):
        notes.read_checkpoint(note, verifier_keys=(LOG_KEY, WITNESS.verifier_key))


def test_another_logs_key_does_not_sign_for_this_one() -> None:
    other = notes.log_key("other.example/log", LOG)
    line = notes.Signature(
        name=other.name, key_id=other.key_id, octets=LOG.sign(CHECKPOINT.text.encode())
    )
    note = notes.Note(text=CHECKPOINT.text, signatures=(line,)).octets
    with pytest.raises(NotACheckpoint, match="no known key"):
        notes.read_checkpoint(note, verifier_keys=(LOG_KEY, other.text))


def test_a_note_with_any_one_bit_changed_is_refused() -> None:
    for bit in range(len(NOTE) * 8):
        octets = bytearray(NOTE)
        octets[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NotACheckpoint):
            notes.read_checkpoint(bytes(octets), verifier_keys=(LOG_KEY,))


def test_a_note_that_is_cut_off_anywhere_is_refused() -> None:
    for length in range(len(NOTE)):
        with pytest.raises(NotACheckpoint):
            notes.read_checkpoint(NOTE[:length], verifier_keys=(LOG_KEY,))


@given(st.binary(max_size=200))
def test_whatever_is_no_note_is_refused_and_nothing_else_happens(octets: bytes) -> None:
    with pytest.raises(NotACheckpoint):
        notes.read_checkpoint(octets, verifier_keys=(LOG_KEY,))


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n1\n",
        f"{ORIGIN}\n01\n{'A' * 43}=\n",
        f"{ORIGIN}\n+1\n{'A' * 43}=\n",
        f"{ORIGIN}\n-1\n{'A' * 43}=\n",
        f"{ORIGIN}\n1 \n{'A' * 43}=\n",
        f"{ORIGIN}\n\u0661\n{'A' * 43}=\n",
        f"{ORIGIN}\n{2**63}\n{'A' * 43}=\n",
        f"{ORIGIN}\n1\n{'A' * 42}B=\n",
        f"{ORIGIN}\n1\n{'A' * 43}\n",
        f"{ORIGIN}\n1\nAAAA\n",
        f"{ORIGIN}\n1\n{'A' * 43}=\nextension\n",
        f"\n1\n{'A' * 43}=\n",
        f"a b\n1\n{'A' * 43}=\n",
        f"a+b\n1\n{'A' * 43}=\n",
        f"{ORIGIN}\n1\n{'A' * 43}=",
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NotACheckpoint):
        notes.read_text(text)


@pytest.mark.parametrize(
    "note",
    [
        NOTE.replace(b"\n\n", b"\n"),
        NOTE.replace(b"\xe2\x80\x94", b"-"),
        NOTE.replace(b"\n", b"\r\n"),
        NOTE + b"\n",
        NOTE + b"more\n",
        NOTE + b"\xe2\x80\x94 name\n",
        NOTE + b"\xe2\x80\x94 name AAAA\n",
        NOTE + b"\xe2\x80\x94  AAAAAAAA\n",
        NOTE + b"\xe2\x80\x94 name AAAAAAAA \n",
        NOTE + b"\xe2\x80\x94 name AAAAAAAA\n" * notes.SIGNATURES_MAX,
        NOTE + b" " * notes.NOTE_BYTES_MAX,
        NOTE + b"\xff\n",
        b"\x00" + NOTE,
    ],
)
def test_a_note_out_of_form_is_refused(note: bytes) -> None:
    with pytest.raises(NotACheckpoint):
        notes.read_checkpoint(note, verifier_keys=(LOG_KEY,))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("c74f20a3", "C74F20A3"),
        PETER[:-1],
        PETER + "=",
        PETER.replace("Peter", "Paul"),
        PETER.replace("+ARpc", "+CRpc"),
        " " + PETER,
        f"+{PETER.partition('+')[2]}",
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(NotAVerifierKey):
        notes.read_verifier_key(text)


def test_a_cosignature_covers_its_time_and_is_bound_to_its_witness() -> None:
    line = WITNESS.cosignature(CHECKPOINT.text, time_s=1000)
    key = notes.read_verifier_key(WITNESS.verifier_key)
    assert notes.verified_cosignature(line, key=key, text=CHECKPOINT.text).time_s == 1000
    later = (1001).to_bytes(8, "big") + line.octets[8:]
    for wrong in (
        replace(line, octets=later),
        replace(line, octets=line.octets[:-1]),
        replace(line, octets=line.octets[8:]),
        replace(line, name="another"),
    ):
        with pytest.raises(NotACheckpoint):
            notes.verified_cosignature(wrong, key=key, text=CHECKPOINT.text)
    with pytest.raises(NotACheckpoint, match="not by the witness"):
        notes.verified_cosignature(line, key=notes.read_verifier_key(LOG_KEY), text=CHECKPOINT.text)
