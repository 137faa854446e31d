"""A caller who leaves ends the work, whatever it was at: the provider hears of it, the books close.

The connections are cut without a goodbye, as a process that is killed cuts them.
"""

import asyncio
import json
import socket
from collections.abc import Generator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest

from ainfera_server.conversation import Json
from ainfera_server.gateway import Gateway
from ainfera_server.settings import Settings
from tests import running_server
from tests.conftest import Look
from tests.inference import books_of, callers
from tests.promises import proves
from tests.running_server import RunningServer
from tests.scripted_provider import ScriptedProvider

WITHIN_S = 1.0
READ_S_MAX = 10.0


@proves("cancelled-means-cancelled", "no-stuck-hold", "one-outcome-for-each-routed-call")
@pytest.mark.parametrize("path", callers.PATHS)
def test_a_caller_who_leaves_is_heard_of_within_a_second_and_pays_for_what_was_said(
    database: str, settings: Settings, scripted_provider: ScriptedProvider, look: Look, path: str
) -> None:
    with running_server.serving(database, settings) as server:
        scripted_provider.is_silent(times=2)
        for streams in (False, True):
            with _asking(server, path, streams=streams):
                assert scripted_provider.saw_a_client_come()
            assert scripted_provider.saw_its_client_leave(within_s=WITHIN_S)
        scripted_provider.stalls_mid_stream(after_chunks=5, times=2)
        for streams in (False, True):
            with _asking(server, path, streams=streams) as connection:
                assert scripted_provider.saw_a_client_come()
                if streams:
                    _read_until(connection, b" scripted")
            assert scripted_provider.saw_its_client_leave(within_s=WITHIN_S)

    ends = look(
        "select outcome_status, is_streamed, failure, (cost > 0) as paid"
        " from inferences join routing_outcomes using (cell, inference_id) order by id"
    )
    left = {"outcome_status": "failed_other", "failure": "client_left"}
    assert ends == [
        {**left, "is_streamed": False, "paid": None},
        {**left, "is_streamed": True, "paid": None},
        {**left, "is_streamed": False, "paid": None},
        {**left, "is_streamed": True, "paid": True},
    ]
    assert books_of.violations(look) == []


@proves("cancelled-means-cancelled", "no-stuck-hold")
async def test_a_stream_that_is_closed_before_anybody_read_it_lets_go_of_everything(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look
) -> None:
    caller = await callers.signed_up(gateway)
    scripted_provider.stalls_mid_stream(after_chunks=5)

    for path in callers.PATHS:
        answer = await caller.listens(gateway, path=path)
        await answer.close()
        assert await scripted_provider.sees_its_client_leave(within_s=WITHIN_S)

    untouched = {"balance": 5_000_000, "held": 0, "held_on_days": 0}
    assert books_of.wallet(look, caller.payer.agent_id) == untouched
    ends = look("select outcome_status from routing_outcomes")
    assert [one["outcome_status"] for one in ends] == ["failed_other"] * len(callers.PATHS)
    assert books_of.violations(look) == []


@proves("cancelled-means-cancelled")
async def test_a_provider_hears_at_once_although_the_books_cannot_be_written_yet(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look, superuser_dsn: str
) -> None:
    caller = await callers.signed_up(gateway)
    scripted_provider.stalls_mid_stream(after_chunks=5)
    answer = await caller.listens(gateway)

    with psycopg.connect(superuser_dsn) as blocking:
        blocking.execute("lock table chain_heads in exclusive mode")
        closing = asyncio.create_task(answer.close())
        assert await scripted_provider.sees_its_client_leave(within_s=WITHIN_S)
        assert not closing.done()
    await closing

    assert books_of.violations(look) == []


@proves("no-free-or-double-charge")
async def test_a_stream_that_is_closed_again_and_again_is_paid_once(
    gateway: Gateway, look: Look
) -> None:
    caller = await callers.signed_up(gateway)
    answer = await caller.listens(gateway)
    await callers.read_to_its_end(answer)
    await answer.close()
    await answer.close()

    assert books_of.counts(look)["paid"] == 1
    assert books_of.violations(look) == []


@contextmanager
def _asking(server: RunningServer, path: str, *, streams: bool) -> Generator[socket.socket]:
    """Send a request, and be gone when the block ends."""
    asked: dict[str, Json] = {
        "model": "ainfera-inference",
        "max_tokens": 64,
        "messages": callers.MESSAGES,
        "stream": streams,
    }
    body = json.dumps(asked).encode()
    headers = {
        **server.agent.headers,
        "host": urlsplit(server.url).netloc,
        "content-type": "application/json",
        "content-length": str(len(body)),
    }
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    address = (urlsplit(server.url).hostname, urlsplit(server.url).port)
    with socket.create_connection(address, timeout=READ_S_MAX) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        yield connection


def _read_until(connection: socket.socket, words: bytes) -> None:
    heard = b""
    while words not in heard:
        heard += connection.recv(65536)
