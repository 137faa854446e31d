"""A pytest plugin under which nobody reaches further than this machine.

List it in `pytest_plugins`. It replaces the calls of Python's own `socket`, so it sees asyncio,
aiohttp, httpx and asyncpg; a library that connects in C (uvloop, libpq) or another process is not
seen, and what we start there is given loopback addresses only.
"""

import socket
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

Address = str | bytes | tuple[object, ...]


class OutsideConnection(RuntimeError):
    """A test tried to leave this machine."""


@pytest.fixture(scope="session", autouse=True)
def outside_connections() -> Iterator[list[str]]:
    """What tests tried to reach outside: refused at once, and remembered until the test ends."""
    tried: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        guard_connections(patch, tried)
        guard_names(patch, tried)
        yield tried


@pytest.fixture(autouse=True)
def only_this_machine_is_reached(outside_connections: list[str]) -> Iterator[None]:
    """Fail the test even when the code under test swallowed the refusal."""
    yield
    reached, outside_connections[:] = tuple(outside_connections), ()
    if reached:
        pytest.fail(f"The test tried to reach {', '.join(reached)}: only loopback is allowed.")


def guard_connections(patch: pytest.MonkeyPatch, tried: list[str]) -> None:
    """Look at every address before a socket connects to it."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded_connect(self: socket.socket, address: Address) -> None:
        refuse_outside(address, tried)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Address) -> int:
        refuse_outside(address, tried)
        return connect_ex(self, address)

    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)


def guard_names(patch: pytest.MonkeyPatch, tried: list[str]) -> None:
    """Look at every name before it is asked for, because asking is already a connection."""
    getaddrinfo = socket.getaddrinfo

    def guarded_getaddrinfo(host: str | bytes | None, *args: object, **named: object) -> object:
        if host is not None:
            refuse_outside((host,), tried)
        return getaddrinfo(host, *args, **named)  # pyright: ignore[reportArgumentType]

    patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)


def refuse_outside(address: Address, tried: list[str]) -> None:
    """Raise when an address leads away from this machine."""
    if not is_on_this_machine(address):
        tried.append(repr(address))
        raise OutsideConnection(f"{address!r} is not on this machine; tests use loopback only.")


def is_on_this_machine(address: Address) -> bool:
    """Unix sockets, `localhost` and the loopback addresses."""
    match address:
        case str() | bytes():
            return True
        case (bytes(host), *_):
            return is_loopback(host.decode())
        case (str(host), *_):
            return is_loopback(host)
        case _:
            return False


def is_loopback(host: str) -> bool:
    """A name other than `localhost` would be asked from a server elsewhere."""
    try:
        return host in {"", "localhost"} or ip_address(host).is_loopback
    except ValueError:
        return False
