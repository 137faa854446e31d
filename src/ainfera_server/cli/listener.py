"""The socket that the server listens on, opened before anything is started."""

import errno
import ipaddress
import socket

from ainfera_server.cli.failures import Failure
from ainfera_server.settings import Settings

BACKLOG = 2048


def opened(settings: Settings) -> socket.socket:
    """Listen; who connects before the workers run waits for them. Raises Failure."""
    host, port = settings.host, settings.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as problem:
        raise Failure(_why_not(problem, host, port)) from problem


def url(settings: Settings) -> str:
    """Where to reach the server from this machine."""
    host = settings.host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{settings.port}"
    if address.is_unspecified:
        return f"http://127.0.0.1:{settings.port}"
    return f"http://{f'[{host}]' if address.version == 6 else host}:{settings.port}"


def _why_not(problem: OSError, host: str, port: int) -> str:
    match problem.errno:
        case errno.EADDRINUSE:
            return f"Port {port} of {host} is in use. Choose another with --port."
        case errno.EACCES:
            return f"Port {port} needs an administrator. Choose one above 1023 with --port."
        case _:
            return (
                f"It is not possible to listen on port {port} of {host!r}: {problem.strerror}. "
                f"Choose with --host an address that this machine has."
            )
