"""What dies beside the workers is started again, and the server answers once more by itself."""

import importlib.util
import os
import signal
from pathlib import Path

import httpx
import pytest

from ainfera_server.cli.failures import Failure
from ainfera_server.cli.stop_signals import StopSignals
from ainfera_server.cli.supervisor import REPLACEMENTS_MAX, Workers
from tests.cli import running_command
from tests.cli.running_command import NO_MODEL, Started

TRIES_MAX = 100
TRY_S = 10.0


def status(started: Started, method: str, path: str, body: object = None) -> int:
    """What the server says to the demo agent."""
    headers = {"authorization": f"Bearer {started.api_key}"}
    url = f"{started.url}{path}"
    return httpx.request(method, url, headers=headers, json=body, timeout=TRY_S).status_code


def answers_again(started: Started, method: str, path: str, body: object = None) -> bool:
    """Ask until it is answered; whoever is told 503 waits in the server, or comes again."""
    return any(status(started, method, path, body) == 200 for _ in range(TRIES_MAX))


def database_of(started: Started) -> int:
    """The process that is PostgreSQL's first."""
    note = started.data_dir / "postgres" / "cluster" / "postmaster.pid"
    return int(note.read_text().splitlines()[0])
