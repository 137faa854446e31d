"""Runs the worker processes that answer requests: starts them, replaces the dead, stops them all.

What runs beside them, the database and the local model, is started again here too when it dies.

A single worker is a process of its own too. Then there is one way to start and to stop, the parent
is always free to hear a signal, and a worker that crashes takes neither the database nor the local
model with it.

The parent holds the listening socket, which every worker inherits, and one end of a socket pair for
each worker. Through it the parent tells, in one line of JSON, what the worker is to begin with, and
the worker writes into it once it serves. The parent reads the end of the pair when the worker is
gone, and the worker reads it when the parent is, even one killed with SIGKILL.
"""

import contextlib
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, cast

import orjson

from ainfera_server.cli.failures import Failure
from ainfera_server.cli.stop_signals import StopSignals

READY_TIMEOUT_S = 60.0
CLOSE_TIMEOUT_S = 15.0
"""How long a worker may take to settle and to close its connections after it has drained."""
URGENT_TIMEOUT_S = 4.0
REPLACEMENTS_MAX = 5
REPLACEMENTS_WINDOW_S = 60.0
REAP_TIMEOUT_S = 5.0

_WORKER = "ainfera_server.cli.worker"


class Companion(Protocol):
    """Something that runs beside the workers and is started again when it dies."""

    @property
    def name(self) -> str:
        """What the operator knows it as."""
        ...

    @property
    def is_needed(self) -> bool:
        """Whether the server stops when it cannot be started again."""
        ...

    def fileno(self) -> int:
        """What can be read from once it may have died."""
        ...

    def has_died(self) -> bool:
        """Look closer, once there was something to read."""
        ...

    def start_again(self) -> None:
        """Have it run once more, where it was. Raises Failure."""
        ...


@dataclass(slots=True, kw_only=True)  # tidy: a process becomes ready while we watch it
class _Worker:
    process: subprocess.Popen[bytes]
    control: socket.socket
    is_ready: bool = False


