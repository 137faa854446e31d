"""Keeping files of a folder in its own git repository, with git's own command."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ainfera_server.cli.failures import Failure

TIMEOUT_S = 120.0
OF_ANOTHER_REPOSITORY = frozenset({"GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"})
"""Variables under which git, called from a hook, would work elsewhere."""

AUTHOR = (
    *("-c", "user.name=ainfera-server"),
    *("-c", "user.email=ainfera-server@localhost"),
    *("-c", "commit.gpgsign=false"),
)


def commit_and_push(folder: Path, *, names: Sequence[str], message: str) -> None:
    """Commit these files if they changed, and push what is not pushed yet. Raises Failure."""
    if not (folder / ".git").exists():
        _git(folder, "init", "--quiet")
    _git(folder, "add", "--", *names)
    if _git(folder, "status", "--porcelain", "--", *names):
        _git(folder, *AUTHOR, "commit", "--quiet", f"--message={message}", "--", *names)
    remote = _git(folder, "remote").split()
    if remote:
        _git(folder, "push", "--quiet", remote[0], "HEAD")


def _git(folder: Path, *arguments: str) -> str:
    program = shutil.which("git")
    if program is None:
        raise Failure("There is no git here. Install it, or leave --git away.")
    try:
        done = subprocess.run(  # noqa: S603 (a fixed command; no text goes through a shell)
            (program, "-C", str(folder), *arguments),
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
            text=True,
        )
    except subprocess.CalledProcessError as problem:
        words = " ".join(str(problem.stderr).split())
        raise Failure(f"git cannot do its part in {str(folder)!r}: {words}") from problem
    except subprocess.TimeoutExpired as problem:
        raise Failure(f"git takes longer than {TIMEOUT_S:.0f} s in {str(folder)!r}.") from problem
    return done.stdout


def _environment() -> dict[str, str]:
    """Ours, but for another repository, and without anybody to ask for a password."""
    kept = {name: text for name, text in os.environ.items() if name not in OF_ANOTHER_REPOSITORY}
    return {**kept, "GIT_TERMINAL_PROMPT": "0"}
