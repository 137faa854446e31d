"""A warm process that forks a gateway for each order, which lives until its deadly point.

    python -m tests.chaos.doomed_process DSN DATA_DIR PROVIDER_URL

It answers a question of each kind first, so that a child has everything imported and built but its
connections, and costs some tens of milliseconds. Orders come and lives go as JSON lines.
"""

import asyncio
import gc
import os
import signal
import ssl
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from ainfera_server import gateway as gateways
from ainfera_server.accounts.callers import Callers
from ainfera_server.gateway import Gateway
from ainfera_server.inference import record, recover
from ainfera_server.journal import Journal
from ainfera_server.postgres import pool as pools
from ainfera_server.providers import transport
from ainfera_server.providers.health import Health
from tests.chaos import asking, crossings, provider_settings, spenders
from tests.chaos.asking import Question
from tests.chaos.crossings import Counting
from tests.chaos.orders import Life, Note, NoteKind, Order
from tests.chaos.points import Points


def main() -> None:
    """Warm up, then serve orders until nobody gives any."""
    dsn, data_dir, provider_url = sys.argv[1:]
    warm = _run(_warmed(dsn, Path(data_dir), provider_url))
    trusted = ssl.create_default_context()
    gc.collect()
    gc.freeze()  # A child that collects would touch, and so copy, all that it shares with us.
    sys.stdout.write("warm\n")
    sys.stdout.flush()
    for line in sys.stdin.buffer:
        order = msgspec.json.decode(line, type=Order)
        life = _life(warm, dsn, trusted, order)
        sys.stdout.buffer.write(msgspec.json.encode(life) + b"\n")
        sys.stdout.flush()


def _run(work: Any) -> Any:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def _warmed(dsn: str, data_dir: Path, provider_url: str) -> Gateway:
    settings = provider_settings.settings(provider_url, data_dir)
    async with gateways.opened(settings, dsn=dsn, writes=record.writes) as gateway:
        warm = replace(gateway, retry_waits_s=())
        spender = await spenders.signed_up(warm, money=5_000_000)
        for stream in (False, True):
            question = Question(
                api_key=spender.api_key, words="warm", stream=stream, idempotency_key=f"{stream}"
            )
            heard = asking.Heard()
            await asking.ask(warm, question, lambda message, to=heard: asking.hear(to, message))
            assert heard.status == 200, heard.body
        return warm


def _life(warm: Gateway, dsn: str, trusted: ssl.SSLContext, order: Order) -> Life:
    """Fork, listen to all that the child tells, and bury it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        exit_code = 1
        try:
            _run(_lived(warm, dsn, trusted, order, writing))
            exit_code = 0
        finally:
            sys.stderr.flush()
            os._exit(exit_code)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        notes = tuple(msgspec.json.decode(line, type=Note) for line in told)
    _, status = os.waitpid(child, 0)
    return Life(
        signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        exit_code=os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
        notes=notes,
    )


async def _lived(
    warm: Gateway, dsn: str, trusted: ssl.SSLContext, order: Order, writing: int
) -> None:
    """Open a gateway's connections, and do as ordered."""

    def note(kind: NoteKind, **told: Any) -> None:
        os.write(writing, msgspec.json.encode(Note(kind=kind, **told)) + b"\n")

    points = Points(lambda label: note("point", text=label), deadly=order.deadly)
    async with AsyncExitStack() as stack:
        counted = crossings.counted_pools(
            await stack.enter_async_context(pools.opened(dsn)),
            Counting(
                points=points,
                connected=lambda process_id: note("connected", number=process_id),
                loses_commits=order.loses_commits,
            ),
        )
        opened = await stack.enter_async_context(transport.opened(tls=trusted))
        settings = provider_settings.settings(order.provider_url, warm.settings.data_dir)
        gateway = replace(
            warm,
            settings=settings,
            endpoints=gateways.endpoints_of(settings),
            pools=counted,
            journal=await stack.enter_async_context(
                Journal(counted.writer, record.writes(warm.signer))
            ),
            transport=crossings.CountedTransport(opened, points),
            callers=Callers(
                counted.app, pepper=warm.keyring.api_key_pepper, monotonic=warm.monotonic
            ),
            health=Health(),
        )
        stack.push_async_callback(gateway.wait_for_running)
        if order.recovers:
            note("recovered", number=await recover.expired_holds(gateway))
        asked = [
            asking.ask(
                gateway,
                question,
                lambda message, asked=number: _tell(note, asked, message),
                crosses=points.crosses,
            )
            for number, question in enumerate(order.questions)
        ]
        if order.at_once:
            await asyncio.gather(*asked)
        else:
            for one in asked:
                await one


def _tell(note: Any, asked: int, message: Mapping[str, Any]) -> None:
    """Write down what goes to the caller: what is in the pipe, the caller has."""
    if message["type"] == "http.response.start":
        headers = {name.decode(): text.decode() for name, text in message["headers"]}
        note("begun", asked=asked, number=message["status"], headers=headers)
    elif message.get("more_body", False):
        note("body", asked=asked, body=message["body"])
    else:
        note("end", asked=asked, body=message.get("body", b""))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Whoever started us ends us, by closing stdin.
    main()
