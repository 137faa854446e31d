"""When a provider fails before its first byte: what each client raises, and how often it asks."""

from dataclasses import dataclass
from typing import Any, Protocol

import ainfera
import anthropic
import openai
import pytest
from ainfera import Agent

from tests.clients.questions import CLAUDE, GPT, GPT_UPSTREAM, MISTRAL_UPSTREAM
from tests.promises import proves
from tests.providers import vendor_shapes
from tests.scripted_provider import DEFAULT_KEY, ScriptedProvider


class Answered(Protocol):
    """An answer of either client's HTTP library."""

    @property
    def status_code(self) -> int: ...
    @property
    def content(self) -> bytes: ...
    @property
    def text(self) -> str: ...
    def json(self) -> Any: ...


MESSAGES: Any = [{"role": "user", "content": "Say hello."}]
ROUTED = "ainfera-inference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A provider's status, what the clients then raise, and how often the provider is asked.

    Whoever speaks the provider's dialect gets `theirs`: its own words and status, unless it speaks
    of our key or our account there. To all others the failure is told in our words.
    """

    upstream: int
    theirs: bool
    requests: int
    openai_status: int
    in_openai: type[openai.APIStatusError]
    anthropic_status: int
    in_anthropic: type[anthropic.APIStatusError]
    anthropic_type: str

    @property
    def words(self) -> str:
        """What the caller reads: of our own key at the provider, only that it is not theirs."""
        return "server's own credential" if self.upstream in {401, 402, 403} else r"Not today\."


def refused(
    upstream: int,
    in_openai: type[openai.APIStatusError],
    in_anthropic: type[anthropic.APIStatusError],
) -> Failure:
    """The question was at fault, so that nobody asks it again."""
    return Failure(
        upstream=upstream,
        theirs=True,
        requests=1,
        openai_status=502,
        in_openai=in_openai,
        anthropic_status=502,
        in_anthropic=in_anthropic,
        anthropic_type="api_error",
    )


def ours(upstream: int) -> Failure:
    """Our key, our account or a name of ours was at fault: no better the next time."""
    return Failure(
        upstream=upstream,
        theirs=False,
        requests=1,
        openai_status=502,
        in_openai=openai.InternalServerError,
        anthropic_status=502,
        in_anthropic=anthropic.InternalServerError,
        anthropic_type="api_error",
    )


def over_soon(upstream: int, in_anthropic: type[anthropic.APIStatusError]) -> Failure:
    """The provider was at fault, so that the client asks three times."""
    return Failure(
        upstream=upstream,
        theirs=True,
        requests=3,
        openai_status=503,
        in_openai=openai.InternalServerError,
        anthropic_status=529,
        in_anthropic=in_anthropic,
        anthropic_type="overloaded_error",
    )


FAILURES = (
    refused(400, openai.BadRequestError, anthropic.BadRequestError),
    refused(413, openai.APIStatusError, anthropic.ContentTooLargeError),
    refused(422, openai.UnprocessableEntityError, anthropic.UnprocessableEntityError),
    *(ours(status) for status in (401, 402, 403, 404)),
    over_soon(500, anthropic.InternalServerError),
    over_soon(502, anthropic.InternalServerError),
    over_soon(503, anthropic.ServiceUnavailableError),
    over_soon(529, anthropic.OverloadedError),
    Failure(
        upstream=504,
        theirs=False,
        requests=3,
        openai_status=504,
        in_openai=openai.InternalServerError,
        anthropic_status=504,
        in_anthropic=anthropic.GatewayTimeoutError,
        anthropic_type="timeout_error",
    ),
    # Each of the client's three requests is tried three times here.
    Failure(
        upstream=429,
        theirs=True,
        requests=9,
        openai_status=429,
        in_openai=openai.RateLimitError,
        anthropic_status=429,
        in_anthropic=anthropic.RateLimitError,
        anthropic_type="rate_limit_error",
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
def test_the_openai_client_raises_what_openai_said(
    openai_client: openai.OpenAI,
    scripted_provider: ScriptedProvider,
    failure: Failure,
    streams: bool,  # noqa: FBT001 (pytest passes by name)
) -> None:
    scripted_provider.fails(status=failure.upstream, message="Not today.")

    with pytest.raises(openai.APIStatusError, match=failure.words) as caught:
        openai_client.chat.completions.create(model=GPT, messages=MESSAGES, stream=streams)

    assert type(caught.value) is failure.in_openai
    own = vendor_shapes.error("openai_chat", status=failure.upstream, message="Not today.")
    require_theirs_or_ours(caught.value.response, failure, own, failure.openai_status)
    assert len(scripted_provider.requests) == failure.requests


@proves("vendor-clients-work")
@EVERY_FAILURE
@PLAIN_OR_STREAMED
def test_the_anthropic_client_raises_what_anthropic_said(
    anthropic_client: anthropic.Anthropic,
    scripted_provider: ScriptedProvider,
    failure: Failure,
    streams: bool,  # noqa: FBT001 (pytest passes by name)
) -> None:
    scripted_provider.fails(status=failure.upstream, message="Not today.")

    with pytest.raises(anthropic.APIStatusError, match=failure.words) as caught:
        anthropic_client.messages.create(
            model=CLAUDE, messages=MESSAGES, max_tokens=64, stream=streams
        )

    assert type(caught.value) is failure.in_anthropic
    own = vendor_shapes.error("anthropic_messages", status=failure.upstream, message="Not today.")
    require_theirs_or_ours(caught.value.response, failure, own, failure.anthropic_status)
    assert len(scripted_provider.requests) == failure.requests


@EVERY_FAILURE
def test_what_a_vendor_of_the_other_dialect_said_keeps_its_meaning(
    openai_client: openai.OpenAI,
    anthropic_client: anthropic.Anthropic,
    scripted_provider: ScriptedProvider,
    failure: Failure,
) -> None:
    scripted_provider.fails(status=failure.upstream, message="Not today.")

    with pytest.raises(openai.APIStatusError, match=failure.words) as to_openai:
        openai_client.chat.completions.create(model=CLAUDE, messages=MESSAGES)
    with pytest.raises(anthropic.APIStatusError, match=failure.words) as to_anthropic:
        anthropic_client.messages.create(model=GPT, messages=MESSAGES, max_tokens=64)

    assert to_openai.value.status_code == failure.openai_status
    assert to_openai.value.response.json()["detail"]["upstream_status"] == failure.upstream
    assert to_anthropic.value.status_code == failure.anthropic_status
    assert to_anthropic.value.type == failure.anthropic_type
    assert len(scripted_provider.requests) == 2 * failure.requests


@pytest.mark.parametrize("is_last", ["false", "true"])
def test_what_a_vendor_says_about_trying_again_is_what_its_client_does(
    anthropic_client: anthropic.Anthropic, scripted_provider: ScriptedProvider, is_last: str
) -> None:
    scripted_provider.fails(status=503, headers={"x-should-retry": is_last})

    with pytest.raises(anthropic.APIStatusError) as caught:
        anthropic_client.messages.create(model=CLAUDE, messages=MESSAGES, max_tokens=64)

    assert caught.value.response.headers["x-should-retry"] == is_last
    assert len(scripted_provider.requests) == (1 if is_last == "false" else 3)


@pytest.mark.parametrize("said", ["75", "75.2", "Wed, 21 Oct 2065 07:28:00 GMT"])
def test_how_long_a_vendor_wants_to_be_left_alone_is_told_in_whole_seconds(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider, said: str
) -> None:
    scripted_provider.fails(status=503, retry_after=said)

    with pytest.raises(openai.APIStatusError) as caught:
        openai_client.with_options(max_retries=0).chat.completions.create(
            model=GPT, messages=MESSAGES
        )

    assert int(caught.value.response.headers["retry-after"]) >= 75


@pytest.mark.parametrize("upstream", [400, 401, 429, 503, 504])
def test_the_ainfera_client_raises_what_the_provider_did_and_asks_once(
    ainfera_agent: Agent, scripted_provider: ScriptedProvider, upstream: int
) -> None:
    scripted_provider.fails(status=upstream, message="Not today.")

    words = "server's own credential" if upstream == 401 else r"Not today\."
    with pytest.raises(ainfera.APIError, match=words) as caught:
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
    assert type(to_anthropic.value) is anthropic.ServiceUnavailableError
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
    with anthropic_client.messages.stream(model=ROUTED, messages=MESSAGES, max_tokens=64) as stream:
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


def require_theirs_or_ours(answer: Answered, failure: Failure, own: bytes, our_status: int) -> None:
    """The vendor's answer to the byte, or our words with its status in them; never our key."""
    assert DEFAULT_KEY not in answer.text
    if failure.theirs:
        assert answer.status_code == failure.upstream
        assert answer.content == own
        return
    assert answer.status_code == our_status
    detail = answer.json()["detail"]
    assert detail["code"] == "provider_error"
    assert detail["upstream_status"] == failure.upstream
