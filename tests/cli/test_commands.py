"""The commands beside `start`, on the database of a server that runs."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from ainfera_server.postgres import embedded
from tests.cli import running_command
from tests.cli.running_command import Started

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(demo_server: Started, tmp_path: Path) -> Command:
    """Run a command on the data folder of the shared server."""

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        folder = str(demo_server.data_dir)
        return running_command.run(
            *arguments, home=tmp_path, variables={"AINFERA_DATA_DIR": folder}
        )

    return run


def rows(done: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    """What a command printed as JSON lines."""
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def status_with(demo_server: Started, key: str) -> int:
    """What the server says to a key."""
    headers = {"authorization": f"Bearer {key}"}
    return httpx.get(f"{demo_server.url}/v1/agents", headers=headers, timeout=30).status_code


def signed_up(demo_server: Started, handle: str) -> str:
    """Another agent's id."""
    body = {"agent_handle": handle, "owner_handle": "somebody"}
    answer = httpx.post(f"{demo_server.url}/v1/agents/signup", json=body, timeout=30)
    assert answer.status_code == 201, answer.text
    return answer.json()["agent_id"]


def test_a_key_that_was_created_opens_until_it_is_revoked(
    demo_server: Started, command: Command
) -> None:
    (made,) = rows(command("keys", "create", "--name", "laptop", "--json"))
    assert status_with(demo_server, made["api_key"]) == 200

    (revoked,) = rows(command("keys", "revoke", made["key_id"], "--json"))
    assert revoked["revoked_at"] is not None
    (known,) = (
        one for one in rows(command("keys", "list", "--json")) if one["key_id"] == made["key_id"]
    )
    assert known == revoked


def test_a_created_key_is_printed_alone_for_a_shell(demo_server: Started, command: Command) -> None:
    key = command("keys", "create").stdout.removesuffix("\n")
    assert "\n" not in key
    assert status_with(demo_server, key) == 200


def test_a_key_for_an_agent_is_created_with_a_scope_that_the_list_shows(
    command: Command,
) -> None:
    (made,) = rows(command("keys", "create", "--scope", "inference", "--json"))
    scopes = {one["key_id"]: one["scope"] for one in rows(command("keys", "list", "--json"))}
    assert made["scope"] == scopes[made["key_id"]] == "inference"
    assert "owner" in scopes.values()


def test_the_list_of_keys_never_shows_a_key(demo_server: Started, command: Command) -> None:
    listed = command("keys", "list").stdout
    assert demo_server.secret[-4:] in listed
    assert demo_server.secret[:-4] not in listed


def test_a_key_that_nobody_has_cannot_be_revoked(command: Command) -> None:
    for key_id in ("0123456789abcdef", "what"):
        done = command("keys", "revoke", key_id)
        assert (done.returncode, done.stderr) == (1, "ainfera-server: There is no such API key.\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "create", "--name", ""),
        ("wallet", "show", "--agent", ""),
        ("status", "--data-dir="),
    ],
)
def test_an_option_with_nothing_in_it_is_wrong_usage(
    command: Command, arguments: tuple[str, ...]
) -> None:
    done = command(*arguments)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert line.endswith(" is empty: give it a value.")


def test_agents_are_listed_and_found_by_id_and_by_address(
    demo_server: Started, command: Command
) -> None:
    agent_id = signed_up(demo_server, "found-agent")
    listed = {one["address"]: one["agent_id"] for one in rows(command("agents", "list", "--json"))}
    assert listed["somebody/found-agent"] == agent_id
    assert "demo/demo-agent" in listed
    for name in (agent_id, "somebody/found-agent", "ainfera.ai/somebody/found-agent"):
        (shown,) = rows(command("wallet", "show", "--agent", name, "--json"))
        assert shown["balance_usd"] == "5.000000"


def test_a_wallet_is_topped_up_to_the_millionth(demo_server: Started, command: Command) -> None:
    agent_id = signed_up(demo_server, "rich-agent")
    (done,) = rows(command("wallet", "top-up", "0.000001", "--agent", agent_id, "--json"))
    assert done["balance_usd"] == "5.000001"


def test_money_goes_into_the_pool_and_from_there_to_a_wallet(
    demo_server: Started, command: Command
) -> None:
    agent_id = signed_up(demo_server, "pooled-agent")
    (done,) = rows(command("wallet", "top-up", "2", "--pool", "--agent", agent_id, "--json"))
    assert (done["wallet"], done["balance_usd"]) == ("pool", "2.000000")
    places = ("--from", "pool", "--to", "somebody/pooled-agent")
    (moved,) = rows(command("wallet", "move", "0.5", *places, "--json"))
    assert (moved["from_balance_usd"], moved["to_balance_usd"]) == ("1.500000", "5.500000")
    (shown,) = rows(command("wallet", "show", "--agent", agent_id, "--json"))
    assert (shown["balance_usd"], shown["pool_available_usd"]) == ("5.500000", "1.500000")


