"""What a newcomer sees and pastes after the first start."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import curl
from tests.cli import running_command
from tests.cli.running_command import Started
from tests.promises import proves

PASTE_S_MAX = 60.0


def pasted(line: str, home: Path) -> str:
    """What lines for a shell print; `python3` is ours, which has the SDKs."""
    path = f"{Path(sys.executable).parent}:{curl.on_path(home / 'curl')}"
    done = subprocess.run(
        ("/bin/sh", "-c", line),
        env=running_command.environment(home, {"PATH": path}),
        capture_output=True,
        text=True,
        check=True,
        timeout=PASTE_S_MAX,
    )
    return done.stdout


@proves("start-needs-nothing")
def test_the_first_line_pasted_is_answered_by_a_real_model(
    demo_server: Started, tmp_path: Path
) -> None:
    (line,) = demo_server.section("A first answer")
    body = json.loads(pasted(line, tmp_path))
    assert body["choices"][0]["message"]["content"]
    assert body["ainfera"]["provider"] == "local"


def test_the_same_with_a_floor_is_refused_and_names_every_candidate(
    demo_server: Started, tmp_path: Path
) -> None:
    (line,) = demo_server.section("The same with a floor of 0.50")
    detail = json.loads(pasted(line, tmp_path))["detail"]
    assert detail["code"] == "no_candidate_clears_floor"
    assert [one["drop_reason"] for one in detail["candidates"]] == ["below_quality_floor"]


@pytest.mark.parametrize("title", ["OpenAI SDK", "Anthropic SDK"])
def test_the_lines_for_an_sdk_print_an_answer(
    demo_server: Started, tmp_path: Path, title: str
) -> None:
    assert pasted("\n".join(demo_server.section(title)), tmp_path).strip()


def test_the_whole_of_what_is_printed_for_the_sdks_is_for_one_shell(demo_server: Started) -> None:
    for title in ("OpenAI SDK; needs: pip install openai", "Anthropic SDK; needs: pip install"):
        first, *_, last = demo_server.section(title)
        assert (first, last) == ("python3 - <<'EOF'", "EOF")


def test_claude_code_is_pointed_at_the_server_without_v1(demo_server: Started) -> None:
    assert demo_server.section("Claude Code") == (
        f"export ANTHROPIC_BASE_URL={demo_server.url}",
        f'export ANTHROPIC_AUTH_TOKEN="{demo_server.api_key}"',
        "export ANTHROPIC_MODEL=ainfera-inference",
        "claude",
    )


def test_what_is_printed_into_a_file_has_no_colour_and_no_line_breaks_in_keys(
    demo_server: Started,
) -> None:
    assert not any("\x1b" in line for line in demo_server.welcome)
    assert len([line for line in demo_server.welcome if demo_server.api_key in line]) == 6


def test_the_addresses_of_the_table_answer(demo_server: Started, tmp_path: Path) -> None:
    assert json.loads(pasted(f"curl -s {demo_server.row('Health')}", tmp_path))["status"] == "ok"
    assert json.loads(pasted(f"curl -s {demo_server.row('API')}", tmp_path))["openapi"]
    assert "<title>" in pasted(f"curl -sL {demo_server.row('Dashboard')}", tmp_path)
    verified = json.loads(pasted(f"curl -s {demo_server.row('Its audit trail')}", tmp_path))
    assert verified["valid"] is True


@proves("loopback-unless-told")
def test_the_server_listens_on_one_address_of_loopback(demo_server: Started) -> None:
    port = urlsplit(demo_server.url).port
    assert port is not None
    assert running_command.listens(port)
    # Whoever listens everywhere also answers here.
    assert not running_command.listens(port, "127.0.0.2")


@proves("keys-cannot-be-read-back")
def test_the_key_is_in_no_file_of_the_data_folder(demo_server: Started) -> None:
    secret = demo_server.secret.encode()
    files = [path for path in demo_server.data_dir.rglob("*") if path.is_file()]
    assert [path for path in files if secret in path.read_bytes()] == []
    assert any(path.name == "PG_VERSION" for path in files)


def test_the_data_folder_is_for_its_owner_alone(demo_server: Started) -> None:
    assert demo_server.data_dir.stat().st_mode & 0o077 == 0
    ours = [path for path in demo_server.data_dir.rglob("*") if path.is_file()]
    assert [path for path in ours if path.stat().st_mode & 0o077] == []
    names = {path.name for path in ours}
    assert names >= {"secret", "running.json", "local-model.log", "server.log"}


def test_a_request_without_an_end_to_its_headers_is_cut_off(demo_server: Started) -> None:
    address = urlsplit(demo_server.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 200_000)
        assert connection.recv(64).startswith(b"HTTP/1.1 431 ")
