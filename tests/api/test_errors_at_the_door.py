"""Every error in the dialect of its path, with its request id and nothing of our insides."""

import dataclasses
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import anthropic
import httpx
import openai
import pytest

from ainfera_server.api import app, bodies, routes
from ainfera_server.gateway import Gateway
from tests.promises import proves
from tests.running_server import RunningServer, json_of, sign_up

INFERENCE_PATHS = ("/v1/inference", "/v1/chat/completions", "/v1/messages")
ANTHROPIC = {"anthropic-version": "2023-06-01"}
OPENAI = {"x-stainless-lang": "python"}


def require_anthropic(body: Any) -> None:
    assert body["type"] == "error"
    assert isinstance(body["error"]["type"], str)
    assert isinstance(body["error"]["message"], str)
    assert isinstance(body["detail"]["code"], str)


def require_openai(body: Any) -> None:
    assert set(body["error"]) >= {"message", "type", "param", "code"}
    assert isinstance(body["error"]["message"], str)
    assert isinstance(body["detail"]["code"], str)


def require_native(body: Any) -> None:
    assert body["error"] == body["code"]
    assert isinstance(body["message"], str)
    assert body["detail"]


def require_shape_of(path: str, body: Any) -> None:
    if path.startswith("/v1/messages"):
        require_anthropic(body)
    elif path.startswith(("/v1/chat/completions", "/v1/responses", "/v1/embeddings")):
        require_openai(body)
    else:
        require_native(body)


@proves("errors-speak-the-callers-dialect", "every-response-has-a-request-id")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/messages/batches", 404),
        ("POST", "/v1/chat/completions/some-id", 404),
        ("GET", "/v1/inference", 405),
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/v1/messages", 405),
        ("PUT", "/v1/agents/signup", 405),
        ("POST", "/v1/messages", 401),
        ("POST", "/v1/chat/completions", 401),
        ("POST", "/v1/inference", 401),
        ("POST", "/v1/messages/count_tokens", 401),
        ("POST", "/v1/responses", 401),
        ("GET", "/v1/responses/resp_1", 404),
        ("POST", "/v1/embeddings", 501),
        ("GET", "/v1/routing-policy", 501),
    ],
)
def test_an_error_is_worded_in_the_dialect_of_its_path(
    shared_server: RunningServer, method: str, path: str, status: int
) -> None:
    answer = httpx.request(method, shared_server.url + path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["request-id"] == answer.headers["x-request-id"] != ""
    require_shape_of(path, answer.json())
    if status == 405:
        assert "POST" in answer.headers["allow"]


@proves("errors-speak-the-callers-dialect")
@pytest.mark.parametrize(
    ("headers", "require"),
    [({}, require_native), (ANTHROPIC, require_anthropic), (OPENAI, require_openai)],
)
def test_errors_about_models_take_the_form_of_whoever_asks(
    shared_server: RunningServer, headers: dict[str, str], require: Any
) -> None:
    require(json_of(httpx.get(f"{shared_server.url}/v1/models/none-such", headers=headers), 404))
    require(json_of(httpx.delete(f"{shared_server.url}/v1/models", headers=headers), 405))


@proves("errors-speak-the-callers-dialect")
async def test_a_crash_is_worded_in_the_dialect_of_its_path_and_tells_nothing(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    broken: Any = {"settings": None, "catalog": None}
    door = httpx.ASGITransport(app.application(dataclasses.replace(gateway, **broken)))
    whole = httpx.ASGITransport(app.application(gateway))
    question = {"role": "user", "content": "Hello."}
    asked = {"model": "ainfera-inference", "messages": [question], "max_tokens": 5}
    async with (
        httpx.AsyncClient(transport=whole, base_url="http://localhost") as well,
        httpx.AsyncClient(transport=door, base_url="http://localhost") as client,
    ):
        signed_up = await well.post("/v1/agents/signup", json={"agent_handle": "crasher"})
        key = {"x-api-key": signed_up.json()["api_key"]}
        answers = [await client.post(path, json=asked, headers=key) for path in INFERENCE_PATHS]
        answers += [await client.get("/v1/models"), await client.get("/v1/providers")]
    for answer in answers:
        assert answer.status_code == 500
        require_shape_of(answer.url.path, answer.json())
        assert answer.headers["request-id"]
        assert "internal_server_error" in answer.text
        assert "NoneType" not in answer.text
    logged = [vars(record)["request_id"] for record in caplog.records]
    assert logged == [answer.headers["request-id"] for answer in answers]


def test_a_published_sdk_can_read_each_kind_of_error(shared_server: RunningServer) -> None:
    key = shared_server.agent.api_key
    with (
        anthropic.Anthropic(base_url=shared_server.url, auth_token=key, max_retries=0) as theirs,
        pytest.raises(anthropic.NotFoundError) as missing,
    ):
        theirs.models.retrieve("none-such")
    assert missing.value.type == "not_found_error"
    assert missing.value.request_id == missing.value.response.headers["request-id"]
    with (
        openai.OpenAI(base_url=f"{shared_server.url}/v1", api_key=key, max_retries=2) as client,
        pytest.raises(openai.APIStatusError) as unbuilt,
    ):
        client.embeddings.create(model="any", input="any")
    assert unbuilt.value.status_code == 501
    assert unbuilt.value.code == "not_built"
    assert unbuilt.value.response.headers["x-should-retry"] == "false"


def test_every_route_that_is_not_built_says_what_to_do_instead(
    shared_server: RunningServer,
) -> None:
    for route in routes.UNBUILT_ROUTES:
        path = route.path.replace("{agent_id}", shared_server.agent.agent_id)
        answer = httpx.request(route.method, shared_server.url + path)
        assert answer.status_code == 501
        assert route.sentence in answer.text


@proves("bad-input-changes-nothing")
def test_mistakes_in_a_body_are_listed_with_their_places(shared_server: RunningServer) -> None:
    body = json_of(shared_server.post("/v1/agents/register", {"name": 7}), 422)
    assert [(one["loc"], one["type"]) for one in body["detail"]] == [
        (["body", "tenant_id"], "missing"),
        (["body", "name"], "string_type"),
    ]
    body = json_of(shared_server.get("/v1/usage/daily?days=0"), 422)
    assert body["detail"][0]["loc"] == ["query", "days"]


@proves("bad-input-changes-nothing")
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"agent_handle": "no"},
        {"agent_handle": "has space"},
        {"agent_handle": "x" * 41},
        {"agent_handle": ["list"]},
        {"agent_handle": "fine", "per_call_cap_usd": "0.0001"},
        {"agent_handle": "fine", "per_call_cap_usd": True},
        {"agent_handle": "fine", "daily_cap_usd": 10001},
        {"agent_handle": "fine", "daily_cap_usd": "NaN"},
        {"agent_handle": "fine", "wallet_address": "0x12"},
        {"agent_handle": "fine", "owner_source": "root"},
        {"agent_handle": "fine", "owner_contact": "two\nlines"},
        {"agent_handle": "fine", "metadata": {"big": "x" * 20_000}},
        {"agent_handle": "fine", "min_quality": "1.5"},
    ],
)
def test_a_signup_that_cannot_be_is_refused_and_leaves_nothing(
    shared_server: RunningServer, body: dict[str, object]
) -> None:
    height = json_of(httpx.get(f"{shared_server.url}/v1/audit/height"))
    answer = httpx.post(f"{shared_server.url}/v1/agents/signup", json=body)
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], list)
    assert json_of(httpx.get(f"{shared_server.url}/v1/audit/height")) == height


