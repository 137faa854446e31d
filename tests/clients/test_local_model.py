"""The quickstart's two calls against the real local model, by every client, plain and streamed."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ainfera
import anthropic
import httpx
import openai
import pytest

from tests.promises import proves
from tests.running_server import RunningServer, json_of

LOCAL = "smollm2-135m-instruct-local"
ASKED: Any = {
    "model": "ainfera-inference",
    "messages": [{"role": "user", "content": "Say hello."}],
    "max_tokens": 8,
}
HIGH_FLOOR = {"routing_hint": {"min_quality": 0.50}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client made of an answer."""

    text: str
    finish: str
    inference_id: str


Ask = Callable[[RunningServer, Mapping[str, Any]], Answer]


def by_openai(server: RunningServer, more: Mapping[str, Any]) -> Answer:
    """A plain call of OpenAI's client."""
    with openai_client(server) as client:
        raw = client.chat.completions.with_raw_response.create(**ASKED, extra_body=more)
    (choice,) = raw.parse().choices
    inference_id = raw.headers["x-ainfera-inference-id"]
    return Answer(
        text=choice.message.content or "", finish=choice.finish_reason, inference_id=inference_id
    )


def by_openai_streamed(server: RunningServer, more: Mapping[str, Any]) -> Answer:
    """Its stream."""
    with openai_client(server) as client:
        raw = client.chat.completions.with_raw_response.create(
            **ASKED, extra_body=more, stream=True
        )
        choices = [one.choices[0] for one in raw.parse()]
    return Answer(
        text="".join(one.delta.content or "" for one in choices),
        finish=str(choices[-1].finish_reason),
        inference_id=raw.headers["x-ainfera-inference-id"],
    )


def by_anthropic(server: RunningServer, more: Mapping[str, Any]) -> Answer:
    """A plain call of Anthropic's client."""
    with anthropic_client(server) as client:
        raw = client.messages.with_raw_response.create(**ASKED, extra_body=more)
    return said(raw.parse(), raw.headers["x-ainfera-inference-id"])


def by_anthropic_streamed(server: RunningServer, more: Mapping[str, Any]) -> Answer:
    """Its stream, put together by its own accumulator."""
    with (
        anthropic_client(server) as client,
        client.messages.stream(**ASKED, extra_body=more) as stream,
    ):
        answer = stream.get_final_message()
        return said(answer, stream.response.headers["x-ainfera-inference-id"])


def by_ainfera(server: RunningServer, more: Mapping[str, Any]) -> Answer:
    """A call of our own client."""
    with ainfera.AinferaClient(api_key=server.agent.api_key, base_url=server.url) as client:
        answer = client.agents.retrieve(server.agent.agent_id).inference(**ASKED, **more)
    assert answer.model_used == LOCAL
    return Answer(
        text=answer.content, finish=answer.finish_reason, inference_id=answer.inference_id
    )


EVERY_WAY = pytest.mark.parametrize(
    "ask", [by_openai, by_openai_streamed, by_anthropic, by_anthropic_streamed, by_ainfera]
)
ANSWERS = {"length", "max_tokens", "stop", "end_turn"}


@proves("vendor-clients-work", "cheapest-above-the-floor")
@EVERY_WAY
def test_a_floor_of_nothing_lets_the_real_model_answer(
    local_server: RunningServer, ask: Ask
) -> None:
    answer = ask(local_server, {})

    assert answer.text.strip()
    assert answer.finish in ANSWERS
    decision = json_of(local_server.get(f"/v1/inferences/{answer.inference_id}/decision"))
    assert decision["chosen_model_slug"] == LOCAL
    inference = json_of(local_server.get(f"/v1/inferences/{answer.inference_id}"))
    assert inference["status"] == "succeeded"
    assert 0 < inference["output_tokens"] <= ASKED["max_tokens"]


def test_the_same_question_has_the_same_answer_in_every_client(
    local_server: RunningServer,
) -> None:
    cold = {"temperature": 0}
    ways = (by_openai, by_openai_streamed, by_anthropic, by_anthropic_streamed, by_ainfera)
    assert len({ask(local_server, cold).text for ask in ways}) == 1


