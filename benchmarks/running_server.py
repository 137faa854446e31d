"""The server as its users start it, with an empty database of its own and providers on loopback."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ainfera_server.settings import PROVIDER_SLUGS
from benchmarks.programs import Unmeasurable

COMMAND = Path(sys.executable).parent / "ainfera-server"
START_S_MAX = 120.0
STOP_S_MAX = 60.0
WALLET_USD = "100000"
"""More than any run can spend; a top-up may not be larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningServer:
    """Where it listens, the key of its one agent, and its processes.

    The database's first process is no child of the server's.
    """

    port: int
    api_key: str = field(repr=False)
    process_id: int
    database_process_id: int
    database_version: str


@contextlib.contextmanager
def started(folder: Path, *, upstream_port: int) -> Generator[RunningServer]:
    """Have the server run while the block does. Raises Unmeasurable when it does not start."""
    port = _free_port()
    options = ("--port", str(port), "--data-dir", str(folder / "data"), "--no-demo")
    log = folder / "server.log"
    with (
        log.open("wb") as said,
        subprocess.Popen(
            (str(COMMAND), "start", *options),
            env=_environment(upstream_port),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
        ) as process,
    ):
        try:
            _wait_until_ready(process, log)
            database = folder / "data" / "postgres" / "cluster"
            yield RunningServer(
                port=port,
                api_key=_signed_up(f"http://127.0.0.1:{port}"),
                process_id=process.pid,
                database_process_id=int(_first_line(database / "postmaster.pid")),
                database_version=_first_line(database / "PG_VERSION"),
            )
        finally:
            _stop(process)


def _environment(upstream_port: int) -> Mapping[str, str]:
    """Nothing of what its owner has set for a real server: neither keys nor a database."""
    names = tuple(f"{slug.upper()}_" for slug in PROVIDER_SLUGS)
    clean = {name: text for name, text in os.environ.items() if not name.startswith("AINFERA_")}
    without_keys = {name: text for name, text in clean.items() if not name.startswith(names)}
    root = f"http://127.0.0.1:{upstream_port}"
    return {
        **without_keys,
        "OPENAI_API_KEY": "of-a-provider-on-loopback",
        "OPENAI_BASE_URL": f"{root}/v1",
        "ANTHROPIC_API_KEY": "of-a-provider-on-loopback",
        "ANTHROPIC_BASE_URL": root,
        # Named so that none is started; the default floor leaves it out of every answer.
        "AINFERA_LOCAL_MODEL_URL": f"{root}/v1",
    }


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _wait_until_ready(process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Its first line says that it is ready; one that does not start says why in its log."""
    assert process.stdout is not None, "it was asked to write into a pipe"
    too_late = threading.Timer(START_S_MAX, process.kill)
    too_late.start()
    is_ready = bool(process.stdout.readline())
    too_late.cancel()
    if not is_ready:
        raise Unmeasurable(f"The server did not start: {log.read_text(errors='replace')}")


def _signed_up(url: str) -> str:
    """The key of a new agent, whose wallet never runs dry."""
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        made = client.post("/v1/agents/signup", json={"agent_handle": "benchmark"})
        made.raise_for_status()
        agent = made.json()
        client.post(
            "/v1/wallets/topup",
            headers={"authorization": f"Bearer {agent['api_key']}"},
            json={"agent_id": agent["agent_id"], "amount_usd": WALLET_USD},
        ).raise_for_status()
        key: str = agent["api_key"]
        return key


def _first_line(file: Path) -> str:
    return file.read_text(encoding="utf-8").splitlines()[0]


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
