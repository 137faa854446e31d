"""The root secret is made once, whole, for its owner alone; every key is derived from it."""

import hmac
import os
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ainfera_server import keyring
from ainfera_server.cli import data_folder
from ainfera_server.keyring import ROOT_BYTES, BadSecret
from ainfera_server.settings import Settings

ROOT = bytes(range(ROOT_BYTES))
roots = st.binary(min_size=ROOT_BYTES, max_size=ROOT_BYTES)

MAKE_WHEN_TOLD = """
import sys
from pathlib import Path
from ainfera_server import keyring
print("ready", flush=True)
sys.stdin.readline()
print(keyring.kept_root(Path(sys.argv[1])).hex())
"""
RACERS = 6
RACE_S_MAX = 30


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    made = keyring.kept_root(tmp_path)
    assert len(made) == ROOT_BYTES
    assert keyring.kept_root(tmp_path) == made
    assert keyring.parse_root((tmp_path / "secret").read_text()) == made


def test_two_folders_have_two_secrets(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert keyring.kept_root(tmp_path / "one") != keyring.kept_root(tmp_path / "two")


def test_only_its_owner_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keyring.kept_root(tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("left", [b"", b"c0ffee", b"00" * ROOT_BYTES + b"\n" + b"00"])
def test_what_a_dead_process_left_half_written_is_never_taken_for_the_secret(
    tmp_path: Path, left: bytes
) -> None:
    """Process ids come again, so the leftover may even have the name that we would take."""
    for process_id in (1, os.getpid()):
        (tmp_path / f"secret.{process_id}").write_bytes(left)
    made = keyring.kept_root(tmp_path)
    assert (tmp_path / "secret").read_text() == made.hex() + "\n"
    assert made != bytes(ROOT_BYTES)
    assert not (tmp_path / f"secret.{os.getpid()}").exists()


def test_processes_that_race_get_the_same_secret(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            (sys.executable, "-c", MAKE_WHEN_TOLD, str(tmp_path)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(RACERS)
    ]
    for one in racers:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in racers:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    told = {one.communicate(timeout=RACE_S_MAX)[0] for one in racers}
    assert told == {(tmp_path / "secret").read_text()}
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the secret must be 64 hex digits long"),
        ("00" * (ROOT_BYTES - 1), "the secret must be 64 hex digits long"),
        ("00" * (ROOT_BYTES + 1), "the secret must be 64 hex digits long"),
        ("0" * (2 * ROOT_BYTES - 1), "the secret is not written in hex digits"),
        ("correct horse battery staple", "the secret is not written in hex digits"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_without_showing_it(
    tmp_path: Path, text: str, sentence: str
) -> None:
    (tmp_path / "secret").write_text(text)
    with pytest.raises(BadSecret) as refused:
        keyring.kept_root(tmp_path)
    assert str(refused.value) == sentence
    assert (tmp_path / "secret").read_text() == text


@given(roots, st.sampled_from(["", "\n", "\r\n", "  "]))
def test_a_secret_is_read_as_people_write_it(root: bytes, ending: str) -> None:
    assert keyring.parse_root(root.hex() + ending) == root
    assert keyring.parse_root(root.hex().upper() + ending) == root


@given(roots, roots)
def test_every_key_is_another_one_and_another_root_changes_them_all(
    root: bytes, other: bytes
) -> None:
    keys = astuple(keyring.derived(root))
    assert len({root, *keys}) == len(keys) + 1
    assert keyring.derived(root) == keyring.derived(root)
    if root != other:
        assert not set(keys) & set(astuple(keyring.derived(other)))


def test_the_keys_of_a_root_never_change() -> None:
    """A version that derived others would lock everybody out."""
    assert keyring.derived(ROOT).api_key_pepper == expanded(b"ainfera api key pepper")
    assert keyring.derived(ROOT).sealing_key == expanded(b"ainfera sealing")
    assert keyring.derived(ROOT).signing_seed == expanded(b"ainfera event and receipt signatures")
    assert keyring.derived(ROOT).log_seed == expanded(b"ainfera public log checkpoints")


def expanded(label: bytes) -> bytes:
    """HKDF with SHA-256 for one block, by the letter of RFC 5869."""
    extracted = hmac.digest(bytes(32), ROOT, "sha256")
    return hmac.digest(extracted, label + b"\x01", "sha256")


def test_no_key_shows_in_the_text_form_of_a_keyring() -> None:
    keys = keyring.derived(ROOT)
    assert repr(keys) == "Keyring()"


def test_the_secret_of_the_environment_goes_before_that_of_the_folder(tmp_path: Path) -> None:
    kept = keyring.kept_root(tmp_path)
    of_folder = data_folder.keys(Settings(data_dir=tmp_path))
    of_environment = data_folder.keys(Settings(data_dir=tmp_path, secret=ROOT.hex()))
    assert of_folder == keyring.derived(kept)
    assert of_environment == keyring.derived(ROOT) != of_folder


def test_with_a_secret_in_the_environment_none_is_made_in_the_folder(tmp_path: Path) -> None:
    data_folder.keys(Settings(data_dir=tmp_path, secret=ROOT.hex()))
    assert list(tmp_path.iterdir()) == []
