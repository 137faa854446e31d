"""A process with a gateway and many callers, which tells of each answer as it is acknowledged.

    python -m tests.chaos.busy_gateway

Its work is a line of JSON on its standard input; it says `ready`, and begins at the next line. What
callers hear goes to its standard output, one JSON line each. It ends when all callers are refused,
or when its input does.
"""

import asyncio
import itertools
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import uvloop

from ainfera_server import gateway as gateways
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import Cell
from ainfera_server.inference import record
from tests.chaos import asking, instant_provider, provider_settings
from tests.chaos.asking import Heard, Question

KEYS = Cell(0)
PAUSE_S = 1.0
"""After an answer that was none: the database is away, and comes back in a second or two."""

STDOUT = 1
REFUSED = 402
"""By the wallet or by a cap. A machine that has too much to do may answer 503 before that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One caller for each of the keys. `until_refused` has each stop at its first refusal."""

    dsn: str
    data_dir: str
    api_keys: tuple[str, ...]
    until_refused: bool
    keyed: bool
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one caller heard. `status` 0 is no answer at all; what was not said is empty."""

    api_key: str
    idempotency_key: str
    stream: bool
    status: int
    is_answer: bool
    receipt_id: str
    cost_usd: str
    body: bytes


def question(told: Told) -> Question:
    """The same question again."""
    return Question(
        api_key=told.api_key,
        words=WORDS,
        stream=told.stream,
        idempotency_key=told.idempotency_key or None,
    )


async def told(gateway: Gateway, api_key: str) -> Told:
    """What one more caller hears, who asks as the others do."""
    return await _told(gateway, Question(api_key=api_key, words=WORDS))


WORDS = "How are you?"
"""Always the same, so that each call holds the same."""


def main() -> None:
    """Do the work of the first line."""
    work = msgspec.json.decode(sys.stdin.buffer.readline(), type=Work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_worked(work))


async def _worked(work: Work) -> None:
    settings = provider_settings.settings("http://127.0.0.1:9", Path(work.data_dir))
    async with gateways.opened(settings, dsn=work.dsn, writes=record.writes) as opened:
        instant = instant_provider.transport(output_tokens=work.output_tokens)
        gateway = replace(opened, transport=instant, retry_waits_s=())
        os.write(STDOUT, b"ready\n")
        await asyncio.to_thread(sys.stdin.buffer.readline)
        told_to_stop = asyncio.Event()
        ending = asyncio.create_task(_stopped(told_to_stop))
        async with asyncio.TaskGroup() as group:
            for number, api_key in enumerate(work.api_keys):
                group.create_task(_calls(gateway, work, number, api_key, told_to_stop))
        ending.cancel()
        await gateway.wait_for_running()


async def _stopped(told_to_stop: asyncio.Event) -> None:
    """The end of the input, which whoever started us holds open for as long as we should work."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await reader.read()
    told_to_stop.set()


async def _calls(
    gateway: Gateway, work: Work, number: int, api_key: str, told_to_stop: asyncio.Event
) -> None:
    """One caller, one call after another."""
    for turn in itertools.count(number):
        if told_to_stop.is_set():
            return
        asked = Question(
            api_key=api_key,
            words=WORDS,
            stream=turn % 2 == 1,
            idempotency_key=gateway.new_id(KEYS).hex if work.keyed else None,
        )
        heard = await _told(gateway, asked)
        os.write(STDOUT, msgspec.json.encode(heard) + b"\n")
        if heard.is_answer:
            continue
        if work.until_refused and heard.status == REFUSED:
            return
        await asyncio.sleep(PAUSE_S)


async def _told(gateway: Gateway, asked: Question) -> Told:
    heard = Heard()
    await asking.ask(gateway, asked, lambda message: asking.hear(heard, message))
    headers = heard.headers or {}
    return Told(
        api_key=asked.api_key,
        idempotency_key=asked.idempotency_key or "",
        stream=asked.stream,
        status=heard.status or 0,
        is_answer=heard.is_answer,
        receipt_id=headers.get("x-ainfera-receipt-id", ""),
        cost_usd=headers.get("x-ainfera-cost-usd", ""),
        body=b"" if heard.is_answer else heard.body,
    )


if __name__ == "__main__":
    main()
