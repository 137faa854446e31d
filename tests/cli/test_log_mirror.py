"""A mirror keeps what continues what it has, and exits with 4 when the log broke its word."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from ainfera_server.audit import signing
from ainfera_server.audit.public_log import merkle, notes
from ainfera_server.audit.public_log.notes import Checkpoint
from ainfera_server.cli import git_folder, log_mirror
from ainfera_server.cli.failures import FAILED, NOT_VERIFIED, WRONG_USAGE, Failure
from tests.audit.public_log import logs
from tests.cli import running_command
from tests.promises import proves
from tests.tidy import tree

GIT = shutil.which("git") or "git"


class ServedLog:
    """A log of some leaves, as a server would serve it, honest or not."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.leaves: list[bytes] = []
        self.signer = logs.SIGNER

    def grow(self, count: int, what: bytes = b"entry") -> None:
        """Add leaves."""
        first = len(self.leaves)
        self.leaves += [merkle.leaf_hash(what + b"%d" % n) for n in range(first, first + count)]

    def note(self) -> bytes:
        """What it signs now."""
        root = merkle.root(self.leaves)
        checkpoint = Checkpoint(origin=logs.ORIGIN, size=len(self.leaves), root=root)
        return notes.signed(checkpoint, self.signer)

    def answer(self, path: str) -> bytes:
        """The three things that a mirror asks for."""
        parts = urlsplit(path)
        match parts.path:
            case "/log/checkpoint":
                return self.note()
            case "/log/proof/consistency":
                asked = parse_qs(parts.query)
                leaves = self.leaves[: int(asked["new_size"][0])]
                proof = merkle.consistency_proof(leaves, old_size=int(asked["old_size"][0]))
                return json.dumps({"hashes": [one.hex() for one in proof]}).encode()
            case _:
                return json.dumps({"log": {"verifier_key": logs.VERIFIER_KEY}}).encode()


@pytest.fixture
def served() -> Iterator[ServedLog]:
    """A log on loopback with 300 leaves."""
    served = ServedLog()
    served.grow(300)

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = served.answer(self.path)
            self.send_response(200)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its own name)
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        served.url = f"http://127.0.0.1:{server.server_port}"
        yield served
        server.shutdown()
        thread.join()


def mirror(served: ServedLog, folder: Path, key: str | None = None) -> bool:
    """Run once; whether there was something new."""
    return log_mirror.brought_up_to_date(served.url, folder, key=key).is_new


def require_refused(served: ServedLog, folder: Path, words: str, *, exit_code: int) -> None:
    """The mirror refuses, says why, and keeps what it has."""
    file = folder / "checkpoints"
    before = file.read_bytes() if file.exists() else b""
    with pytest.raises(Failure, match=words) as refused:
        mirror(served, folder)
    assert refused.value.exit_code == exit_code
    assert (file.read_bytes() if file.exists() else b"") == before


def test_each_new_checkpoint_is_kept_behind_the_last(served: ServedLog, tmp_path: Path) -> None:
    folder = tmp_path / "mirror"
    expected = served.note()
    assert mirror(served, folder)
    assert not mirror(served, folder)
    for count in (1, 256, 1000):
        served.grow(count)
        expected += served.note()
        assert mirror(served, folder)
    assert (folder / "checkpoints").read_bytes() == expected
    assert (folder / "verifier-key").read_text() == logs.VERIFIER_KEY + "\n"


@proves("forks-are-found")
def test_a_log_that_shrank_is_found(served: ServedLog, tmp_path: Path) -> None:
    mirror(served, tmp_path)
    del served.leaves[-1]
    require_refused(served, tmp_path, "shrank: it had 300 .* 299 now", exit_code=NOT_VERIFIED)


