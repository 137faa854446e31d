"""A second start, by whoever it is."""

import importlib.util
import os
import pwd
import re
import tempfile
from pathlib import Path

import httpx

from tests.cli import another_account, running_command
from tests.cli.running_command import NO_MODEL, Started
from tests.promises import proves

READY_AGAIN_S_MAX = 5.0


def balance(started: Started, key: str) -> str:
    """What the demo agent has, asked with a key."""
    agent_id = started.row("Demo agent").rpartition(" ")[2]
    answer = httpx.get(
        f"{started.url}/v1/wallets/{agent_id}",
        headers={"authorization": f"Bearer {key}"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["balance_usd"]


@proves("start-again-keeps-everything")
def test_a_second_start_is_quick_and_the_key_of_the_first_still_works(tmp_path: Path) -> None:
    with running_command.started(tmp_path) as first:
        key = first.api_key
        before = balance(first, key)
        everything = first.processes()
        if importlib.util.find_spec("xllamacpp") is not None:
            names = [Path(f"/proc/{one}/cmdline").read_bytes() for one in everything]
            assert any(b"ainfera_server.providers.local_model" in name for name in names)
    assert running_command.have_ended(everything, within_s=5)
    with running_command.started(tmp_path) as second:
        took = re.search(r"after ([0-9.]+) s", second.welcome[0])
        assert took is not None
        assert float(took[1]) < READY_AGAIN_S_MAX
        assert second.row("Its API key").startswith("printed at the first start")
        assert second.row("Demo agent") == first.row("Demo agent")
        assert balance(second, key) == before


def test_an_ordinary_account_starts_it_too() -> None:
    account = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="ainfera-ordinary-", dir="/var/tmp") as folder:
        home = Path(folder)
        home.chmod(0o755)
        command = another_account.command(home / "environment", account)
        if account is not None:
            os.chown(home, account, account)
        with running_command.started(home, command=command, user=account) as started:
            everything = started.processes()
            owners = {Path(f"/proc/{one}").stat().st_uid for one in everything}
            assert owners == {os.geteuid() if account is None else account} != {0}
            assert started.row("Local model").startswith("smollm2")
            assert started.stop() == 0
            assert running_command.have_ended(everything, within_s=5)


def test_two_workers_answer_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    with running_command.started(tmp_path, "--workers", "2", variables=NO_MODEL) as started:
        workers = tuple(running_command.descendants(started.process.pid))
        assert len(workers) == 2
        os.kill(workers[0], 9)
        assert str(workers[0]) in started.waits_for_complaint("replacing it")
        assert balance(started, started.api_key) == "5.000000"
        assert len(tuple(running_command.descendants(started.process.pid))) == 2


def test_without_a_demo_nobody_is_signed_up_and_a_stopped_server_can_be_asked(
    tmp_path: Path,
) -> None:
    with running_command.started(tmp_path, "--no-demo", variables=NO_MODEL) as started:
        assert not any("ainfera_" in line for line in started.welcome)
    listed = running_command.run(
        *("agents", "list", "--json", "--data-dir", str(started.data_dir)), home=tmp_path
    )
    assert (listed.returncode, listed.stdout) == (0, "")
    assert not (started.data_dir / "postgres" / "cluster" / "postmaster.pid").exists()
