"""A call or a stream that goes well brings what the provider sent, as it sends it."""

import json
from collections.abc import AsyncIterator

import pytest

from ainfera_server.providers import transport
from ainfera_server.providers.transport import Answer, Transport
from tests.promises import proves
from tests.providers import vendor_shapes
from tests.providers.calls import (
    HEADERS,
    PATH,
    PATIENT,
    ask,
    endpoint_at,
    listen,
    listening,
    question,
)
from tests.scripted_provider import DEFAULT_KEY, DEFAULT_TEXT, ScriptedProvider


@pytest.fixture
async def opened() -> AsyncIterator[Transport]:
    async with transport.opened() as one:
        yield one


async def test_a_plain_answer_comes_whole(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    answer = await ask(opened, scripted_provider.endpoint())
    assert answer.status == 200
    assert json.loads(answer.body)["choices"][0]["message"]["content"] == DEFAULT_TEXT
    assert answer.headers["content-type"] == "application/json"
    assert answer.retry_after_s is None


async def test_a_stream_comes_whole(opened: Transport, scripted_provider: ScriptedProvider) -> None:
    body = await listen(opened, scripted_provider.endpoint())
    assert body.startswith(b"data: {")
    assert body.endswith(b"data: [DONE]\n\n")


async def test_a_provider_gets_our_headers_and_body_and_nothing_else(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    await ask(opened, scripted_provider.endpoint())
    (request,) = scripted_provider.requests
    assert request.path == "/v1/chat/completions"
    assert request.body == question(stream=False)
    assert request.headers == {
        "host": scripted_provider.root_url.removeprefix("http://"),
        "authorization": f"Bearer {DEFAULT_KEY}",
        "user-agent": "ainfera-server",
        "content-type": "application/json",
        "content-length": str(len(request.body)),
        "accept": "application/json",
        "accept-encoding": "identity",
    }


@proves("first-token-leaves-at-once")
async def test_the_first_event_of_a_stream_does_not_wait_for_the_others(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.stalls_mid_stream(after_chunks=1)
    async with listening(opened, scripted_provider.endpoint()) as answer:
        first = await anext(answer.chunks)
        assert first.count(b"data: ") == 1
        scripted_provider.releases()
        rest = b"".join([chunk async for chunk in answer.chunks])
    assert rest.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("status", [400, 401, 404, 408, 409, 425, 429, 500, 502, 503, 504, 529])
async def test_an_error_status_is_an_answer_with_the_vendors_words(
    opened: Transport, scripted_provider: ScriptedProvider, status: int
) -> None:
    scripted_provider.fails(status=status, message="No.", retry_after=7)
    endpoint, body = scripted_provider.endpoint(), question(stream=True)
    plain = await ask(opened, endpoint)
    async with opened.stream(
        endpoint, PATH, headers=HEADERS, body=body, timeouts=PATIENT
    ) as streamed:
        answers = (plain, streamed)
    for answer in answers:
        assert isinstance(answer, Answer)
        assert answer.status == status
        assert answer.body == vendor_shapes.error("openai_chat", status=status, message="No.")
        assert answer.retry_after_s == 7


async def test_an_error_page_is_an_answer_too_because_its_status_says_enough(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.sends_html(status=502)
    assert (await ask(opened, scripted_provider.endpoint())).status == 502


async def test_a_provider_that_does_not_say_how_long_to_wait_is_not_guessed_at(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.fails(status=429, retry_after="soon")
    assert (await ask(opened, scripted_provider.endpoint())).retry_after_s is None


async def test_the_connection_of_a_whole_answer_serves_the_next_call(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    for _ in range(2):
        await ask(opened, scripted_provider.endpoint())
        async with listening(opened, scripted_provider.endpoint()) as answer:
            await anext(answer.chunks)
            await answer.drain()
    assert len({one.peer for one in scripted_provider.requests}) == 1


async def test_what_a_provider_wants_remembered_is_forgotten(
    opened: Transport, scripted_provider: ScriptedProvider
) -> None:
    by_name = scripted_provider.base_url.replace("127.0.0.1", "localhost")  # Has cookies; IPs none.
    scripted_provider.sends(b"{}", headers={"set-cookie": "who=me; path=/"})
    await ask(opened, endpoint_at(by_name))
    await ask(opened, endpoint_at(by_name))
    assert "cookie" not in scripted_provider.requests[1].headers


async def test_the_proxies_of_the_environment_are_not_used(
    opened: Transport, scripted_provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await ask(opened, scripted_provider.endpoint())).status == 200
