"""Every way in which a provider can fail us, and what holds then, plain and streamed.

What is asked here goes over the real transport in both vendors' dialects, through a proxy that
breaks it; `test_fault_table.py` has the table of all faults and of the tests that are elsewhere.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from ainfera_server.conversation import Dialect, Ended, Reply, StreamEvent, Text, TextDelta
from ainfera_server.errors import FailureReason, ProviderFailed
from ainfera_server.gateway import Gateway
from ainfera_server.providers import transport
from ainfera_server.providers.anthropic import ANTHROPIC
from ainfera_server.providers.health import Health
from ainfera_server.providers.mistral import MISTRAL
from ainfera_server.providers.provider import Provider, Timeouts
from ainfera_server.providers.retry_after import WAIT_S_MAX
from ainfera_server.providers.transport import Transport
from tests.conftest import Look
from tests.inference import books_of, callers
from tests.promises import proves
from tests.providers import asking, calls, fault_proxy
from tests.providers.asking import Asking
from tests.providers.certificates import ELSEWHERE, LONG_OVER, Authority
from tests.providers.fault_proxy import KINDS, Fault
from tests.scripted_provider import DEFAULT_TEXT, ScriptedProvider, running

HURRIED = Timeouts(
    connect_s=0.5, first_byte_s=0.15, plain_first_byte_s=0.15, idle_s=0.15, total_s=0.4
)
CALM = Timeouts(
    connect_s=20.0, first_byte_s=20.0, plain_first_byte_s=20.0, idle_s=20.0, total_s=20.0
)
"""For faults that do not wait for a deadline: a machine that is busy must not look like one."""

WAITING = frozenset({"silent", "stall", "drip"})
ENOUGH_S = 25.0
SPOKEN: tuple[tuple[Dialect, Provider], ...] = (
    ("openai_chat", MISTRAL),
    ("anthropic_messages", ANTHROPIC),
)
WAYS = ("plain", "streamed")
SCHEDULES = 50
CHEAPEST = "mistral-large-3"
NEXT = "gpt-5-5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A fault on the wire, and how a call that meets it fails."""

    name: str
    fault: Fault
    reasons: frozenset[FailureReason]


BROKEN: frozenset[FailureReason] = frozenset({"incomplete"})
CELLS = (
    Cell(name="F4", fault=Fault(kind="silent"), reasons=frozenset({"timeout"})),
    Cell(name="F4-closed", fault=Fault(kind="close"), reasons=BROKEN),
    Cell(name="F4-reset", fault=Fault(kind="reset"), reasons=BROKEN),
    Cell(name="F5", fault=Fault(kind="stall", after=0), reasons=frozenset({"timeout"})),
    Cell(name="F6", fault=Fault(kind="stall", after=120), reasons=frozenset({"timeout"})),
    Cell(name="F7", fault=Fault(kind="reset", after=120), reasons=BROKEN),
    Cell(name="F7-closed", fault=Fault(kind="close", after=120), reasons=BROKEN),
    Cell(name="F15", fault=Fault(kind="drip", after=0), reasons=frozenset({"timeout"})),
)


@pytest_asyncio.fixture
async def opened() -> AsyncIterator[Transport]:
    async with transport.opened(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) as one:
        yield one


@proves("waiting-is-bounded")
@pytest.mark.parametrize("dialect", [dialect for dialect, _ in SPOKEN])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cell", CELLS, ids=lambda one: one.name)
async def test_a_fault_ends_in_time_and_for_its_reason(
    opened: Transport, scripted_provider: ScriptedProvider, cell: Cell, way: str, dialect: Dialect
) -> None:
    async with fault_proxy.before(scripted_provider.root_url, cell.fault) as proxy:
        asked = at(opened, dialect, scripted_provider, proxy.root_url)
        asked = asked.hurried(HURRIED if cell.fault.kind in WAITING else CALM)
        async with asyncio.timeout(ENOUGH_S):
            with pytest.raises(ProviderFailed) as failed:
                await way_of(asked, way)()
    assert failed.value.reason in cell.reasons
    assert failed.value.is_worth_another_offer
    assert proxy.connections == 1, "the transport tries once"


