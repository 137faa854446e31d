"""How a command fails: one line on standard error that says what to do, and an exit code."""

import errno
import sys

from ainfera_server.errors import AinferaError, Invalid, Malformed, MoneyRefused
from ainfera_server.keyring import BadSecret
from ainfera_server.providers.provider import NotAnEndpoint
from ainfera_server.settings import BadSetting

FAILED = 1
WRONG_USAGE = 2
REFUSED = 3
NOT_VERIFIED = 4


class Failure(Exception):
    """A command cannot go on; the text is for whoever runs it."""

    def __init__(self, sentence: str, *, exit_code: int = FAILED) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


def told(problem: Exception) -> int:
    """Tell about a problem in one line, and return its exit code; what nobody knows is raised."""
    exit_code = _exit_code(problem)
    if exit_code is None:
        raise problem
    sentence = " ".join(str(problem).split())
    sys.stderr.write(f"ainfera-server: {sentence}\n")
    return exit_code


def _exit_code(problem: Exception) -> int | None:
    match problem:
        case Failure():
            return problem.exit_code
        case BadSetting() | NotAnEndpoint() | Invalid() | Malformed():
            return WRONG_USAGE
        case MoneyRefused():
            return REFUSED
        case AinferaError() | BadSecret():
            return FAILED
        case BrokenPipeError() | OSError(errno=errno.ENOSPC):
            return FAILED
        case _:
            return None
