"""Stopping: running answers end, and nothing stays behind."""

import json
import os
import signal
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.cli import running_command
from tests.cli.running_command import NO_MODEL, Started
from tests.promises import proves
from tests.scripted_provider import DEFAULT_KEY, ScriptedProvider

PINNED = "gpt-5-5"
FORCED_S_MAX = 6.0


@contextmanager
def a_stream_that_stalls(started: Started) -> Generator[Iterator[str]]:
    """Ask for a stream and read what comes of it, line by line."""
    with httpx.stream(
        "POST",
        f"{started.url}/v1/chat/completions",
        headers={"authorization": f"Bearer {started.api_key}"},
        json={
            "model": PINNED,
            "stream": True,
            "max_tokens": 64,
            "messages": [{"role": "user", "content": "Say hello."}],
        },
        timeout=30,
    ) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        yield lines


def as_openai(provider: ScriptedProvider) -> dict[str, str]:
    """The scripted provider in the place of OpenAI."""
    return {"OPENAI_API_KEY": DEFAULT_KEY, "OPENAI_BASE_URL": provider.base_url, **NO_MODEL}


@proves("stop-leaves-nothing")
@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_lets_a_stream_end_and_leaves_no_process(
    tmp_path: Path, scripted_provider: ScriptedProvider, told: signal.Signals
) -> None:
    scripted_provider.stalls_mid_stream()
    with running_command.started(tmp_path, variables=as_openai(scripted_provider)) as started:
        everything = started.processes()
        with a_stream_that_stalls(started) as lines:
            # As under `uv run`: the terminal tells both, and uv tells us once more.
            started.process.send_signal(told)
            started.process.send_signal(told)
            started.waits_for_complaint("stopping")
            scripted_provider.releases()
            assert [line for line in lines if line][-1] == "data: [DONE]"
        assert started.process.wait(running_command.STOP_S_MAX) == 0
        assert running_command.have_ended(everything, within_s=5)
        assert not (started.data_dir / "running.json").exists()


def test_a_second_press_ends_a_stream_that_does_not_end_and_settles_it(
    tmp_path: Path, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.stalls_mid_stream()
    with running_command.started(tmp_path, variables=as_openai(scripted_provider)) as started:
        everything = started.processes()
        with a_stream_that_stalls(started):
            started.process.terminate()
            started.waits_for_complaint("stopping")
            with pytest.raises(subprocess.TimeoutExpired):
                started.process.wait(1.5)
            started.process.terminate()
            assert started.process.wait(FORCED_S_MAX) == 0
        assert running_command.have_ended(everything, within_s=5)
    shown = running_command.run(
        *("wallet", "show", "--json", "--data-dir", str(started.data_dir)), home=tmp_path
    )
    assert json.loads(shown.stdout)["held_usd"] == "0.000000"


def test_when_the_server_is_killed_its_workers_end_and_the_next_start_goes_on(
    tmp_path: Path,
) -> None:
    with running_command.started(tmp_path, variables=NO_MODEL) as started:
        workers = tuple(running_command.descendants(started.process.pid))
        database = set(started.processes()) - {started.process.pid, *workers}
        os.kill(started.process.pid, signal.SIGKILL)
        assert running_command.have_ended(workers, within_s=10)
        assert not running_command.have_ended(tuple(database), within_s=0)
        key = started.api_key
    with running_command.started(tmp_path, variables=NO_MODEL) as again:
        assert set(again.processes()) & database
        answer = httpx.get(f"{again.url}/v1/agents", headers={"x-api-key": key}, timeout=30)
        assert answer.status_code == 200, answer.text
    assert running_command.have_ended(tuple(database), within_s=5)
