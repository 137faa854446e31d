"""Write requirements.lock, and the same versions as the constraints in pyproject.toml.

`uv.lock` records the address each file was downloaded from, which is nobody else's business, so it
is not kept. The hashes are what matters: they are in requirements.lock, and the constraints make
every resolution arrive at the same versions.

`python scripts/lock.py` keeps the versions that still fit; `--upgrade` takes the newest.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = re.compile(r"^constraint-dependencies = \[\n(?:    .*\n)*\]\n", re.MULTILINE)
PINNED = re.compile(r"^(?P<requirement>[a-z0-9][^\\]*?) *\\?$", re.MULTILINE)
RESOLVE_TIMEOUT_S = 600


def main() -> None:
    """Resolve without the old constraints, beside the project, then write both files."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    with TemporaryDirectory() as folder:
        requirements = resolved(project, folder=Path(folder), options=sys.argv[1:])
    (ROOT / "requirements.lock").write_text(requirements, encoding="utf-8")
    (ROOT / "pyproject.toml").write_text(
        constrained(project, pinned(requirements)), encoding="utf-8"
    )


def resolved(project: str, *, folder: Path, options: list[str]) -> str:
    """Every distribution that any extra or group needs on any platform, with its hashes."""
    (folder / "pyproject.toml").write_text(constrained(project, ()), encoding="utf-8")
    if (ROOT / "uv.lock").exists():
        shutil.copy(ROOT / "uv.lock", folder)
    run(folder, "lock", *options)
    return run(folder, "export", "--frozen", "--no-emit-project", "--all-extras", "--no-header")


def pinned(requirements: str) -> tuple[str, ...]:
    """The requirements of a lock file without their hashes, in its order."""
    return tuple(found["requirement"] for found in PINNED.finditer(requirements))


def constrained(project: str, versions: tuple[str, ...]) -> str:
    """The text of pyproject.toml with exactly these constraints."""
    lines = "".join(f'    "{version}",\n' for version in versions)
    written, found = CONSTRAINTS.subn(f"constraint-dependencies = [\n{lines}]\n", project)
    assert found == 1, "pyproject.toml has one list of constraints, one to a line"
    return written


def run(folder: Path, *arguments: str) -> str:
    """Ask uv, which tells its children where it is."""
    uv = os.environ.get("UV", "uv")
    asked = subprocess.run(
        [uv, *arguments],
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=RESOLVE_TIMEOUT_S,
    )
    return asked.stdout


if __name__ == "__main__":
    main()
