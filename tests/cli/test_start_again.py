"""A second start, by whoever it is."""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import ainfera_server
from tests.cli import running_command
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


@pytest.fixture
def anybody() -> Iterator[tuple[int, Path, tuple[str, ...]]]:
    """An ordinary account, a folder of its own, and the command as it can run it."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    user = pwd.getpwnam("nobody").pw_uid
    home = Path(tempfile.mkdtemp(prefix="ainfera-nobody-"))
    try:
        python = environment_for_everybody(home / "environment", user)
        os.chown(home, user, user)
        yield user, home, (python, "-c", "from ainfera_server.cli import main; main.main()")
    finally:
        shutil.rmtree(home)


def environment_for_everybody(folder: Path, user: int) -> str:
    """Our own environment under an interpreter that does not lie below root's home."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (Path(sys.executable).resolve(), Path("/usr/bin", version)):
        if can_run(candidate, user):
            break
    else:
        pytest.skip("needs a Python of the same version that every account may run")
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(candidate)
    (folder / "pyvenv.cfg").write_text(f"home = {candidate.parent}\n")
    packages = folder / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    ours = (sysconfig.get_path("purelib"), str(Path(ainfera_server.__file__).parents[1]))
    (packages / "ours.pth").write_text("\n".join(ours))
    folder.parent.chmod(0o755)
    return str(folder / "bin" / "python")


def can_run(python: Path, user: int) -> bool:
    """Whether an account can run an interpreter."""
    try:
        done = subprocess.run(
            (python, "-V"), user=user, group=user, extra_groups=[], check=False, cwd="/"
        )
    except OSError:
        return False
    return done.returncode == 0


def test_an_ordinary_account_starts_it_too(
    anybody: tuple[int, Path, tuple[str, ...]],
) -> None:
    user, home, command = anybody
    with running_command.started(home, command=command, user=user) as started:
        everything = started.processes()
        assert {Path(f"/proc/{one}").stat().st_uid for one in everything} == {user}
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
