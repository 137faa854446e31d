"""A vendor's error goes on as it came to a caller of its dialect, and to nobody else."""

import json
from itertools import product

import pytest

from ainfera_server.conversation import Dialect
from ainfera_server.dialects.anthropic_messages import client as ask_anthropic
from ainfera_server.dialects.anthropic_messages import server as as_anthropic
from ainfera_server.dialects.native import server as as_native
from ainfera_server.dialects.openai_chat import client as ask_openai
from ainfera_server.dialects.openai_chat import server as as_openai
from ainfera_server.dialects.openai_responses import client as ask_responses
from ainfera_server.dialects.sides import ClientSide, ServerSide
from ainfera_server.errors import ProviderFailed

BODY = b'{"type": "error", "error": {"type": "overloaded_error", "message": "No."}}'
OPENAI_BODY = b'{"error": {"type": "requests", "message": "No.", "code": "rate_limit_exceeded"}}'
HEADERS = {"Retry-After": "7", "X-Should-Retry": "true", "Retry-After-Ms": "6500", "Server": "x"}
SERVERS: tuple[tuple[Dialect, ServerSide], ...] = (
    ("anthropic_messages", as_anthropic),
    ("openai_chat", as_openai),
    ("native", as_native),
)
CLIENTS: tuple[tuple[Dialect, ClientSide, bytes], ...] = (
    ("anthropic_messages", ask_anthropic, BODY),
    ("openai_chat", ask_openai, OPENAI_BODY),
    ("openai_responses", ask_responses, OPENAI_BODY),
)
WORDED = {
    "anthropic_messages": {400: 502, 429: 429, 503: 529, 504: 504, 401: 502, 404: 502},
    "openai_chat": {400: 502, 429: 429, 503: 503, 504: 504, 401: 502, 404: 502},
    "native": {400: 502, 429: 502, 503: 502, 504: 504, 401: 502, 404: 502},
}
"""The status of our own words, by the caller's dialect and the vendor's status."""


@pytest.mark.parametrize(
    ("asked", "answers", "status"),
    [
        (client, server, status)
        for client, server, status in product(CLIENTS, SERVERS, WORDED["native"])
    ],
)
def test_a_failure_keeps_its_meaning_in_every_dialect(
    asked: tuple[Dialect, ClientSide, bytes], answers: tuple[Dialect, ServerSide], status: int
) -> None:
    (upstream, client, body), (dialect, server) = asked, answers
    failed = client.decode_failure(status=status, headers=HEADERS, body=body)
    assert failed.upstream_dialect == upstream
    failed.retry_after_s = 7
    failed.facts = {"inference_id": "i-1"}
    found = server.encode_error(failed, request_id="r")
    is_the_vendors = status in {400, 429, 503} and upstream == dialect
    assert (found.body == body) == is_the_vendors
    assert found.status == (status if is_the_vendors else WORDED[dialect][status])
    assert found.headers["retry-after"] == "7"
    assert set(found.headers) <= {"retry-after", "x-should-retry"}
    if is_the_vendors:
        assert found.headers["x-should-retry"] == "true"
    else:
        assert json.loads(found.body)["detail"]["code"] == "provider_error"


def test_a_failure_that_nobody_read_is_worded_anew() -> None:
    failed = ProviderFailed(
        "No.", reason="rejected", upstream_status=400, upstream_body=OPENAI_BODY
    )
    assert as_openai.encode_error(failed, request_id="r").status == 502


def test_a_status_of_success_is_never_forwarded_as_an_error() -> None:
    failed = ask_openai.decode_failure(status=200, headers={}, body=OPENAI_BODY)
    assert as_openai.encode_error(failed, request_id="r").status == 503
