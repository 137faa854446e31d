"""A stream that breaks after its first byte: every client raises, keeps what came, asks once."""

from collections.abc import Callable
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.clients.questions import CLAUDE, GPT
from tests.promises import proves
from tests.running_server import RunningServer
from tests.scripted_provider import DEFAULT_TEXT, ScriptedProvider

MESSAGES: Any = [{"role": "user", "content": "Say hello."}]
ROUTED = "ainfera-inference"
BREAKS: dict[str, Callable[[ScriptedProvider], None]] = {
    "the vendor's own error": lambda provider: provider.errs_mid_stream(
        after_chunks=5, message="Overloaded."
    ),
    "a connection cut": lambda provider: provider.breaks_mid_stream(after_chunks=5),
    "an end without its terminator": lambda provider: provider.ends_without_terminator(),
    "half an event": lambda provider: provider.sends_a_broken_event(after_chunks=5),
}
EVERY_BREAK = pytest.mark.parametrize("breaks", BREAKS.values(), ids=BREAKS)
EVERY_MODEL = pytest.mark.parametrize("model", [GPT, CLAUDE, ROUTED])


@proves("no-silent-truncation", "nothing-glued", "vendor-clients-work")
@EVERY_BREAK
@EVERY_MODEL
def test_the_openai_client_raises_and_keeps_what_came(
    openai_client: openai.OpenAI,
    scripted_provider: ScriptedProvider,
    breaks: Callable[[ScriptedProvider], None],
    model: str,
) -> None:
    breaks(scripted_provider)
    said: list[str] = []

    stream = openai_client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIError, match=r"provider|Mistral|OpenAI|Anthropic") as caught:
        said.extend(one.choices[0].delta.content or "" for one in stream)

    assert "".join(said)
    assert DEFAULT_TEXT.startswith("".join(said))
    assert type(caught.value) is openai.APIError
    assert caught.value.code == "provider_error"
    assert caught.value.type == "server_error"
    assert len(scripted_provider.requests) == 1


@proves("no-silent-truncation", "nothing-glued", "vendor-clients-work")
@EVERY_BREAK
@EVERY_MODEL
def test_the_anthropic_client_raises_and_keeps_what_came(
    anthropic_client: anthropic.Anthropic,
    scripted_provider: ScriptedProvider,
    breaks: Callable[[ScriptedProvider], None],
    model: str,
) -> None:
    breaks(scripted_provider)
    said: list[str] = []

    with (
        anthropic_client.messages.stream(model=model, messages=MESSAGES, max_tokens=64) as stream,
        pytest.raises(anthropic.APIStatusError) as caught,
    ):
        said.extend(stream.text_stream)

    assert "".join(said)
    assert DEFAULT_TEXT.startswith("".join(said))
    assert caught.value.status_code == 200
    assert caught.value.type in {"api_error", "overloaded_error"}
    body: Any = caught.value.body
    assert body["request_id"] == caught.value.response.headers["request-id"]
    assert len(scripted_provider.requests) == 1


def test_an_overloaded_vendor_keeps_its_word_for_it_in_the_stream(
    anthropic_client: anthropic.Anthropic, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.errs_mid_stream(after_chunks=5, message="Overloaded.")

    stream = anthropic_client.messages.create(
        model=CLAUDE, messages=MESSAGES, max_tokens=64, stream=True
    )
    with pytest.raises(anthropic.APIStatusError, match=r"Overloaded\.") as caught:
        list(stream)

    assert caught.value.type == "overloaded_error"


@proves("no-silent-truncation")
@EVERY_BREAK
@pytest.mark.parametrize("path", ["/v1/inference", "/v1/chat/completions", "/v1/messages"])
def test_the_bytes_of_a_broken_stream_end_in_one_error_and_no_terminator(
    server: RunningServer,
    scripted_provider: ScriptedProvider,
    breaks: Callable[[ScriptedProvider], None],
    path: str,
) -> None:
    breaks(scripted_provider)
    body = {"model": ROUTED, "messages": MESSAGES, "max_tokens": 64, "stream": True}

    with httpx.stream("POST", server.url + path, json=body, headers=server.agent.headers) as came:
        lines = [line for line in came.iter_lines() if line]

    is_messages = path == "/v1/messages"
    assert lines[-1].startswith(
        'data: {"type":"error","error"' if is_messages else 'data: {"error"'
    )
    assert "[DONE]" not in lines[-1]
    assert not any("message_stop" in line or "[DONE]" in line for line in lines)
    if is_messages:
        assert lines[-2] == "event: error"