@proves("refusals-name-every-candidate")
@EVERY_WAY
def test_a_floor_of_a_half_is_refused_and_every_candidate_named(
    local_server: RunningServer, ask: Ask
) -> None:
    with pytest.raises(
        (openai.UnprocessableEntityError, anthropic.UnprocessableEntityError, ainfera.APIError),
        match=r"quality floor of 0\.5",
    ) as refused:
        ask(local_server, HIGH_FLOOR)

    detail = detail_of(refused.value)
    assert detail["code"] == "no_candidate_clears_floor"
    (candidate,) = detail["candidates"]
    assert candidate["model_slug"] == LOCAL
    assert candidate["drop_reason"] == "below_quality_floor"
    assert float(candidate["q_prior"]) < 0.5
    decision = json_of(local_server.get(f"/v1/inferences/{detail['decision_id']}/decision"))
    assert decision["candidates"] == detail["candidates"]


def test_the_real_model_reads_a_system_prompt_and_earlier_turns_of_either_vendor(
    local_server: RunningServer,
) -> None:
    turns: Any = [
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": "Hello, Ada."},
        {"role": "user", "content": "Say hello."},
    ]
    with openai_client(local_server) as client:
        chat = client.chat.completions.create(
            model=LOCAL,
            messages=[{"role": "system", "content": "Be kind."}, *turns],
            max_tokens=8,
            temperature=0,
        )
    with anthropic_client(local_server) as client:
        message = client.messages.create(
            model=LOCAL,
            system="Be kind.",
            messages=turns,
            max_tokens=8,
            extra_body={"temperature": 0},
        )

    assert chat.usage is not None
    counted = message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0)
    assert counted == chat.usage.prompt_tokens > 30
    assert said(message, "").text == chat.choices[0].message.content


def test_tools_for_the_real_model_are_refused_for_it_takes_none(
    local_server: RunningServer,
) -> None:
    tool: Any = {"name": "weather", "input_schema": {"type": "object"}}
    with (
        anthropic_client(local_server) as client,
        pytest.raises(anthropic.UnprocessableEntityError, match="does not take tools"),
    ):
        client.messages.create(model=LOCAL, messages=ASKED["messages"], max_tokens=8, tools=[tool])


def test_a_prompt_that_is_too_long_for_the_real_model_is_refused_in_its_own_words(
    local_server: RunningServer,
) -> None:
    long: Any = [{"role": "user", "content": "word " * 9_000}]
    with (
        openai_client(local_server) as client,
        pytest.raises(openai.BadRequestError, match="context"),
    ):
        client.chat.completions.create(model=LOCAL, messages=long, max_tokens=8)


def test_the_real_models_stream_of_the_native_route_ends_as_it_should(
    local_server: RunningServer,
) -> None:
    with httpx.stream(
        "POST",
        f"{local_server.url}/v1/inference",
        json={**ASKED, "stream": True},
        headers=local_server.agent.headers,
    ) as came:
        lines = [line for line in came.iter_lines() if line]

    assert came.headers["x-ainfera-model"] == LOCAL
    assert lines[-1] == "data: [DONE]"
    assert any(line.startswith(": ainfera receipt=") for line in lines)


@contextmanager
def openai_client(server: RunningServer) -> Generator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.agent.api_key) as client:
        yield client


@contextmanager
def anthropic_client(server: RunningServer) -> Generator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, auth_token=server.agent.api_key) as client:
        yield client


def said(message: anthropic.types.Message, inference_id: str) -> Answer:
    text = "".join(one.text for one in message.content if one.type == "text")
    return Answer(text=text, finish=str(message.stop_reason), inference_id=inference_id)


def detail_of(problem: Exception) -> Any:
    """Our own words on a refusal, where each client keeps them."""
    match problem:
        case openai.APIStatusError():
            return problem.response.json()["detail"]
        case anthropic.APIStatusError() | ainfera.APIError():
            body: Any = problem.body
            return body["detail"]
        case _:
            raise problem
