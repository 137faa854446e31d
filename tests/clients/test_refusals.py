"""What we refuse ourselves, as each client raises it: its class, its code and our sentence."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import ainfera
import anthropic
import openai
import pytest

from tests.clients.conftest import BODY_BYTES_MAX, House
from tests.clients.questions import CLAUDE, GPT
from tests.promises import proves
from tests.running_server import RunningServer, json_of
from tests.scripted_provider import ScriptedProvider

MESSAGES: Any = [{"role": "user", "content": "Say hello."}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A question that we refuse, and what each client makes of it.

    Of OpenAI's error the code is named, of Anthropic's the type, of ours the status.
    """

    name: str
    words: str
    asked: Mapping[str, Any] = field(default_factory=dict[str, Any])
    policy: Mapping[str, object] = field(default_factory=dict[str, object])
    in_openai: tuple[type[openai.APIStatusError], str]
    in_anthropic: tuple[type[anthropic.APIStatusError], str]
    in_ainfera: tuple[type[ainfera.APIError], int]


REFUSALS = (
    Refusal(
        name="an empty wallet",
        words=r"behind it, has 5\.000000 USD to spend, and this call may cost up to 7\.5\d+ USD",
        asked={"model": CLAUDE, "max_tokens": 100_000},
        in_openai=(openai.APIStatusError, "credit_balance_exhausted"),
        in_anthropic=(anthropic.PaymentRequiredError, "billing_error"),
        in_ainfera=(ainfera.WalletInsufficient, 402),
    ),
    Refusal(
        name="a cap on each call",
        words=r"This call may cost up to 0\.\d+ USD, and one call may cost 0\.010000 USD",
        asked={"model": CLAUDE, "max_tokens": 1_000},
        policy={"per_call_cap_usd": "0.01"},
        in_openai=(openai.APIStatusError, "project_spend_limit_exceeded"),
        in_anthropic=(anthropic.PaymentRequiredError, "billing_error"),
        in_ainfera=(ainfera.SpendPolicyExceeded, 403),
    ),
    Refusal(
        name="a cap on each day",
        words=r"0\.010000 USD of the daily cap of 0\.010000 USD remain until \d{4}-\d\d-\d\dT",
        asked={"model": CLAUDE, "max_tokens": 1_000},
        policy={"daily_cap_usd": "0.01"},
        in_openai=(openai.APIStatusError, "project_spend_limit_exceeded"),
        in_anthropic=(anthropic.PaymentRequiredError, "billing_error"),
        in_ainfera=(ainfera.SpendPolicyExceeded, 403),
    ),
    Refusal(
        name="an unknown model",
        words=r"The model 'gpt-nonsense' is not in the catalog",
        asked={"model": "gpt-nonsense"},
        in_openai=(openai.UnprocessableEntityError, "model_unavailable"),
        in_anthropic=(anthropic.UnprocessableEntityError, "invalid_request_error"),
        in_ainfera=(ainfera.ModelUnavailable, 422),
    ),
    Refusal(
        name="a provider without a key",
        words=r"The model 'grok-\S+' needs a key for",
        asked={"model": "grok-4-5"},
        in_openai=(openai.UnprocessableEntityError, "model_unavailable"),
        in_anthropic=(anthropic.UnprocessableEntityError, "invalid_request_error"),
        in_ainfera=(ainfera.ModelUnavailable, 422),
    ),
    Refusal(
        name="a floor that nobody clears",
        words=r"quality floor of 0\.99",
        asked={"model": "ainfera-inference", "routing_hint": {"min_quality": 0.99}},
        in_openai=(openai.UnprocessableEntityError, "no_candidate_clears_floor"),
        in_anthropic=(anthropic.UnprocessableEntityError, "invalid_request_error"),
        in_ainfera=(ainfera.APIError, 422),
    ),
    Refusal(
        name="a hint that means nothing",
        words=r"min_quality",
        asked={"model": "ainfera-inference", "routing_hint": {"min_quality": 7}},
        in_openai=(openai.UnprocessableEntityError, "invalid_request"),
        in_anthropic=(anthropic.UnprocessableEntityError, "invalid_request_error"),
        in_ainfera=(ainfera.APIError, 422),
    ),
    Refusal(
        name="no message at all",
        words=r"`messages` holds at least one message",
        asked={"messages": []},
        in_openai=(openai.UnprocessableEntityError, "invalid_request"),
        in_anthropic=(anthropic.UnprocessableEntityError, "invalid_request_error"),
        in_ainfera=(ainfera.APIError, 422),
    ),
    Refusal(
        name="messages that are none",
        words=r"messages",
        asked={"messages": "Say hello."},
        in_openai=(openai.BadRequestError, "malformed_request"),
        in_anthropic=(anthropic.BadRequestError, "invalid_request_error"),
        in_ainfera=(ainfera.APIError, 422),
    ),
    Refusal(
        name="a body that is too large",
        words=rf"The body is larger than {BODY_BYTES_MAX} bytes",
        asked={"messages": [{"role": "user", "content": "x" * BODY_BYTES_MAX}]},
        in_openai=(openai.APIStatusError, "request_too_large"),
        in_anthropic=(anthropic.ContentTooLargeError, "request_too_large"),
        in_ainfera=(ainfera.APIError, 413),
    ),
)
EVERY_REFUSAL = pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: one.name)
PLAIN_OR_STREAMED = pytest.mark.parametrize("streams", [False, True], ids=["plain", "streamed"])


