"""What asks the server to stop: Ctrl-C, SIGTERM, and a terminal that was closed."""

import signal
import socket
import time
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ONE_PRESS_S = 1.0
"""Ctrl-C in a terminal reaches us and whoever started us, who may pass it on: that is one press."""


class StopSignals:
    """Notes signals from now on, so that none cuts a start or a stop short.

    `wakes` can be read from once one came; `is_urgent` once somebody asked a second time.
    """

    def __init__(self) -> None:
        self.wakes, self._wake = socket.socketpair()
        for end in (self.wakes, self._wake):
            end.settimeout(0)
        self._first_s: float | None = None
        self.is_urgent = False
        for number in STOPS:
            # Whoever starts us under `nohup` wants a closed terminal to be ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._note)

    @property
    def is_asked(self) -> bool:
        """Whether the server is to stop."""
        return self._first_s is not None

    def heard(self) -> None:
        """Take what woke us, so that the next signal wakes again."""
        try:
            while self.wakes.recv(64):
                pass
        except BlockingIOError:
            return

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        now_s = time.monotonic()
        if self._first_s is None:
            self._first_s = now_s
        elif now_s - self._first_s > ONE_PRESS_S:
            self.is_urgent = True
        try:
            self._wake.send(b"!")
        except BlockingIOError:
            return