@proves("bad-input-changes-nothing")
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b'{"agent_handle": "\\ud800"}',
        b'{"agent_handle": NaN}',
        b'{"agent_handle": "fine", "metadata": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
        b'{"agent_handle": "fine", "metadata": ' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}",
        b'"text"',
        b"[]",
        b"null",
        b"7",
    ],
)
def test_a_body_that_is_not_the_json_that_is_wanted_is_a_422(
    shared_server: RunningServer, body: bytes
) -> None:
    headers = {"content-type": "application/json"}
    answer = httpx.post(f"{shared_server.url}/v1/agents/signup", content=body, headers=headers)
    assert answer.status_code == 422, answer.text
    assert isinstance(answer.json()["detail"], list)


def test_a_body_that_is_not_called_json_is_refused_in_so_many_words(
    shared_server: RunningServer,
) -> None:
    text = json.dumps({"agent_handle": "fine-handle"})
    answer = httpx.post(
        f"{shared_server.url}/v1/agents/signup",
        content=text,
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 422
    assert "application/json" in answer.json()["message"]


@pytest.mark.parametrize("declares", [True, False])
def test_a_control_body_beyond_the_limit_is_a_413(
    shared_server: RunningServer,
    declares: bool,  # noqa: FBT001 (a parameter of the test, not of ours)
) -> None:
    body = b" " * (bodies.BODY_BYTES_MAX + 1)
    content: Any = body if declares else iter([body[:1000], body[1000:]])
    answer = httpx.post(f"{shared_server.url}/v1/agents/signup", content=content)
    assert answer.status_code == 413
    assert answer.json()["code"] == "request_too_large"


@pytest.mark.parametrize("path", INFERENCE_PATHS)
def test_an_inference_body_beyond_the_limit_is_a_413_in_its_dialect(
    shared_server: RunningServer, path: str
) -> None:
    # Only the length is sent: what is declared too long is refused before it comes.
    address = urlsplit(shared_server.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    connection.putrequest("POST", path)
    connection.putheader("content-length", str(shared_server.gateway.settings.body_bytes_max + 1))
    connection.putheader("x-api-key", shared_server.agent.api_key)
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    require_shape_of(path, json.loads(answer.read()))
    connection.close()


@pytest.mark.parametrize("host", ["a/?x=", "x#@", "evil@x", "x y", "[::1", "a:b", "a:123456", None])
def test_a_malformed_host_is_refused(shared_server: RunningServer, host: str | None) -> None:
    address = urlsplit(shared_server.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    connection.putrequest("GET", "/health", skip_host=True)
    if host is not None:
        connection.putheader("host", host)
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


def test_every_answer_keeps_browsers_honest(shared_server: RunningServer) -> None:
    for path in ("/", "/docs", "/v1/models", "/v1/agents", "/nowhere"):
        headers = shared_server.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"


def test_the_head_of_whatever_can_be_read_can_be_asked_for(shared_server: RunningServer) -> None:
    answer = httpx.head(shared_server.url + "/")
    assert answer.status_code == 200
    assert answer.content == b""


def test_a_request_id_is_ours_whatever_the_caller_sends(shared_server: RunningServer) -> None:
    sent = {"request-id": "mine", "x-request-id": "mine"}
    ids = [httpx.get(shared_server.url + "/", headers=sent).headers["request-id"] for _ in range(2)]
    assert ids[0] != ids[1]
    assert all(one.startswith("req_") for one in ids)


def test_the_address_of_another_agent_cannot_be_taken(shared_server: RunningServer) -> None:
    sign_up(shared_server.url, "taken", owner_handle="some-owner")
    body = {"agent_handle": "taken", "owner_handle": "some-owner"}
    answer = httpx.post(f"{shared_server.url}/v1/agents/signup", json=body)
    assert answer.status_code == 409
    assert answer.json()["code"] == "handle_taken"
