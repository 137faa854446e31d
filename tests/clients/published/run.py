"""The clients that vendors publish as commands, against a really running server: minutes.

    python -m tests.clients.published.run [--only claude-code] [--version 2.1.197] [--kept FOLDER]

Each is installed from npm into a temporary folder, or into one that is kept, and is run with no
network but loopback. A provider on loopback plays the vendors. Exit code 1 when anything was wrong.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.clients.published import claude_code, npm, scenario, stand
from tests.clients.published.npm import Tool
from tests.clients.published.scenario import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client, and everything that it is put through."""

    install: Callable[[Path, str], Tool]
    scenarios: tuple[Scenario, ...]


def _claude_code(folder: Path, version: str) -> Tool:
    return npm.installed(claude_code.PACKAGE, claude_code.COMMAND, folder, version=version)


CLIENTS: Mapping[str, Client] = {
    "claude-code": Client(install=_claude_code, scenarios=claude_code.SCENARIOS),
}


def main() -> None:
    """Install and run what was asked for, and print a table."""
    asked = argparse.ArgumentParser(prog="just clients", description=__doc__)
    asked.add_argument("--only", choices=sorted(CLIENTS), help="one client, and not all")
    asked.add_argument("--version", default="latest", help="which release to install")
    asked.add_argument("--kept", type=Path, help="a folder to install into, which stays")
    told = asked.parse_args()
    names: list[str] = [told.only] if told.only else sorted(CLIENTS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ainfera-clients-")))
        folder.chmod(0o711)  # The database runs as an account of its own.
        kept: Path = told.kept or folder / "npm"
        lines = [
            line
            for name in names
            for line in _lines(CLIENTS[name], kept / name, folder / name, told.version)
        ]
    sys.stdout.write(f"{scenario.table(lines)}\n")
    sys.exit(0 if all(line.is_well for line in lines) else 1)


def _lines(client: Client, tools: Path, folder: Path, version: str) -> list[scenario.Line]:
    tools.mkdir(parents=True, exist_ok=True)
    folder.mkdir()
    tool = client.install(tools, version)
    with stand.built(folder) as built:
        return [scenario.carried_out(tool, one, built) for one in client.scenarios]


if __name__ == "__main__":
    main()
