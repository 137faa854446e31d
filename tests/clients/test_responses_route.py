"""The Responses route keeps what every route promises: one decision, one price, whole answers."""

import json
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import httpx
import openai
import pytest

from tests.clients.questions import CLAUDE, GPT, only_request
from tests.promises import proves
from tests.running_server import RunningServer, json_of
from tests.scripted_provider import DEFAULT_TEXT, DEFAULT_USAGE, ScriptedProvider

ROUTED = "ainfera-inference"
PRO = "gpt-5-5-pro"
PATH = "/v1/responses"
HELLO = "Say hello."
TOOL: Any = {"name": "weather", "description": "Looks outside.", "parameters": {"type": "object"}}
SAME = ("candidates", "chosen_model_slug", "cost_projected", "decision_rule", "policy_version")
ODD = b'{ "exact" : 1.00, "small": 1e-7, "escaped": "\\u00e9\\/\\ud83d\\ude00", "none": null }'
"""JSON that no writer of ours would write."""

BREAKS: dict[str, Callable[[ScriptedProvider], None]] = {
    "the vendor's own error": lambda provider: provider.errs_mid_stream(
        after_chunks=5, message="Overloaded."
    ),
    "a connection cut": lambda provider: provider.breaks_mid_stream(after_chunks=5),
    "an end without its terminator": lambda provider: provider.ends_without_terminator(),
    "half an event": lambda provider: provider.sends_a_broken_event(after_chunks=5),
}


@proves("routes-agree")
@pytest.mark.parametrize("model", [ROUTED, GPT, CLAUDE])
def test_the_same_question_has_the_same_decision_and_price_as_in_chat_completions(
    server: RunningServer, scripted_provider: ScriptedProvider, model: str
) -> None:
    said = [{"role": "system", "content": "Be short."}, {"role": "user", "content": HELLO}]
    hint = {"min_quality": 0.6}
    chat = server.post(
        "/v1/chat/completions",
        {
            "model": model,
            "messages": said,
            "max_tokens": 64,
            "tools": [{"type": "function", "function": TOOL}],
            "routing_hint": hint,
        },
    )
    response = server.post(
        PATH,
        {
            "model": model,
            "instructions": "Be short.",
            "input": HELLO,
            "max_output_tokens": 64,
            "tools": [{"type": "function", **TOOL}],
            "routing_hint": hint,
        },
    )

    first, second = (received.json for received in scripted_provider.requests)
    assert first == second
    for name in ("x-ainfera-model", "x-ainfera-provider", "x-ainfera-cost-usd"):
        assert chat.headers[name] == response.headers[name]
    if model == ROUTED:
        assert decision_of(server, chat) == decision_of(server, response)


@proves("body-travels-unchanged")
@pytest.mark.parametrize("streams", [b"false", b"true"], ids=["plain", "streamed"])
def test_between_callers_and_providers_of_responses_everything_travels_as_it_was_written(
    server: RunningServer, scripted_provider: ScriptedProvider, streams: bytes
) -> None:
    thought = (
        b'{ "type":"reasoning", "id":"rs_1","summary":[ ], "encrypted_content":"gAA\\u0041-_==" }'
    )
    body = (
        b'{\n "unheard_of": %s,\n "model": "gpt-5-5-pro",\n "stream" : %s, "store": false,\n'
        b' "input": [ %s, {"role":"user","content":"Hi", "x": %s} ], "max_output_tokens" : 64 }'
    ) % (ODD, streams, thought, ODD)
    headers = {**server.agent.headers, "content-type": "application/json"}

    answer = httpx.post(server.url + PATH, content=body, headers=headers, timeout=30)

    assert answer.status_code == 200, answer.text
    received = only_request(scripted_provider)
    assert received.path == PATH
    # Between fields, the space is ours; inside of them every byte is the caller's.
    for kept in (b'"unheard_of":' + ODD, b"[ " + thought, b'"x": %s} ]' % ODD):
        assert kept in received.body
    assert received.json == json.loads(body) | {"model": "gpt-5.5-pro"}


def test_a_relayed_stream_has_the_vendors_bytes_and_a_receipt_before_its_end(
    server: RunningServer, scripted_provider: ScriptedProvider
) -> None:
    asked = {"model": PRO, "input": HELLO, "stream": True}

    answer = server.post(PATH, asked)

    told = [one for one in answer.text.split("\n\n") if one]
    comments = [one for one in told if one.startswith(":")]
    assert len(comments) == 1
    assert comments[0].startswith(": ainfera receipt=")
    assert told[-2] == comments[0]
    numbers = [json.loads(one.split("data: ")[1])["sequence_number"] for one in told[:-2]]
    assert numbers == list(range(len(numbers)))
    assert '"id":"resp_scripted"' in told[-1]
    assert only_request(scripted_provider).json["store"] is False


@proves("no-silent-truncation", "nothing-glued", "vendor-clients-work")
@pytest.mark.parametrize("breaks", BREAKS.values(), ids=BREAKS)
@pytest.mark.parametrize("model", [PRO, GPT, CLAUDE, ROUTED])
def test_a_stream_that_breaks_raises_in_the_client_which_keeps_what_came(
    openai_client: openai.OpenAI,
    scripted_provider: ScriptedProvider,
    breaks: Callable[[ScriptedProvider], None],
    model: str,
) -> None:
    breaks(scripted_provider)
    said: list[str] = []

    stream = openai_client.responses.create(model=model, input=HELLO, stream=True)
    with pytest.raises(openai.APIError, match=r"provider|Mistral|OpenAI|Anthropic") as caught:
        said.extend(one.delta for one in stream if one.type == "response.output_text.delta")

    assert DEFAULT_TEXT.startswith("".join(said))
    assert type(caught.value) is openai.APIError
    assert caught.value.code == "provider_error"
    assert len(scripted_provider.requests) == 1