@proves("no-silent-truncation", "waiting-is-bounded")
@pytest.mark.parametrize("seed", range(SCHEDULES))
async def test_whatever_breaks_wherever_an_answer_is_whole_or_a_failure(
    opened: Transport, scripted_provider: ScriptedProvider, seed: int
) -> None:
    kind = KINDS[fault_proxy.number(seed, 0, most=len(KINDS)) - 1]
    after = fault_proxy.number(seed, 1, most=900) - 1
    dialect, _ = SPOKEN[seed % len(SPOKEN)]
    way = WAYS[seed // len(SPOKEN) % len(WAYS)]
    fault = Fault(kind=kind, after=after)
    async with fault_proxy.before(scripted_provider.root_url, fault, seed=seed) as proxy:
        asked = at(opened, dialect, scripted_provider, proxy.root_url)
        asked = asked.hurried(HURRIED if kind in WAITING else CALM)
        async with asyncio.timeout(ENOUGH_S):
            try:
                said = words(await way_of(asked, way)())
            except ProviderFailed:
                said = None
    assert said in {None, DEFAULT_TEXT}
    assert said is not None or kind in {*WAITING, "reset", "close"}


async def test_nobody_there_is_unreachable_at_once(opened: Transport) -> None:
    with running() as gone:
        root_url = gone.root_url
        asked = at(opened, "openai_chat", gone, root_url)
    for way in WAYS:
        with pytest.raises(ProviderFailed) as failed:
            await way_of(asked, way)()
        assert failed.value.reason == "unreachable"


@proves("waiting-is-bounded")
@pytest.mark.parametrize("way", WAYS)
async def test_a_connection_that_is_never_taken_ends_at_its_deadline(
    opened: Transport, scripted_provider: ScriptedProvider, way: str
) -> None:
    with fault_proxy.black_hole() as root_url:
        asked = at(opened, "openai_chat", scripted_provider, root_url)
        short = asked.hurried(replace(HURRIED, connect_s=0.1, first_byte_s=3, plain_first_byte_s=3))
        async with asyncio.timeout(ENOUGH_S):
            with pytest.raises(ProviderFailed) as failed:
                await way_of(short, way)()
    assert failed.value.reason == "unreachable"


@proves("secrets-stay")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("certificate", ["of nobody we trust", "of another address", "over"])
async def test_a_certificate_that_is_not_right_ends_the_call_before_the_key_is_sent(
    tmp_path: Path, certificate: str, way: str
) -> None:
    authority = Authority(tmp_path)
    trusted = authority if certificate != "of nobody we trust" else Authority(tmp_path)
    shown = {
        "of nobody we trust": authority.server(),
        "of another address": authority.server(address=ELSEWHERE),
        "over": authority.server(until=LONG_OVER),
    }
    heard: list[bytes] = []

    async def listens(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(65536))
        writer.close()

    server = await asyncio.start_server(listens, "127.0.0.1", 0, ssl=shown[certificate])
    root_url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with transport.opened(tls=trusted.trusting()) as careful:
        asked = Asking(opened=careful, endpoint=calls.endpoint_at(root_url), dialect="openai_chat")
        with pytest.raises(ProviderFailed, match="could not prove who it is") as failed:
            await way_of(asked, way)()
    server.close()
    assert failed.value.reason == "unreachable"
    assert b"".join(heard) == b""


@pytest.mark.parametrize("dialect", [dialect for dialect, _ in SPOKEN])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["linger", "half_close"])
async def test_what_comes_after_a_whole_answer_harms_neither_it_nor_the_next(
    opened: Transport, scripted_provider: ScriptedProvider, kind: str, way: str, dialect: Dialect
) -> None:
    fault = Fault(kind="linger" if kind == "linger" else "half_close")
    async with fault_proxy.before(scripted_provider.root_url, fault) as proxy:
        asked = at(opened, dialect, scripted_provider, proxy.root_url)
        async with asyncio.timeout(ENOUGH_S):
            for calls_made in (1, 2, 3):
                assert words(await way_of(asked, way)()) == DEFAULT_TEXT
                await proxy.has_been_late.wait()
                proxy.has_been_late.clear()
                assert proxy.connections == calls_made, "a connection with late bytes is left"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7), ("0", 0), ("10000", WAIT_S_MAX), ("soon", None), ("-3", None), ("", None)],
)
async def test_how_long_to_stay_away_is_understood_in_every_form(
    opened: Transport, scripted_provider: ScriptedProvider, text: str, seconds: int | None
) -> None:
    scripted_provider.fails(status=429, retry_after=text)
    for dialect, _ in SPOKEN:
        asked = at(opened, dialect, scripted_provider, scripted_provider.root_url)
        for way in WAYS:
            with pytest.raises(ProviderFailed) as failed:
                await way_of(asked, way)()
            assert failed.value.retry_after_s == seconds


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", "application/json"),
        (b'{"id":1}', "application/json"),
        (b"[]", "application/json"),
        (b"", "application/json"),
        (b"<!doctype html>", "text/html"),
        (b'{"ok":true}', "text/plain"),
        (b"\xff\xfe", "application/json"),
    ],
)
async def test_what_is_no_answer_is_a_failure(
    opened: Transport, scripted_provider: ScriptedProvider, body: bytes, content_type: str, way: str
) -> None:
    scripted_provider.sends(body, headers={"content-type": content_type})
    for dialect, _ in SPOKEN:
        asked = at(opened, dialect, scripted_provider, scripted_provider.root_url)
        with pytest.raises(ProviderFailed) as failed:
            await way_of(asked, way)()
        assert failed.value.reason == "malformed"


