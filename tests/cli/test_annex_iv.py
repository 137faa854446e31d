"""The operator exports an agent's record for auditors, as JSON and as a page."""

import json
import subprocess
from pathlib import Path

from tests.cli import running_command
from tests.cli.running_command import Started
from tests.cli.test_commands import signed_up
from tests.promises import proves


def annex_iv(
    demo_server: Started, home: Path, *arguments: str
) -> "subprocess.CompletedProcess[str]":
    """Run the command on the data folder of the shared server."""
    folder = {"AINFERA_DATA_DIR": str(demo_server.data_dir)}
    return running_command.run("audit", "annex-iv", *arguments, home=home, variables=folder)


@proves("annex-iv-readable")
def test_the_record_of_an_agent_is_printed_and_written_as_a_page(
    demo_server: Started, tmp_path: Path
) -> None:
    agent_id = signed_up(demo_server, "audited-agent")
    printed = annex_iv(demo_server, tmp_path, "somebody/audited-agent")
    assert printed.returncode == 0, printed.stderr
    document = json.loads(printed.stdout)
    assert document["agent"]["agent_id"] == agent_id
    assert document["audit_summary"]["valid"] is True
    page = tmp_path / "record.html"
    written = annex_iv(demo_server, tmp_path, agent_id, "--html", str(page))
    assert (written.returncode, written.stdout) == (0, "")
    assert "The record is whole." in page.read_text()


def test_the_record_of_nobody_is_not_written(demo_server: Started, tmp_path: Path) -> None:
    page = tmp_path / "record.html"
    done = annex_iv(demo_server, tmp_path, "nobody/at-all", "--html", str(page))
    assert (done.returncode, done.stderr) == (1, "ainfera-server: There is no such agent.\n")
    assert not page.exists()
