"""Command-line tools as their makers publish them, installed from npm into a folder of their own.

Node and npm have to be there; whose registry is asked is npm's own configuration.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

INSTALL_S_MAX = 600.0


class NotInstalled(RuntimeError):
    """npm is not there, or did not install what it was asked for; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """An installed command."""

    package: str
    version: str
    command: Path


def installed(package: str, command: str, folder: Path, *, version: str = "latest") -> Tool:
    """Install a package. A name of a release is made a version: npm itself may choose an older one.

    Raises NotInstalled.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstalled("npm is not installed; it comes with Node.js.")
    said = _run((npm, "view", f"{package}@{version}", "version", "--json"), folder)
    exact = json.loads(said)
    newest = exact[-1] if isinstance(exact, list) else exact
    # Which Node.js a release asks for is a warning: the tools bring what they run on.
    asked = (npm, "install", "--prefix", str(folder), "--no-save", f"{package}@{newest}")
    _run(asked, folder)
    return Tool(
        package=package,
        version=str(newest),
        command=folder / "node_modules" / ".bin" / command,
    )


def _run(command: tuple[str, ...], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=INSTALL_S_MAX
    )
    if done.returncode:
        raise NotInstalled(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return done.stdout
