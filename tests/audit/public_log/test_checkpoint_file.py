"""A file of checkpoints holds whole notes only, in their order, whatever happened to it."""

import resource
from pathlib import Path

import pytest

from ainfera_server.audit.public_log import checkpoint_file, notes
from ainfera_server.audit.public_log.checkpoint_file import NotACheckpointFile
from ainfera_server.audit.public_log.notes import Checkpoint
from tests.audit.public_log import cosigning, logs

WITNESS = cosigning.Signing(name="witness.example", seed=b"w" * 32)


def note(size: int) -> bytes:
    checkpoint = Checkpoint(origin=logs.ORIGIN, size=size, root=bytes(32))
    line = WITNESS.cosignature(checkpoint.text, time_s=1).line
    return notes.signed(checkpoint, logs.SIGNER) + line.encode()


def test_checkpoints_follow_one_another(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints"
    assert checkpoint_file.last(file, origin=logs.ORIGIN) is None
    for size in (1, 5, 2**40):
        assert checkpoint_file.append(file, note(size))
        assert checkpoint_file.last(file, origin=logs.ORIGIN) == note(size)
    assert file.read_bytes() == note(1) + note(5) + note(2**40)


def test_one_that_comes_late_or_again_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints"
    assert checkpoint_file.append(file, note(7))
    for size in (7, 6):
        assert not checkpoint_file.append(file, note(size))
    assert file.read_bytes() == note(7)


def test_what_a_crash_left_half_written_is_cut_off(tmp_path: Path) -> None:
    """Wherever it was cut, but for a cut behind the log's own signature, which is a whole note."""
    file = tmp_path / "checkpoints"
    whole = len(note(2)) - len(note(2).splitlines(keepends=True)[-1])
    for length in range(0, len(note(2)), 7):
        for before in (b"", note(1)):
            file.write_bytes(before + note(2)[:length])
            assert checkpoint_file.append(file, note(3))
            left = note(2)[:whole] if length >= whole else b""
            assert file.read_bytes() in {before + note(3), before + left + note(3)}


@pytest.mark.parametrize(
    "content",
    [b"root:x:0:0\n", b"\n", note(1) + b"more\n", note(1).replace(b"ainfera", b"another"), b"x"],
)
def test_a_file_that_holds_something_else_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "checkpoints"
    file.write_bytes(content)
    with pytest.raises(NotACheckpointFile):
        checkpoint_file.append(file, note(2))
    assert file.read_bytes() == content


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """A limit of the process is as good as a full disk: the beginning of the note still fits."""
    file = tmp_path / "checkpoints"
    checkpoint_file.append(file, note(1))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(note(1)) + 20, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            checkpoint_file.append(file, note(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_bytes() == note(1)
    assert checkpoint_file.append(file, note(2))


def test_of_a_long_file_only_the_end_is_read(tmp_path: Path) -> None:
    file = tmp_path / "checkpoints"
    file.write_bytes(note(1) * 1_000 + note(2))
    assert file.stat().st_size > 2 * checkpoint_file.TAIL_BYTES
    assert checkpoint_file.append(file, note(3))
    assert checkpoint_file.last(file, origin=logs.ORIGIN) == note(3)
