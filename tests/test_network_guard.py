"""The network guard lets loopback pass and stops the rest."""

import socket

import pytest

from tests import network_guard


def test_a_connection_to_another_machine_is_refused_and_remembered(
    outside_connections: list[str],
) -> None:
    with socket.socket() as away, pytest.raises(network_guard.OutsideConnection):
        away.connect(("192.0.2.1", 9))
    assert outside_connections == ["('192.0.2.1', 9)"]
    outside_connections.clear()


def test_a_name_is_not_even_asked_for(outside_connections: list[str]) -> None:
    with pytest.raises(network_guard.OutsideConnection):
        socket.create_connection(("example.com", 80))
    assert outside_connections == ["('example.com',)"]
    outside_connections.clear()


def test_a_connection_over_loopback_passes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address) as client:
            assert client.getpeername() == address


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", ""])
def test_loopback_is_on_this_machine(host: str) -> None:
    assert network_guard.is_on_this_machine((host, 80))


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "10.0.0.1", "169.254.169.254", "::", "example.com", "localhost.example.com"]
)
def test_anything_else_is_not_on_this_machine(host: str) -> None:
    assert not network_guard.is_on_this_machine((host, 80))


def test_a_unix_socket_is_on_this_machine() -> None:
    assert network_guard.is_on_this_machine("/run/postgres/.s.PGSQL.5432")
