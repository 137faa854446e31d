"""When a provider fails before its first byte: what each client raises, and how often it asks."""

from dataclasses import dataclass
from typing import Any

import ainfera
import anthropic
import openai
import pytest
from ainfera import Agent

from tests.clients.questions import CLAUDE, GPT, GPT_UPSTREAM, MISTRAL_UPSTREAM
from tests.promises import proves
from tests.scripted_provider import DEFAULT_KEY, ScriptedProvider

MESSAGES: Any = [{"role": "user", "content": "Say hello."}]
ROUTED = "ainfera-inference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A provider's status; what the clients raise, and the requests that the provider then sees.

    `is_the_vendors` says that a caller who speaks the vendor's dialect gets the vendor's own words.
    """

    upstream: int
    status: int
    in_openai: type[openai.APIStatusError]
    in_anthropic: type[anthropic.APIStatusError]
    requests: int
    is_the_vendors: bool = False


FAILURES = (
    Failure(
        upstream=400,
        status=400,
        in_openai=openai.BadRequestError,
        in_anthropic=anthropic.BadRequestError,
        requests=1,
        is_the_vendors=True,
    ),
    Failure(
        upstream=413,
        status=413,
        in_openai=openai.APIStatusError,
        in_anthropic=anthropic.ContentTooLargeError,
        requests=1,
        is_the_vendors=True,
    ),
    Failure(
        upstream=422,
        status=422,
        in_openai=openai.UnprocessableEntityError,
        in_anthropic=anthropic.UnprocessableEntityError,
        requests=1,
        is_the_vendors=True,
    ),
    # Our key at the provider, our account there or its list of models: not the caller's doing, and
    # no better the next time.
    *(
        Failure(
            upstream=status,
            status=502,
            in_openai=openai.InternalServerError,
            in_anthropic=anthropic.InternalServerError,
            requests=1,
        )
        for status in (401, 402, 403, 404)
    ),
    *(
        Failure(
            upstream=status,
            status=502,
            in_openai=openai.InternalServerError,
            in_anthropic=anthropic.InternalServerError,
            requests=3,
        )
        for status in (500, 502, 503, 529)
    ),
    Failure(
        upstream=504,
        status=504,
        in_openai=openai.InternalServerError,
        in_anthropic=anthropic.GatewayTimeoutError,
        requests=3,
    ),
    # Each of the client's three requests is tried three times here.
    Failure(
        upstream=429,
        status=502,
        in_openai=openai.InternalServerError,
        in_anthropic=anthropic.InternalServerError,
        requests=9,
    ),
)
EVERY_FAILURE = pytest.mark.parametrize("failure", FAILURES, ids=lambda one: str(one.upstream))
PLAIN_OR_STREAMED = pytest.mark.parametrize("streams", [False, True], ids=["plain", "streamed"])


@pytest.fixture(autouse=True)
def clients_ask_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """How often they ask again is theirs to say; how long they wait is only time."""
    for client in ("openai", "anthropic"):
        monkeypatch.setattr(f"{client}._base_client.INITIAL_RETRY_DELAY", 0.001)


@proves("vendor-clients-work")
@EVERY_FAILURE
@PLAIN_OR_STREAMED
def test_the_openai_client_raises_what_the_provider_did(
    openai_client: openai.OpenAI,
    scripted_provider: ScriptedProvider,
    failure: Failure,
    streams: bool,  # noqa: FBT001 (pytest passes by name)
) -> None:
    scripted_provider.fails(status=failure.upstream, message="Not today.")

    with pytest.raises(openai.APIStatusError, match=r"Not today\.") as caught:
        openai_client.chat.completions.create(model=GPT, messages=MESSAGES, stream=streams)

    assert type(caught.value) is failure.in_openai
    assert caught.value.status_code == failure.status
    assert caught.value.code == (None if failure.is_the_vendors else "provider_error")
    assert len(scripted_provider.requests) == failure.requests
    assert DEFAULT_KEY not in caught.value.response.text


@proves("vendor-clients-work")
@EVERY_FAILURE
@PLAIN_OR_STREAMED
def test_the_anthropic_client_raises_what_the_provider_did(
    anthropic_client: anthropic.Anthropic,
    scripted_provider: ScriptedProvider,
    failure: Failure,
    streams: bool,  # noqa: FBT001 (pytest passes by name)
) -> None:
    scripted_provider.fails(status=failure.upstream, message="Not today.")

    with pytest.raises(anthropic.APIStatusError, match=r"Not today\.") as caught:
        anthropic_client.messages.create(
            model=CLAUDE, messages=MESSAGES, max_tokens=64, stream=streams
        )

    assert type(caught.value) is failure.in_anthropic
    assert caught.value.status_code == failure.status
    body: Any = caught.value.body
    assert ("detail" not in body) == failure.is_the_vendors
    assert len(scripted_provider.requests) == failure.requests
    assert DEFAULT_KEY not in caught.value.response.text


@pytest.mark.parametrize("upstream", [400, 401, 429, 503, 504])
def test_the_ainfera_client_raises_what_the_provider_did_and_asks_once(
    ainfera_agent: Agent, scripted_provider: ScriptedProvider, upstream: int
) -> None:
    scripted_provider.fails(status=upstream, message="Not today.")

    with pytest.raises(ainfera.APIError, match=r"Not today\.") as caught:
        ainfera_agent.inference(model=GPT, messages=MESSAGES)

    assert caught.value.status_code == (504 if upstream == 504 else 502)
    assert caught.value.body["detail"]["code"] == "provider_error"
    assert caught.value.body["detail"]["upstream_status"] == upstream
    assert len(scripted_provider.requests) == (3 if upstream == 429 else 1)


@pytest.mark.parametrize("upstream", [429, 500, 503, 504])
def test_a_provider_that_recovers_answers_the_same_call_of_either_client(
    openai_client: openai.OpenAI,
    anthropic_client: anthropic.Anthropic,
    scripted_provider: ScriptedProvider,
    upstream: int,
) -> None:
    for ask in (
        lambda: openai_client.chat.completions.create(model=GPT, messages=MESSAGES),
        lambda: anthropic_client.messages.create(model=CLAUDE, messages=MESSAGES, max_tokens=64),
    ):
        scripted_provider.requests.clear()
        scripted_provider.fails(status=upstream, times=1)
        assert ask()
        assert len(scripted_provider.requests) == 2


@pytest.mark.parametrize("streams", [False, True], ids=["plain", "streamed"])
def test_when_all_routed_models_fail_the_clients_hear_so(
    openai_client: openai.OpenAI,
    anthropic_client: anthropic.Anthropic,
    ainfera_agent: Agent,
    scripted_provider: ScriptedProvider,
    streams: bool,  # noqa: FBT001 (pytest passes by name)
) -> None:
    scripted_provider.fails(status=503, message="Not today.")

    with pytest.raises(openai.InternalServerError, match="none answered") as to_openai:
        openai_client.chat.completions.create(model=ROUTED, messages=MESSAGES, stream=streams)
    tried = [one.model for one in scripted_provider.requests]
    with pytest.raises(anthropic.InternalServerError, match="none answered") as to_anthropic:
        anthropic_client.messages.create(
            model=ROUTED, messages=MESSAGES, max_tokens=64, stream=streams
        )
    with pytest.raises(ainfera.APIError, match="none answered") as to_ainfera:
        ainfera_agent.inference(model=ROUTED, messages=MESSAGES)

    assert tried == [MISTRAL_UPSTREAM, GPT_UPSTREAM, CLAUDE] * 3
    assert to_openai.value.status_code == to_anthropic.value.status_code == 503
    assert to_openai.value.code == "all_routed_models_failed"
    assert to_anthropic.value.type == "api_error"
    assert to_ainfera.value.status_code == 503


@proves("the-next-offer-answers")
def test_a_client_never_hears_of_the_model_that_failed_before_another_answered(
    openai_client: openai.OpenAI,
    anthropic_client: anthropic.Anthropic,
    scripted_provider: ScriptedProvider,
) -> None:
    scripted_provider.fails(status=503, model=MISTRAL_UPSTREAM)

    raw = openai_client.chat.completions.with_raw_response.create(model=ROUTED, messages=MESSAGES)
    with anthropic_client.messages.stream(
        model=ROUTED, messages=MESSAGES, max_tokens=64
    ) as stream:
        answer = stream.get_final_message()

    assert raw.headers["x-ainfera-model"] == GPT
    assert answer.model == GPT
    assert len(scripted_provider.requests) == 4


def test_a_page_of_a_proxy_never_reaches_a_client(
    openai_client: openai.OpenAI,
    anthropic_client: anthropic.Anthropic,
    scripted_provider: ScriptedProvider,
) -> None:
    scripted_provider.sends_html()

    with pytest.raises(openai.InternalServerError) as to_openai:
        openai_client.chat.completions.create(model=GPT, messages=MESSAGES)
    with pytest.raises(anthropic.InternalServerError) as to_anthropic:
        anthropic_client.messages.create(model=CLAUDE, messages=MESSAGES, max_tokens=64)

    for problem in (to_openai.value, to_anthropic.value):
        assert problem.status_code == 502
        assert "<" not in problem.response.text
