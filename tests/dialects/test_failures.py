"""How providers fail, read alike from every dialect."""

import json

import pytest

from ainfera_server.dialects import failures
from ainfera_server.dialects.anthropic_messages import client as anthropic_messages
from ainfera_server.dialects.openai_chat import client as openai_chat
from ainfera_server.dialects.openai_responses import client as openai_responses
from ainfera_server.dialects.sides import ClientSide
from ainfera_server.errors import FailureReason, ProviderFailed

KEY = "sk-proj-4f9aQ2bC7dE1fG3h"
EVERY_CLIENT = pytest.mark.parametrize(
    "client",
    [anthropic_messages, openai_chat, openai_responses],
    ids=["anthropic_messages", "openai_chat", "openai_responses"],
)


def failed(client: ClientSide, status: int, body: bytes) -> ProviderFailed:
    return client.decode_failure(status=status, headers={"Retry-After": "1.5", "a": "b"}, body=body)


@EVERY_CLIENT
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (302, "unavailable"),
        (400, "rejected"),
        (401, "credential_refused"),
        (402, "credential_refused"),
        (403, "credential_refused"),
        (404, "model_unavailable"),
        (408, "timeout"),
        (409, "rejected"),
        (413, "rejected"),
        (422, "rejected"),
        (429, "rate_limited"),
        (500, "unavailable"),
        (503, "unavailable"),
        (504, "timeout"),
        (529, "unavailable"),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error":5}', b"[]", b"[" * 99_999])
def test_a_status_says_how_an_attempt_failed(
    client: ClientSide, status: int, reason: FailureReason, body: bytes
) -> None:
    failure = failed(client, status, body)
    assert failure.reason == reason
    assert failure.upstream_status == status
    assert failure.upstream_body == body
    assert failure.upstream_headers == {"retry-after": "1.5"}
    assert failure.sentence == f"The provider answered with status {status}."


@EVERY_CLIENT
def test_a_key_is_never_shown(client: ClientSide) -> None:
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY} (check)"}})
    assert failed(client, 401, body.encode()).sentence == (
        "The provider answered with status 401: Incorrect API key provided: [removed] (check)"
    )


@EVERY_CLIENT
def test_a_long_message_is_cut_and_a_key_at_the_cut_is_not_halved(client: ClientSide) -> None:
    body = json.dumps({"error": {"message": "a " * 240 + KEY + " b" * 9_000}})
    sentence = failed(client, 500, body.encode()).sentence
    assert len(sentence) < failures.MESSAGE_CHARACTERS_MAX + 100
    assert KEY[:9] not in sentence