@pytest.fixture
def limited(house: House, server: RunningServer) -> Callable[[Refusal], RunningServer]:
    """The same server, asked by an agent with the limits that a refusal needs."""
    return lambda refusal: house.newcomer(**refusal.policy)


@proves("vendor-clients-work", "errors-speak-the-callers-dialect")
@EVERY_REFUSAL
@PLAIN_OR_STREAMED
def test_the_openai_client_raises_our_refusal_once(
    openai_client: openai.OpenAI,
    limited: Callable[[Refusal], RunningServer],
    scripted_provider: ScriptedProvider,
    refusal: Refusal,
    streams: bool,  # noqa: FBT001 (pytest passes by name)
) -> None:
    client = openai_client.with_options(api_key=limited(refusal).agent.api_key)
    kind, code = refusal.in_openai
    asked: dict[str, Any] = {"model": GPT, "messages": MESSAGES, **refusal.asked}
    hint = {"routing_hint": asked.pop("routing_hint", None)}

    with pytest.raises(openai.APIStatusError, match=refusal.words) as caught:
        client.chat.completions.create(**asked, stream=streams, extra_body=hint)

    assert type(caught.value) is kind
    assert caught.value.code == code
    assert isinstance(caught.value.body, dict)
    assert set(caught.value.body) == {"message", "type", "param", "code"}
    require_final(caught.value, scripted_provider)


@proves("vendor-clients-work", "errors-speak-the-callers-dialect")
@EVERY_REFUSAL
@PLAIN_OR_STREAMED
def test_the_anthropic_client_raises_our_refusal_once(
    anthropic_client: anthropic.Anthropic,
    limited: Callable[[Refusal], RunningServer],
    scripted_provider: ScriptedProvider,
    refusal: Refusal,
    streams: bool,  # noqa: FBT001 (pytest passes by name)
) -> None:
    client = anthropic_client.with_options(api_key=limited(refusal).agent.api_key)
    kind, error_type = refusal.in_anthropic
    asked: dict[str, Any] = {
        "model": CLAUDE,
        "max_tokens": 64,
        "messages": MESSAGES,
        **refusal.asked,
    }
    hint = {"routing_hint": asked.pop("routing_hint", None)}

    with pytest.raises(anthropic.APIStatusError, match=refusal.words) as caught:
        # With a timeout of its own the client lets a long answer be asked for in one piece.
        client.messages.create(**asked, stream=streams, extra_body=hint, timeout=30)

    assert type(caught.value) is kind
    assert caught.value.type == error_type
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["request_id"] == caught.value.request_id
    require_final(caught.value, scripted_provider)


@proves("vendor-clients-work", "errors-speak-the-callers-dialect")
@EVERY_REFUSAL
def test_the_ainfera_client_raises_our_refusal(
    limited: Callable[[Refusal], RunningServer],
    scripted_provider: ScriptedProvider,
    refusal: Refusal,
) -> None:
    kind, status = refusal.in_ainfera
    asked: dict[str, Any] = {"model": GPT, "messages": MESSAGES, **refusal.asked}
    asking = limited(refusal)
    agent = asking.agent

    with (
        ainfera.AinferaClient(api_key=agent.api_key, base_url=asking.url) as client,
        pytest.raises(ainfera.APIError, match=refusal.words) as caught,
    ):
        client.agents.retrieve(agent.agent_id).inference(**asked)

    assert type(caught.value) is kind
    assert caught.value.status_code == status
    assert scripted_provider.requests == []


def test_a_refusal_for_money_says_what_is_left_and_when_it_comes_back(
    house: House, server: RunningServer, openai_client: openai.OpenAI
) -> None:
    """OpenAI's client unwraps `error`; the numbers stand beside it."""
    key = house.newcomer(daily_cap_usd="0.01").agent.api_key
    with pytest.raises(openai.APIStatusError) as caught:
        openai_client.with_options(api_key=key).chat.completions.create(
            model=CLAUDE, messages=MESSAGES, max_tokens=1_000
        )

    detail = caught.value.response.json()["detail"]
    assert detail["code"] == "spend_policy_exceeded"
    assert detail["reason"] == "daily_cap_exceeded"
    assert detail["cap_usd"] == detail["remaining_usd"] == "0.010000"
    assert float(detail["needed_usd"]) > 0.07
    assert detail["resets_at"].endswith("Z")


