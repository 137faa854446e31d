"""What a start prints, on a terminal and into a file."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

from ainfera_server.cli import welcome
from ainfera_server.cli.first_start import Demo
from ainfera_server.cli.welcome import Welcome
from ainfera_server.identifiers import AgentId

KEY = f"ainfera_0123456789abcdef_{'k' * 43}"
AGENT_ID = AgentId(UUID(int=7))
READ_S_MAX = 30


def welcome_with(api_key: str | None) -> Welcome:
    """A welcome in which everything is there."""
    return Welcome(
        url="http://127.0.0.1:8080",
        public_url=None,
        took_s=1.25,
        database="PostgreSQL 18.4, embedded",
        data_folder=Path("/var/lib/ainfera"),
        local_model="smollm2-135m-instruct, on this machine",
        providers=("openai",),
        demo=Demo(agent_id=AGENT_ID, api_key=api_key),
    )


def shown_on_a_terminal_of(columns: int) -> str:
    """What a terminal of so many columns is sent."""
    ours, theirs = os.openpty()
    script = (
        "from ainfera_server.cli import welcome; from tests.cli import test_welcome as told;"
        "welcome.show(told.welcome_with(told.KEY))"
    )
    process = subprocess.Popen(
        (sys.executable, "-c", script),
        stdout=theirs,
        env={"PATH": "/usr/bin:/bin", "TERM": "xterm", "COLUMNS": str(columns)},
    )
    os.close(theirs)
    chunks: list[bytes] = []
    try:
        while chunk := os.read(ours, 65_536):
            chunks.append(chunk)
    except OSError:  # How a terminal says that its other end is closed.
        pass
    finally:
        os.close(ours)
        process.wait(READ_S_MAX)
    return b"".join(chunks).decode()


def test_a_narrow_terminal_breaks_no_line_that_is_to_be_pasted() -> None:
    shown = shown_on_a_terminal_of(40).replace("\r\n", "\n")
    assert "\x1b[" in shown
    for section in welcome.sections(welcome_with(KEY)):
        assert "\n".join(section.lines) in shown


def test_a_later_start_names_the_variable_in_place_of_the_key() -> None:
    lines = "\n".join(welcome.plain(welcome_with(None)))
    assert "ainfera_0123" not in lines
    assert '-H "authorization: Bearer $AINFERA_API_KEY"' in lines
    assert 'api_key=os.environ["AINFERA_API_KEY"]' in lines
    assert "python3 - <<'EOF'\nimport os\n" in lines
    assert "`ainfera-server keys create` makes another" in lines


def test_a_welcome_does_not_show_its_key_when_it_is_logged() -> None:
    assert KEY not in repr(welcome_with(KEY))
