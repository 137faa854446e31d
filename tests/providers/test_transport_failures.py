"""However a provider fails, a call ends in time and as one kind of error."""

import asyncio
import gzip
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from ainfera_server.errors import ProviderFailed
from ainfera_server.providers import transport
from ainfera_server.providers.provider import Endpoint, Timeouts
from ainfera_server.providers.transport import Transport
from tests.promises import proves
from tests.providers.calls import (
    ENOUGH_S,
    PATIENT,
    SHORT_S,
    Writer,
    ask,
    dripping,
    endpoint_at,
    failures,
    http_head,
    listen,
    listening,
    reasons,
    sends,
    server,
)
from tests.scripted_provider import DEFAULT_KEY, ScriptedProvider, running

Call = Callable[[Transport, Endpoint, Timeouts], Awaitable[object]]
CALLS = (("application/json", ask), ("text/event-stream", listen))
HURRIED = Timeouts(first_byte_s=SHORT_S, plain_first_byte_s=SHORT_S)


@pytest.fixture
async def opened() -> AsyncIterator[Transport]:
    async with transport.opened() as one:
        yield one


async def test_nobody_at_the_address_is_unreachable(opened: Transport) -> None:
    with running() as gone:
        endpoint = gone.endpoint()
    assert reasons(await failures(opened, endpoint)) == {"unreachable"}


@proves("waiting-is-bounded")
async def test_a_connection_that_never_stands_ends_at_its_deadline(opened: Transport) -> None:
    silent = asyncio.Event()

    async def says_nothing(_: Writer) -> None:
        await silent.wait()

    async with server(says_nothing, scheme="https") as endpoint:
        failed = await failures(opened, endpoint, Timeouts(connect_s=SHORT_S))
        silent.set()
    assert reasons(failed) == {"unreachable"}


async def test_a_server_that_does_not_speak_tls_is_unreachable(opened: Transport) -> None:
    async def says_hello(writer: Writer) -> None:
        await sends(writer, b"220 mail.example.com\r\n")

    async with server(says_hello, scheme="https") as endpoint:
        assert reasons(await failures(opened, endpoint)) == {"unreachable"}