@proves("no-silent-truncation")
async def test_a_broken_event_breaks_the_answer(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.sends_a_broken_event()
    for dialect, _ in SPOKEN:
        asked = at(opened, dialect, scripted_provider, scripted_provider.root_url)
        with pytest.raises(ProviderFailed) as failed:
            await asked.streamed()
        assert failed.value.reason == "malformed"


@proves("the-next-offer-answers", "no-free-or-double-charge")
@pytest.mark.parametrize("way", WAYS)
async def test_the_next_offer_answers_whatever_happens_before_the_first_word(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look, way: str
) -> None:
    caller = await callers.signed_up(gateway)
    faults = [one.fault for one in CELLS if one.fault.after is None]
    for fault in faults:
        async with fault_proxy.before(scripted_provider.root_url, fault) as proxy:
            broken = through(gateway, f"{proxy.root_url}/v1")
            async with asyncio.timeout(ENOUGH_S):
                answer = await caller.answers(broken, stream=way == "streamed")
        assert b" words." in answer
    with running() as gone:
        nobody = f"{gone.root_url}/v1"
    assert b" words." in await caller.answers(through(gateway, nobody), stream=way == "streamed")
    receipts = [orjson.loads(one["body"]) for one in look("select body from receipts")]
    assert len(receipts) == len(faults) + 1
    for receipt in receipts:
        first, last = receipt["attempts"][0], receipt["attempts"][-1]
        assert (first["offer"], last["offer"], last["result"]) == (CHEAPEST, NEXT, "answered")
    assert books_of.violations(look) == []


@proves("the-next-offer-answers", "no-free-or-double-charge")
@pytest.mark.parametrize("way", WAYS)
async def test_an_error_status_leaves_the_call_to_the_next_offer(
    gateway: Gateway, scripted_provider: ScriptedProvider, look: Look, way: str
) -> None:
    caller = await callers.signed_up(gateway)
    statuses = (500, 502, 503, 504, 529, 408)
    for status in statuses:
        scripted_provider.fails(status=status, model="mistral-large-2512", times=1)
        fresh = replace(gateway, health=Health())
        answer = await caller.answers(fresh, stream=way == "streamed")
        assert b" words." in answer
    assert len(scripted_provider.requests) == 2 * len(statuses), "each was asked once"
    assert books_of.violations(look) == []


def at(opened: Transport, dialect: Dialect, scripted: ScriptedProvider, root_url: str) -> Asking:
    """The vendor of a dialect, at this address."""
    provider = dict(SPOKEN)[dialect]
    asked = asking.of(opened, provider, scripted)
    base_url = root_url if dialect == "anthropic_messages" else f"{root_url}/v1"
    return replace(asked, endpoint=replace(asked.endpoint, base_url=base_url)).hurried(CALM)


def way_of(asked: Asking, way: str) -> Callable[[], Awaitable[Reply | list[StreamEvent]]]:
    """How to ask."""
    return asked.whole if way == "plain" else partial(asked.streamed)


def words(answer: Reply | list[StreamEvent]) -> str | None:
    """What was said; None when it was not said to its end."""
    if isinstance(answer, Reply):
        return "".join(part.text for part in answer.parts if isinstance(part, Text))
    if not answer or not isinstance(answer[-1], Ended):
        return None
    return "".join(one.text for one in answer if isinstance(one, TextDelta))


def through(gateway: Gateway, base_url: str) -> Gateway:
    """The same gateway with a fresh memory, whose Mistral is elsewhere and has little time."""
    mistral = gateway.endpoints["mistral"]
    hurried = replace(mistral.provider, timeouts=replace(HURRIED, connect_s=20.0))
    moved = replace(mistral, provider=hurried, base_url=base_url)
    return replace(gateway, endpoints={**gateway.endpoints, "mistral": moved}, health=Health())
