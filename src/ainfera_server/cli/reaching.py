"""Reaching the server that runs, from another process of the same machine."""

import http.client
from dataclasses import dataclass
from urllib.parse import urlsplit

from ainfera_server.cli import data_folder, listener
from ainfera_server.cli.failures import Failure
from ainfera_server.settings import Settings

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server said."""

    status: int
    body: bytes


def url(settings: Settings) -> str:
    """Where the server of this data folder listens, or would."""
    running = data_folder.running(settings.data_dir)
    return listener.url(settings) if running is None else running.url


def get(settings: Settings, path: str) -> Answer:
    """Ask the server. Raises Failure when it does not answer."""
    where = url(settings)
    connection = http.client.HTTPConnection(urlsplit(where).netloc, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return Answer(status=answer.status, body=answer.read())
    except (OSError, http.client.HTTPException) as problem:
        raise Failure(
            f"Nothing answers at {where}. Start the server with `ainfera-server start`, or name "
            f"its folder with --data-dir."
        ) from problem
    finally:
        connection.close()