@proves("cancelled-means-cancelled")
@pytest.mark.parametrize("model", [PRO, GPT, CLAUDE])
def test_a_caller_who_leaves_a_stream_ends_the_providers_work(
    server: RunningServer,
    openai_client: openai.OpenAI,
    scripted_provider: ScriptedProvider,
    model: str,
) -> None:
    scripted_provider.stalls_mid_stream(after_chunks=5)

    stream = openai_client.responses.create(model=model, input=HELLO, stream=True)
    next(iter(stream))
    stream.close()

    assert scripted_provider.saw_its_client_leave()
    assert server.get("/livez").status_code == 200


@proves("cancelled-means-cancelled")
def test_a_caller_who_leaves_a_plain_call_ends_the_providers_work(
    server: RunningServer, scripted_provider: ScriptedProvider
) -> None:
    scripted_provider.is_silent()
    headers = {**server.agent.headers, "content-type": "application/json"}
    connection = HTTPConnection(urlsplit(server.url).netloc)
    connection.request("POST", PATH, json.dumps({"model": GPT, "input": HELLO}), headers)
    assert scripted_provider.saw_a_client_come()
    connection.close()

    assert scripted_provider.saw_its_client_leave()


@proves("vendor-clients-work", "errors-speak-the-callers-dialect")
@pytest.mark.parametrize(
    ("asked", "kind", "code"),
    [
        (
            {"model": ROUTED, "extra_body": {"routing_hint": {"min_quality": 0.99}}},
            openai.UnprocessableEntityError,
            "no_candidate_clears_floor",
        ),
        ({"model": "gpt-nonsense"}, openai.UnprocessableEntityError, "model_unavailable"),
        ({"max_output_tokens": 10**6}, openai.APIStatusError, "project_spend_limit_exceeded"),
        ({"input": []}, openai.UnprocessableEntityError, "invalid_request"),
        ({"input": 5}, openai.BadRequestError, "malformed_request"),
        (
            {"tools": [{"type": "web_search"}]},
            openai.UnprocessableEntityError,
            "invalid_request",
        ),
        (
            {"tools": [{"type": "custom", "name": "patch"}]},
            openai.UnprocessableEntityError,
            "not_supported_by_backend",
        ),
    ],
)
@pytest.mark.parametrize("streams", [False, True], ids=["plain", "streamed"])
def test_a_refusal_is_raised_once_in_the_vendors_words(
    openai_client: openai.OpenAI,
    server: RunningServer,
    scripted_provider: ScriptedProvider,
    asked: dict[str, Any],
    kind: type[openai.APIStatusError],
    code: str,
    streams: bool,  # noqa: FBT001 (pytest passes by name)
) -> None:
    capped = {"per_call_cap_usd": "1"}
    changed = httpx.patch(
        f"{server.url}/v1/agents/{server.agent.agent_id}/spend-policy",
        json=capped,
        headers=dict(server.agent.headers),
    )
    assert changed.status_code == 200, changed.text

    question: dict[str, Any] = {"model": GPT, "input": HELLO, **asked}
    with pytest.raises(openai.APIStatusError) as caught:
        openai_client.responses.create(**question, stream=streams)

    assert type(caught.value) is kind
    assert caught.value.code == code
    assert scripted_provider.requests == []
    assert caught.value.request.headers["x-stainless-retry-count"] == "0"


@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_a_vendors_own_error_keeps_its_words_for_a_caller_of_its_dialect(
    openai_client: openai.OpenAI, scripted_provider: ScriptedProvider, status: int
) -> None:
    scripted_provider.fails(status=status, message="Prompt too long, says the vendor.")

    with pytest.raises(openai.APIStatusError, match="says the vendor") as caught:
        openai_client.with_options(max_retries=0).responses.create(model=PRO, input=HELLO)

    assert caught.value.status_code == (502 if status == 404 else status)


def test_a_search_that_codex_offers_with_every_request_stays_behind_and_the_receipt_says_so(
    server: RunningServer, scripted_provider: ScriptedProvider
) -> None:
    asked = {
        "model": GPT,
        "input": HELLO,
        "tools": [
            {"type": "web_search", "external_web_access": False},
            {"type": "function", **TOOL},
        ],
        "reasoning": {"effort": "high", "summary": "auto"},
        "store": False,
    }

    answer = server.post(PATH, asked)

    receipt = json_of(server.get(f"/v1/receipts/{answer.headers['x-ainfera-receipt-id']}"))
    assert receipt["fields_not_carried"] == ["reasoning", "tools.web_search"]
    sent: Any = only_request(scripted_provider).json
    assert [one["function"]["name"] for one in sent["tools"]] == ["weather"]
    assert "reasoning" not in sent


def test_the_same_key_gives_the_same_stream_again(
    server: RunningServer, scripted_provider: ScriptedProvider
) -> None:
    asked = {"model": GPT, "input": HELLO, "stream": True}

    first, second = (server.post(PATH, asked, idempotency_key="once") for _ in range(2))

    assert first.text == second.text
    assert second.headers["idempotent-replayed"] == "true"
    assert "response.completed" in first.text
    assert str(DEFAULT_USAGE.output_tokens) in first.text
    assert only_request(scripted_provider)


def decision_of(server: RunningServer, answer: httpx.Response) -> str:
    """Everything in a decision that is not an id or a moment."""
    inference_id = answer.headers["x-ainfera-inference-id"]
    decision = json_of(server.get(f"/v1/inferences/{inference_id}/decision"))
    return json.dumps([decision[name] for name in SAME])