class Workers:
    """Use as `with Workers(...)`: entering starts them, leaving lets them finish and stops them.

    A worker needs a second to load its code, and then waits for `begin`.
    """

    def __init__(
        self,
        listener: socket.socket,
        *,
        count: int,
        environment: Mapping[str, str],
        signals: StopSignals,
        drain_timeout_s: float,
    ) -> None:
        self._listener = listener
        self._count = count
        self._environment = environment
        self._signals = signals
        self._drain_timeout_s = drain_timeout_s
        self._orders: bytes | None = None
        self._workers: list[_Worker] = []
        self._replaced_at_s: dict[str, deque[float]] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(signals.wakes, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        for _ in range(self._count):
            self._start_one()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()
        self._signal_all(signal.SIGTERM)
        give_up_s = time.monotonic() + self._drain_timeout_s + CLOSE_TIMEOUT_S
        is_hurried = False
        while self._workers and time.monotonic() < give_up_s:
            if self._signals.is_urgent and not is_hurried:
                is_hurried = True
                give_up_s = time.monotonic() + URGENT_TIMEOUT_S
                self._signal_all(signal.SIGINT)
            self._gone(until_s=give_up_s)
        for worker in tuple(self._workers):
            worker.process.kill()
            self._bury(worker)
        self._selector.close()

    def begin(self, variables: Mapping[str, str]) -> None:
        """Tell them what to begin with: variables that go before those of the environment."""
        self._orders = orjson.dumps(variables) + b"\n"
        for worker in self._workers:
            self._tell(worker)

    def wait_until_ready(self) -> None:
        """Return once all of them serve, or when we are told to stop. Raises Failure."""
        give_up_s = time.monotonic() + READY_TIMEOUT_S
        while not self._signals.is_asked and not all(one.is_ready for one in self._workers):
            if self._gone(until_s=give_up_s):
                raise Failure("A worker process ended while it started; the lines above say why.")
            if time.monotonic() >= give_up_s:
                raise Failure(f"The workers were not ready within {READY_TIMEOUT_S:.0f} s.")

    def watch(self, companions: Iterable[Companion] = ()) -> None:
        """Replace whoever dies, until told to stop. Raises Failure when they die in a row.

        While a companion is started again nothing else is: that takes seconds, and calls need it.
        """
        with self._heard(companions):
            while not self._signals.is_asked:
                for dead in self._gone():
                    if isinstance(dead, _Worker):
                        self._replace(dead)
                    else:
                        self._start_again(dead)

    @contextlib.contextmanager
    def _heard(self, companions: Iterable[Companion]) -> Generator[None]:
        """Hear of the end of companions; later, while workers drain, they are left as they are."""
        for one in companions:
            self._selector.register(one.fileno(), selectors.EVENT_READ, one)
        try:
            yield
        finally:
            for key in tuple(self._selector.get_map().values()):
                if key.data is not None and not isinstance(key.data, _Worker):
                    self._selector.unregister(key.fileobj)

    def _replace(self, dead: _Worker) -> None:
        _say(f"worker {dead.process.pid} {_ending(dead.process.returncode)}; replacing it")
        self._require_patience("a worker")
        self._start_one()

    def _start_again(self, dead: Companion) -> None:
        if self._signals.is_asked:
            return  # Whoever told us to stop may have told all of us.
        _say(f"{dead.name} has died; starting it again")
        try:
            self._try_until_it_runs(dead)
        except Failure as problem:
            if dead.is_needed:
                raise
            _say(f"the server goes on without {dead.name}: {problem}")

    def _try_until_it_runs(self, dead: Companion) -> None:
        """One that dies while it starts gets the same patience. Raises Failure."""
        while not self._signals.is_asked:
            self._require_patience(dead.name)
            try:
                dead.start_again()
            except Failure as problem:
                _say(f"{dead.name} did not start: {' '.join(str(problem).split())}")
            else:
                self._selector.register(dead.fileno(), selectors.EVENT_READ, dead)
                return

    def _start_one(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            descriptors = (self._listener.fileno(), theirs.fileno())
            process = subprocess.Popen(  # noqa: S603  (our own module, and no word of a caller)
                (sys.executable, "-P", "-m", _WORKER, *map(str, descriptors)),
                pass_fds=descriptors,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno(),
                # Ctrl-C in a terminal is for the parent, which tells the workers in its own time.
                start_new_session=True,
            )
        worker = _Worker(process=process, control=ours)
        self._workers.append(worker)
        self._tell(worker)
        self._selector.register(ours, selectors.EVENT_READ, worker)

    def _tell(self, worker: _Worker) -> None:
        if self._orders is not None:
            # One that has died meanwhile is noticed where all of them are.
            with contextlib.suppress(ConnectionError):
                worker.control.sendall(self._orders)

    def _gone(self, *, until_s: float | None = None) -> list[_Worker | Companion]:
        """Wait for something to happen; note who is ready, and return who has died."""
        timeout_s = None if until_s is None else max(0.0, until_s - time.monotonic())
        dead: list[_Worker | Companion] = []
        for key, _ in self._selector.select(timeout_s):
            found = cast("_Worker | Companion | None", key.data)
            if found is None:
                self._signals.heard()
            elif not isinstance(found, _Worker):
                if found.has_died():
                    self._selector.unregister(key.fd)
                    dead.append(found)
            elif _said_something(found.control):
                found.is_ready = True
            else:
                self._bury(found)
                dead.append(found)
        return dead

    def _bury(self, worker: _Worker) -> None:
        """Take a worker that has closed its end, or was killed, off the list."""
        try:
            worker.process.wait(REAP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
        self._selector.unregister(worker.control)
        worker.control.close()
        self._workers.remove(worker)

    def _require_patience(self, name: str) -> None:
        """A fault that comes back at once is not mended by starting again."""
        now_s = time.monotonic()
        replaced_at_s = self._replaced_at_s.setdefault(name, deque(maxlen=REPLACEMENTS_MAX))
        is_full = len(replaced_at_s) == REPLACEMENTS_MAX
        if is_full and now_s - replaced_at_s[0] < REPLACEMENTS_WINDOW_S:
            raise Failure(
                f"{name[0].upper()}{name[1:]} would have to be started again for the "
                f"{REPLACEMENTS_MAX + 1}th time within {REPLACEMENTS_WINDOW_S:.0f} s; the lines "
                f"above say why."
            )
        replaced_at_s.append(now_s)

    def _signal_all(self, number: signal.Signals) -> None:
        for worker in self._workers:
            worker.process.send_signal(number)


def _said_something(control: socket.socket) -> bool:
    """No at the end of the pair: its other end closes when its process is gone."""
    with contextlib.suppress(ConnectionError):
        return bool(control.recv(64))
    return False


def _ending(return_code: int) -> str:
    if return_code < 0:
        return f"was ended by {signal.Signals(-return_code).name}"
    return f"ended with exit code {return_code}"


def _say(sentence: str) -> None:
    sys.stderr.write(f"ainfera-server: {sentence}\n")