@proves("waiting-is-bounded", "cancelled-means-cancelled")
async def test_silence_before_the_first_byte_ends_at_its_deadline(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.is_silent()
    failed = await failures(opened, scripted_provider.endpoint(), HURRIED)
    assert reasons(failed) == {"timeout"}
    assert await scripted_provider.sees_its_client_leave()
    assert await scripted_provider.sees_its_client_leave()


@proves("waiting-is-bounded")
async def test_silence_after_the_headers_ends_at_the_first_bytes_deadline(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.stalls_mid_stream(after_chunks=0)
    with pytest.raises(ProviderFailed) as failed:
        await listen(opened, scripted_provider.endpoint(), HURRIED)
    assert failed.value.reason == "timeout"
    assert await scripted_provider.sees_its_client_leave()


@proves("waiting-is-bounded")
async def test_silence_in_the_middle_ends_at_the_idle_deadline(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.stalls_mid_stream(after_chunks=2)
    failed = await failures(opened, scripted_provider.endpoint(), Timeouts(idle_s=SHORT_S))
    assert reasons(failed) == {"timeout"}


@proves("waiting-is-bounded")
@pytest.mark.parametrize(("content_type", "call"), CALLS)
async def test_an_answer_that_drips_for_ever_ends_at_the_total_deadline(
    opened: Transport, content_type: str, call: Call
) -> None:
    async with server(dripping(content_type)) as endpoint, asyncio.timeout(ENOUGH_S):
        with pytest.raises(ProviderFailed) as failed:
            await call(opened, endpoint, Timeouts(total_s=4 * SHORT_S))
    assert failed.value.reason == "timeout"


@proves("cancelled-means-cancelled")
@pytest.mark.parametrize("call", [ask, listen])
@pytest.mark.parametrize("wait", [ScriptedProvider.is_silent, ScriptedProvider.stalls_mid_stream])
async def test_a_call_that_is_cancelled_closes_its_connection_within_a_second(
    opened: Transport,
    scripted_provider: ScriptedProvider,
    call: Call,
    wait: Callable[[ScriptedProvider], None],
) -> None:
    wait(scripted_provider)
    task = asyncio.ensure_future(call(opened, scripted_provider.endpoint(), PATIENT))
    assert await scripted_provider.sees_a_client_come()
    task.cancel()
    assert await scripted_provider.sees_its_client_leave(within_s=1.0)
    with pytest.raises(asyncio.CancelledError):
        await task


@proves("cancelled-means-cancelled")
async def test_leaving_a_stream_early_closes_its_connection_within_a_second(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.stalls_mid_stream(after_chunks=1)
    async with listening(opened, scripted_provider.endpoint()) as answer:
        await anext(answer.chunks)
    assert await scripted_provider.sees_its_client_leave(within_s=1.0)


async def test_a_connection_that_breaks_in_the_middle_is_incomplete(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.breaks_mid_stream()
    assert reasons(await failures(opened, scripted_provider.endpoint())) == {"incomplete"}


async def test_what_came_before_a_break_is_handed_on_first(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.breaks_mid_stream(after_chunks=3)
    came: list[bytes] = []
    with pytest.raises(ProviderFailed):
        await listen(opened, scripted_provider.endpoint(), heard=came.append)
    assert b"".join(came).count(b"data: ") == 3


@pytest.mark.parametrize(("content_type", "call"), CALLS)
async def test_a_body_shorter_than_announced_is_incomplete(
    opened: Transport, content_type: str, call: Call
) -> None:
    async def cuts_short(writer: Writer) -> None:
        await sends(writer, http_head(content_type=content_type, content_length="9") + b"{}")

    async with server(cuts_short) as endpoint:
        with pytest.raises(ProviderFailed) as failed:
            await call(opened, endpoint, PATIENT)
    assert failed.value.reason == "incomplete"


async def test_a_connection_closed_without_a_word_is_incomplete(opened: Transport) -> None:
    async def hangs_up(writer: Writer) -> None:
        writer.close()

    async with server(hangs_up) as endpoint:
        assert reasons(await failures(opened, endpoint)) == {"incomplete"}


@pytest.mark.parametrize(
    "said",
    [
        b"220 mail.example.com ESMTP\r\n",
        b"HTTP/1.1 wrong\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_malformed(opened: Transport, said: bytes) -> None:
    async def says_it(writer: Writer) -> None:
        await sends(writer, said)

    async with server(says_it) as endpoint:
        assert reasons(await failures(opened, endpoint)) == {"malformed"}


async def test_a_page_instead_of_an_answer_is_malformed(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.sends_html()
    failed = await failures(opened, scripted_provider.endpoint())
    assert reasons(failed) == {"malformed"}
    assert {one.upstream_status for one in failed} == {200}


async def test_an_empty_success_is_malformed(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.sends(b" \n")
    assert reasons(await failures(opened, scripted_provider.endpoint())) == {"malformed"}


async def test_a_redirect_is_not_followed_because_it_would_take_the_key_along(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    with running() as elsewhere:
        for status in (301, 302, 303, 307, 308):
            headers = {"location": f"{elsewhere.base_url}/chat/completions"}
            scripted_provider.sends(b"", status=status, headers=headers)
            failed = await failures(opened, scripted_provider.endpoint())
            assert reasons(failed) == {"malformed"}
        assert elsewhere.requests == []


async def test_a_packed_answer_is_unpacked(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.sends(gzip.compress(b'{"a":1}'), headers={"content-encoding": "gzip"})
    assert (await ask(opened, scripted_provider.endpoint())).body == b'{"a":1}'


async def test_a_body_that_cannot_be_unpacked_is_malformed(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.sends(b"not packed at all", headers={"content-encoding": "gzip"})
    assert reasons(await failures(opened, scripted_provider.endpoint())) == {"malformed"}


async def test_an_answer_is_measured_as_it_is_unpacked_and_refused_when_too_large(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    bomb = gzip.compress(bytes(transport.ANSWER_BYTES_MAX + 1))
    scripted_provider.sends(bomb, headers={"content-encoding": "gzip"})
    with pytest.raises(ProviderFailed) as failed:
        await ask(opened, scripted_provider.endpoint())
    assert failed.value.reason == "malformed"


@proves("secrets-stay")
async def test_a_failure_shows_no_credential(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.breaks_mid_stream()
    failed = [*await failures(opened, scripted_provider.endpoint())]

    async def echoes_the_key(writer: Writer) -> None:
        await sends(writer, f"HTTP/1.1 Bearer {DEFAULT_KEY}\r\n\r\n".encode())

    async with server(echoes_the_key) as endpoint:
        failed += await failures(opened, endpoint)
    failed += await failures(opened, endpoint_at("http://127.0.0.1:9"))
    for one in failed:
        shown = "".join(traceback.format_exception(one)) + repr(one) + one.sentence
        assert DEFAULT_KEY not in shown


async def test_what_follows_the_end_of_an_answer_is_not_waited_for_long(opened: Transport) -> None:
    async with (
        server(dripping("text/event-stream")) as endpoint,
        asyncio.timeout(ENOUGH_S),
        listening(opened, endpoint) as answer,
    ):
        await anext(answer.chunks)
        await answer.drain()
