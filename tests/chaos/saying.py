"""What a run has found, for people: shown with `-s`, when a test fails, and by the night run."""

import sys


def say(text: str) -> None:
    """Print a line or several."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
