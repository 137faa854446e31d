"""The first words reach every client while the model still thinks about the rest."""

from collections.abc import Iterator

import anthropic
import httpx
import openai
import pytest

from tests.clients.questions import CLAUDE, GPT
from tests.promises import proves
from tests.running_server import RunningServer
from tests.scripted_provider import DEFAULT_TEXT, ScriptedProvider

WORDS = DEFAULT_TEXT.split(" ")
STALLS_AFTER = {GPT: 3, CLAUDE: 5}
"""How many events bring two words: before them come a role, or a start, a ping and a block."""

EVERY_MODEL = pytest.mark.parametrize("model", [GPT, CLAUDE])


@proves("first-token-leaves-at-once")
@EVERY_MODEL
def test_the_openai_client_has_the_first_words_while_the_provider_stalls(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider, model: str
) -> None:
    scripted_provider.stalls_mid_stream(after_chunks=STALLS_AFTER[model])

    stream = openai_client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Say hello."}], stream=True
    )
    said = (one.choices[0].delta.content or "" for one in stream)
    require_two_words_before_the_rest(filter(None, said), scripted_provider)


@proves("first-token-leaves-at-once")
@EVERY_MODEL
def test_the_anthropic_client_has_the_first_words_while_the_provider_stalls(
    anthropic_client: anthropic.Anthropic, scripted_provider: ScriptedProvider, model: str
) -> None:
    scripted_provider.stalls_mid_stream(after_chunks=STALLS_AFTER[model])

    with anthropic_client.messages.stream(
        model=model, messages=[{"role": "user", "content": "Say hello."}], max_tokens=64
    ) as stream:
        require_two_words_before_the_rest(iter(stream.text_stream), scripted_provider)


@proves("first-token-leaves-at-once")
@EVERY_MODEL
def test_plain_http_has_the_first_words_while_the_provider_stalls(
    server: RunningServer, scripted_provider: ScriptedProvider, model: str
) -> None:
    scripted_provider.stalls_mid_stream(after_chunks=STALLS_AFTER[model])
    body = {"model": model, "messages": [{"role": "user", "content": "Hi."}], "stream": True}

    with httpx.stream(
        "POST", f"{server.url}/v1/inference", json=body, headers=server.agent.headers
    ) as came:
        lines = came.iter_lines()
        assert came.headers["x-ainfera-stream-mode"] == "native"
        assert any(f'"content":"{WORDS[0]}"' in line for line in lines)
        assert any(f'"content":" {WORDS[1]}"' in line for line in lines)
        scripted_provider.releases()
        assert list(lines)[-2:] == ["data: [DONE]", ""]


@proves("first-token-leaves-at-once")
async def test_the_asyncio_clients_have_the_first_words_too(
    async_openai_client: openai.AsyncOpenAI, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.stalls_mid_stream(after_chunks=STALLS_AFTER[GPT])

    stream = await async_openai_client.chat.completions.create(
        model=GPT, messages=[{"role": "user", "content": "Say hello."}], stream=True
    )
    said = [(await anext(stream)).choices[0].delta.content for _ in range(STALLS_AFTER[GPT])]
    assert said == ["", WORDS[0], " " + WORDS[1]]
    scripted_provider.releases()
    rest = [one.choices[0].delta.content or "" async for one in stream]
    assert "".join(rest) == DEFAULT_TEXT.removeprefix(f"{WORDS[0]} {WORDS[1]}")


@proves("cancelled-means-cancelled")
def test_a_client_that_leaves_in_the_middle_ends_the_call(
    openai_client: openai.OpenAI,
    anthropic_client: anthropic.Anthropic,
    scripted_provider: ScriptedProvider,
) -> None:
    scripted_provider.stalls_mid_stream(after_chunks=3)
    user = "Say hello."

    chunks = openai_client.chat.completions.create(
        model=GPT, messages=[{"role": "user", "content": user}], stream=True
    )
    assert next(iter(chunks))
    chunks.close()
    assert scripted_provider.saw_its_client_leave()

    events = anthropic_client.messages.create(
        model=CLAUDE, messages=[{"role": "user", "content": user}], max_tokens=64, stream=True
    )
    assert next(iter(events))
    events.close()
    assert scripted_provider.saw_its_client_leave()


def require_two_words_before_the_rest(said: Iterator[str], provider: ScriptedProvider) -> None:
    """The provider goes on only once two words have arrived, so nothing can have waited."""
    first, second = next(said), next(said)
    assert (first, second) == (WORDS[0], f" {WORDS[1]}")
    provider.releases()
    assert first + second + "".join(said) == DEFAULT_TEXT