@proves("forks-are-found")
def test_a_log_that_forked_is_found(served: ServedLog, tmp_path: Path) -> None:
    mirror(served, tmp_path)
    served.leaves[7] = merkle.leaf_hash(b"rewritten")
    require_refused(served, tmp_path, "The log forked", exit_code=NOT_VERIFIED)
    served.grow(500)
    require_refused(served, tmp_path, "The log forked", exit_code=NOT_VERIFIED)


def test_a_log_with_another_key_is_not_believed(served: ServedLog, tmp_path: Path) -> None:
    mirror(served, tmp_path)
    served.grow(5)
    served.signer = signing.signer(b"x" * 32)
    require_refused(served, tmp_path, "cannot be believed", exit_code=NOT_VERIFIED)
    other = notes.log_key(logs.ORIGIN, served.signer).text
    with pytest.raises(Failure, match="another is given") as refused:
        mirror(served, tmp_path, key=other)
    assert refused.value.exit_code == NOT_VERIFIED


def test_a_folder_that_somebody_changed_is_not_built_on(served: ServedLog, tmp_path: Path) -> None:
    mirror(served, tmp_path)
    file = tmp_path / "checkpoints"
    file.write_bytes(file.read_bytes().replace(b"\n300\n", b"\n299\n"))
    served.grow(5)
    require_refused(served, tmp_path, "last checkpoint .* believed", exit_code=NOT_VERIFIED)


def test_a_server_that_is_away_is_no_evidence(tmp_path: Path) -> None:
    nowhere = ServedLog(url="http://127.0.0.1:9")
    require_refused(nowhere, tmp_path, "does not answer", exit_code=FAILED)
    for url in ("ftp://example", "example", "http://", "http://a:b@example", "http://h:words"):
        require_refused(ServedLog(url=url), tmp_path, "--url", exit_code=WRONG_USAGE)


def command_of_the_guide(url: str) -> list[str]:
    """What docs/guides/log.md shows, with the test's own server; it keeps the log in `mirror`."""
    page = (tree.ROOT / "docs/guides/log.md").read_text(encoding="utf-8")
    (line,) = (one for one in page.splitlines() if one.startswith("ainfera-server log mirror"))
    return line.replace("https://api.ainfera.example", url).split()[1:]


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        (GIT, "-C", str(folder), *arguments), capture_output=True, check=True, text=True
    ).stdout


@proves("forks-are-found")
def test_the_command_commits_pushes_and_ends_with_4_when_the_log_forks(
    served: ServedLog, tmp_path: Path
) -> None:
    folder, remote = tmp_path / "mirror", tmp_path / "remote.git"
    ask = (*command_of_the_guide(served.url), "--json")
    done = running_command.run(*ask, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "origin": logs.ORIGIN,
        "size": 300,
        "root": merkle.root(served.leaves).hex(),
        "new": True,
    }
    git(tmp_path, "init", "--quiet", "--bare", str(remote))
    git(folder, "remote", "add", "origin", str(remote))
    served.grow(20)
    done = running_command.run(*ask, home=tmp_path)
    assert done.returncode == 0, done.stderr
    subjects = git(remote, "log", "--all", "--format=%s").splitlines()
    assert subjects == [f"{logs.ORIGIN} at 320", f"{logs.ORIGIN} at 300"]
    served.leaves[0] = bytes(32)
    done = running_command.run(*ask, home=tmp_path)
    assert done.returncode == NOT_VERIFIED
    assert done.stderr.startswith("ainfera-server: The log forked")
    assert git(folder, "status", "--porcelain") == ""


def test_git_that_cannot_push_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    git_folder.commit_and_push(tmp_path, names=("file",), message="first")
    git_folder.commit_and_push(tmp_path, names=("file",), message="nothing new")
    assert git(tmp_path, "log", "--format=%s").split("\n") == ["first", ""]
    git(tmp_path, "remote", "add", "origin", str(tmp_path / "nowhere"))
    with pytest.raises(Failure, match="git cannot do its part"):
        git_folder.commit_and_push(tmp_path, names=("file",), message="third")
