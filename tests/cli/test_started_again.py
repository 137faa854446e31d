"""What dies beside the workers is started again, and the server answers once more by itself."""

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from ainfera_server.cli.failures import Failure
from ainfera_server.cli.stop_signals import STOPS, StopSignals
from ainfera_server.cli.supervisor import REPLACEMENTS_MAX, Workers
from tests.cli import running_command
from tests.cli.running_command import NO_MODEL, Started

TRIES_MAX = 10_000
TRY_S = 10.0


def status(started: Started, method: str, path: str, body: object = None) -> int:
    """What the server says to the demo agent."""
    headers = {"authorization": f"Bearer {started.api_key}"}
    url = f"{started.url}{path}"
    return httpx.request(method, url, headers=headers, json=body, timeout=TRY_S).status_code


def answers_again(started: Started, method: str, path: str, body: object = None) -> bool:
    """Ask until it is answered, for as long as a start takes on a slow machine."""
    return any(status(started, method, path, body) == 200 for _ in range(TRIES_MAX))


def database_of(started: Started) -> int:
    """The process that is PostgreSQL's first."""
    note = started.data_dir / "postgres" / "cluster" / "postmaster.pid"
    return int(note.read_text().splitlines()[0])


def model_of(started: Started) -> int:
    """The process that is the local model."""
    (found,) = (
        one
        for one in running_command.descendants(started.process.pid)
        if b"local_model" in Path(f"/proc/{one}/cmdline").read_bytes()
    )
    return found


class DiesAtOnce:
    """A companion that is dead whenever somebody looks."""

    name = "the invalid"

    def __init__(self, *, is_needed: bool, when_left_off: Callable[[], object]) -> None:
        self.is_needed = is_needed
        self.starts = 0
        self._when_left_off = when_left_off
        self._lifeline, theirs = socket.socketpair()
        theirs.close()

    def fileno(self) -> int:
        return self._lifeline.fileno()

    def has_died(self) -> bool:
        if self.starts == REPLACEMENTS_MAX:
            self._when_left_off()
        return True

    def start_again(self) -> None:
        self.starts += 1

    def close(self) -> None:
        self._lifeline.close()


class Bell:
    """A companion that lives, and tells the server to stop once it is rung."""

    name = "the bell"
    is_needed = True

    def __init__(self) -> None:
        self._heard, self._rung = socket.socketpair()

    def ring(self) -> None:
        self._rung.send(b"!")

    def fileno(self) -> int:
        return self._heard.fileno()

    def has_died(self) -> bool:
        signal.raise_signal(signal.SIGTERM)
        return False

    def start_again(self) -> None:
        raise AssertionError("it lives")

    def close(self) -> None:
        self._heard.close()
        self._rung.close()


@pytest.fixture
def workers() -> Iterator[Workers]:
    """A supervisor of nobody; the signals are as before afterwards."""
    before = {number: signal.getsignal(number) for number in STOPS}
    signals = StopSignals()
    listener = socket.create_server(("127.0.0.1", 0))
    with Workers(listener, count=0, environment={}, signals=signals, drain_timeout_s=1) as nobody:
        yield nobody
    for number, handler in before.items():
        signal.signal(number, handler)
    signals.wakes.close()
    # A server has them for as long as it lives, and so nobody else closes this end.
    signals._wake.close()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


def test_a_killed_database_is_started_again_and_calls_succeed(tmp_path: Path) -> None:
    with running_command.started(tmp_path, variables=NO_MODEL) as started:
        killed = database_of(started)
        os.kill(killed, signal.SIGKILL)
        started.waits_for_complaint("the database has died; starting it again")
        assert answers_again(started, "GET", "/v1/agents")
        assert database_of(started) != killed
        everything = started.processes()
        assert started.stop() == 0
        assert running_command.have_ended(everything, within_s=5)


def test_a_database_that_cannot_be_started_again_stops_the_server(tmp_path: Path) -> None:
    with running_command.started(tmp_path, variables=NO_MODEL) as started:
        control = started.data_dir / "postgres" / "cluster" / "global" / "pg_control"
        control.rename(control.with_suffix(".away"))
        os.kill(database_of(started), signal.SIGKILL)
        assert "pg_control" in started.waits_for_complaint("the database did not start: ")
        started.waits_for_complaint("The database would have to be started again")
        assert started.process.wait(running_command.STOP_S_MAX) == 1


def test_a_killed_model_is_started_again_where_it_was(tmp_path: Path) -> None:
    with running_command.started(tmp_path) as started:
        killed = model_of(started)
        os.kill(killed, signal.SIGKILL)
        started.waits_for_complaint("the local model has died; starting it again")
        asked = {
            "model": "ainfera-inference",
            "max_tokens": 2,
            "messages": [{"role": "user", "content": "Hi."}],
        }
        assert answers_again(started, "POST", "/v1/chat/completions", asked)
        assert model_of(started) != killed


def test_what_the_server_needs_and_dies_again_and_again_stops_it(workers: Workers) -> None:
    with (
        contextlib.closing(DiesAtOnce(is_needed=True, when_left_off=list)) as invalid,
        pytest.raises(Failure, match="The invalid would have to be started again for the 6th"),
    ):
        workers.watch([invalid])
    assert invalid.starts == REPLACEMENTS_MAX


def test_what_others_can_stand_in_for_is_left_off_when_it_dies_again_and_again(
    workers: Workers, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        contextlib.closing(Bell()) as bell,
        contextlib.closing(DiesAtOnce(is_needed=False, when_left_off=bell.ring)) as invalid,
    ):
        workers.watch([invalid, bell])
    *outages, last = capsys.readouterr().err.splitlines()
    assert len(outages) == REPLACEMENTS_MAX + 1
    assert "the server goes on without the invalid" in last