def test_a_refusal_of_the_floor_names_every_candidate_to_every_client(
    openai_client: openai.OpenAI, anthropic_client: anthropic.Anthropic, server: RunningServer
) -> None:
    asked: Any = {"model": "ainfera-inference", "messages": MESSAGES, "max_tokens": 64}
    hint = {"routing_hint": {"min_quality": 0.99}}
    with pytest.raises(openai.UnprocessableEntityError) as to_openai:
        openai_client.chat.completions.create(**asked, extra_body=hint)
    with pytest.raises(anthropic.UnprocessableEntityError) as to_anthropic:
        anthropic_client.messages.create(**asked, extra_body=hint)

    body: Any = to_anthropic.value.body
    told = [to_openai.value.response.json()["detail"], body["detail"]]
    assert told[0]["candidates"] == told[1]["candidates"]
    assert body["error"]["details"]["decision_id"] == body["detail"]["decision_id"]
    reasons = {one["model_slug"]: one["drop_reason"] for one in told[0]["candidates"]}
    assert reasons[CLAUDE] == "below_quality_floor"
    for one in told:
        decision = json_of(server.get(f"/v1/inferences/{one['decision_id']}/decision"))
        assert decision["candidates"] == one["candidates"]


def test_no_key_and_a_wrong_key_are_the_same_to_every_client(server: RunningServer) -> None:
    for key in ("ainfera_" + "0" * 16 + "_" + "x" * 43, "sk-of-somebody-else"):
        with (
            openai.OpenAI(base_url=f"{server.url}/v1", api_key=key) as client,
            pytest.raises(openai.AuthenticationError, match="No valid API key") as to_openai,
        ):
            client.chat.completions.create(model=GPT, messages=MESSAGES)
        with (
            anthropic.Anthropic(base_url=server.url, api_key=key) as client,
            pytest.raises(anthropic.AuthenticationError, match="No valid API key") as to_anthropic,
        ):
            client.messages.create(model=CLAUDE, messages=MESSAGES, max_tokens=64)
        with (
            ainfera.AinferaClient(api_key=key, base_url=server.url) as client,
            pytest.raises(ainfera.APIError, match="No valid API key") as to_ainfera,
        ):
            client.agents.retrieve(server.agent.agent_id)
        assert to_openai.value.code == "invalid_api_key"
        assert to_anthropic.value.type == "authentication_error"
        assert to_ainfera.value.status_code == 401
        assert retries(to_openai.value) == retries(to_anthropic.value) == 0
        for said in (str(to_openai.value), str(to_anthropic.value), str(to_ainfera.value)):
            assert key not in said


def test_an_agent_that_is_not_active_is_refused_to_every_client(
    house: House,
    server: RunningServer,
    openai_client: openai.OpenAI,
    anthropic_client: anthropic.Anthropic,
    scripted_provider: ScriptedProvider,
) -> None:
    house.pause(server.agent.agent_id)

    with pytest.raises(openai.ConflictError, match="The agent is paused") as to_openai:
        openai_client.chat.completions.create(model=GPT, messages=MESSAGES)
    with pytest.raises(anthropic.ConflictError, match="The agent is paused") as to_anthropic:
        anthropic_client.messages.create(model=CLAUDE, messages=MESSAGES, max_tokens=64)
    with (
        ainfera.AinferaClient(api_key=server.agent.api_key, base_url=server.url) as client,
        pytest.raises(ainfera.APIError, match="The agent is paused") as to_ainfera,
    ):
        client.agents.retrieve(server.agent.agent_id).inference(model=GPT, messages=MESSAGES)

    assert to_openai.value.code == "agent_not_active"
    assert to_anthropic.value.type == "invalid_request_error"
    assert to_ainfera.value.status_code == 409
    require_final(to_openai.value, scripted_provider)
    require_final(to_anthropic.value, scripted_provider)


def test_a_path_that_is_not_there_is_a_404_in_the_clients_own_words(
    openai_client: openai.OpenAI, anthropic_client: anthropic.Anthropic
) -> None:
    with pytest.raises(openai.NotFoundError) as to_openai:
        openai_client.chat.completions.retrieve("chatcmpl-of-yesterday")
    with pytest.raises(anthropic.NotFoundError) as to_anthropic:
        anthropic_client.messages.batches.list()
    with pytest.raises(openai.NotFoundError) as no_model:
        openai_client.models.retrieve("gpt-nonsense")

    assert to_openai.value.code == no_model.value.code == "not_found"
    assert to_anthropic.value.type == "not_found_error"
    assert retries(to_openai.value) == retries(to_anthropic.value) == 0


def require_final(
    problem: openai.APIStatusError | anthropic.APIStatusError, provider: ScriptedProvider
) -> None:
    """Nobody was asked, nobody asked again, and support could find the request."""
    assert provider.requests == []
    assert retries(problem) == 0
    assert problem.request_id is not None
    assert problem.request_id.startswith("req_")


def retries(problem: openai.APIStatusError | anthropic.APIStatusError) -> int:
    """How often the client had asked before; it says so itself."""
    return int(problem.request.headers["x-stainless-retry-count"])