def test_a_move_between_nobodys_or_two_tenants_places_is_refused(
    demo_server: Started, command: Command
) -> None:
    agent_id = signed_up(demo_server, "lonely-agent")
    for places, code, words in (
        (("--from", "pool", "--to", "pool"), 2, "One of --from and --to is an agent"),
        (("--from", agent_id, "--to", "demo/demo-agent"), 1, "There is no such agent."),
        (("--from", agent_id, "--to", agent_id), 2, "nothing would move"),
    ):
        done = command("wallet", "move", "1", *places)
        assert (done.returncode, done.stdout) == (code, "")
        assert words in done.stderr


@pytest.mark.parametrize("amount", ["-1", "0", "much", "0.0000001"])
def test_an_amount_that_is_none_is_wrong_usage(command: Command, amount: str) -> None:
    done = command("wallet", "top-up", "--", amount)
    assert done.returncode == 2
    assert "amount_usd" in done.stderr


def test_an_agent_that_is_not_there_is_said_so(command: Command) -> None:
    done = command("wallet", "show", "--agent", "nobody/at-all")
    assert (done.returncode, done.stderr) == (1, "ainfera-server: There is no such agent.\n")


def test_a_chain_that_somebody_changed_does_not_verify(
    demo_server: Started, command: Command
) -> None:
    agent_id = signed_up(demo_server, "wronged-agent")
    (whole,) = rows(command("audit", "verify", agent_id, "--json"))
    assert whole["valid"] is True

    with embedded.running(demo_server.data_dir) as server:
        dsn = server.dsn_as(user="postgres", database=embedded.LOGIN)
        with psycopg.connect(dsn) as connection:
            # What keeps the table append-only does not hold against a superuser.
            connection.execute("set session_replication_role = replica")
            connection.execute(
                "update audit_events set payload = replace(payload, 'agent', 'other')"
                " where agent_id = %s and seq = 2",
                (agent_id,),
            )
    done = command("audit", "verify", agent_id, "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout)["failure_seq"] == 2
    assert "does not hold from event 2 on" in done.stderr


def test_status_tells_where_the_server_is(demo_server: Started, command: Command) -> None:
    (row,) = rows(command("status", "--json"))
    assert row == {
        "url": demo_server.url,
        "health": "ok",
        "process_id": demo_server.process.pid,
        "data_folder": str(demo_server.data_dir),
    }


def test_env_can_be_evaluated_by_a_shell(demo_server: Started, command: Command) -> None:
    script = f"export AINFERA_API_KEY=k; {command('env').stdout} env"
    done = subprocess.run(
        ("/bin/sh", "-c", script), capture_output=True, text=True, check=True, timeout=10
    )
    assert f"OPENAI_BASE_URL={demo_server.url}/v1" in done.stdout
    assert f"ANTHROPIC_BASE_URL={demo_server.url}\n" in done.stdout
    assert "ANTHROPIC_AUTH_TOKEN=k\n" in done.stdout


def test_openapi_prints_the_document(command: Command) -> None:
    assert json.loads(command("openapi").stdout)["info"]["title"] == "ainfera-os"


@pytest.mark.parametrize("line", ["keys list", "wallet show", "agents list", "status", "openapi"])
def test_where_nothing_was_started_a_command_fails_and_makes_nothing(
    tmp_path: Path, line: str
) -> None:
    port = str(running_command.free_port())
    folder = str(tmp_path / "none")
    done = running_command.run(
        *shlex.split(line),
        home=tmp_path,
        variables={"AINFERA_DATA_DIR": folder, "AINFERA_PORT": port},
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "ainfera-server start" in done.stderr
    assert not (tmp_path / "none").exists()


def test_help_loads_nothing_that_it_does_not_need() -> None:
    heavy = {"asyncpg", "cryptography", "fastapi", "psycopg", "rich", "uvicorn", "msgspec"}
    script = "import sys; from ainfera_server.cli import main; print(*sys.modules)"
    done = subprocess.run(
        (sys.executable, "-c", script), capture_output=True, text=True, check=True, timeout=30
    )
    assert heavy.isdisjoint(done.stdout.split())
