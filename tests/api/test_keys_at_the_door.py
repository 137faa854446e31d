"""What a caller has to show before anything is looked up."""

import dataclasses

import httpx
import pytest
from starlette.datastructures import Headers

from ainfera_server.accounts import api_keys
from ainfera_server.accounts.callers import Callers
from ainfera_server.api import app, authenticate, routes
from ainfera_server.errors import StoreUnavailable, Unauthenticated
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import Cell
from ainfera_server.postgres.pool import Pool
from tests.api import worlds
from tests.api.worlds import KEYED, NOBODYS
from tests.promises import proves
from tests.running_server import RunningServer, json_of

UNKNOWN_KEY = api_keys.make(cell=Cell(7), random=b"k" * 39, pepper=b"p").presented
NO_KEYS = (
    "",
    "ainfera_",
    "sk-ant-something",
    UNKNOWN_KEY[:-1],
    UNKNOWN_KEY + "A",
    UNKNOWN_KEY.replace("_", "-"),
    UNKNOWN_KEY.upper(),
    f"{UNKNOWN_KEY}' or '1'='1",
    "ainfera_" + "f" * 10_000,
)


class NoPool:
    """A pool that nobody may borrow from."""

    def acquire(self, *, timeout: float | None = None) -> object:  # noqa: ARG002 (the pool's own)
        raise AssertionError("something was looked up")


class GonePool:
    """A pool whose database is gone."""

    def acquire(self, *, timeout: float | None = None) -> object:  # noqa: ARG002 (the pool's own)
        raise ConnectionRefusedError


@proves("no-key-no-lookup")
@pytest.mark.parametrize("presented", NO_KEYS)
async def test_what_cannot_be_a_key_is_refused_without_a_lookup(
    gateway: Gateway, presented: str
) -> None:
    blind = _with_pool(gateway, NoPool())
    for header in ("authorization", "x-api-key"):
        value = f"Bearer {presented}" if header == "authorization" else presented
        with pytest.raises(Unauthenticated):
            await authenticate.authenticate(blind, Headers({header: value}))


@proves("no-key-no-lookup")
async def test_every_route_that_asks_for_a_key_refuses_without_one_and_looks_nothing_up(
    gateway: Gateway,
) -> None:
    door = httpx.ASGITransport(app.application(_with_pool(gateway, NoPool())))
    async with httpx.AsyncClient(transport=door, base_url="http://localhost") as client:
        for route in KEYED:
            for headers in ({}, {"x-api-key": "no key"}, {"authorization": "Basic bm8="}):
                answer = await client.request(
                    route.method,
                    worlds.path(route, NOBODYS),
                    content=b"{not even JSON",
                    headers=headers,
                )
                assert answer.status_code == 401, worlds.line(route)
                assert answer.headers["www-authenticate"] == "Bearer"
                assert "No valid API key was sent." in answer.text, worlds.line(route)


def test_public_routes_are_the_ones_that_were_meant_to_be() -> None:
    public = [worlds.line(route) for route in routes.ROUTES if route.opens == "public"]
    assert [one for one in public if one.split()[1].startswith("/v1/")] == [
        "GET /v1/health",
        "GET /v1/models",
        "GET /v1/models/{model_id:path}",
        "GET /v1/providers",
        "POST /v1/tenants/register",
        "POST /v1/agents/signup",
        "GET /v1/agents/{agent_id}/card/keys",
        "GET /v1/agents/{agent_id}/pubkey",
        "GET /v1/audit/public",
        "GET /v1/audit/height",
        "GET /v1/audit/{agent_id}/verify",
        "GET /v1/log/export",
        "GET /v1/payments/status",
    ]


def test_unknown_malformed_missing_and_revoked_keys_get_the_same_answer(
    shared_server: RunningServer,
) -> None:
    made = json_of(shared_server.post("/v1/keys", {"name": "soon gone"}), 201)
    json_of(
        httpx.delete(
            f"{shared_server.url}/v1/keys/{made['key_id']}", headers=shared_server.agent.headers
        )
    )
    wrong_secret = shared_server.agent.api_key[:-4] + "AAAA"
    sent = [
        {},
        {"authorization": "Bearer no key"},
        {"authorization": "Basic abc"},
        {"x-api-key": UNKNOWN_KEY},
        {"x-api-key": wrong_secret},
        {"authorization": f"Bearer {made['api_key']}"},
    ]
    answers = [httpx.get(f"{shared_server.url}/v1/agents", headers=headers) for headers in sent]
    assert {worlds.without_ids(answer)[:2] for answer in answers} == {(401, answers[0].content)}


def test_a_key_works_as_bearer_and_as_x_api_key_and_as_both_at_once(
    shared_server: RunningServer,
) -> None:
    key = shared_server.agent.api_key
    for headers in (
        {"authorization": f"Bearer {key}"},
        {"authorization": f"bearer {key}"},
        {"x-api-key": key},
        {"authorization": f"Bearer {key}", "x-api-key": key},
    ):
        assert httpx.get(f"{shared_server.url}/v1/agents", headers=headers).status_code == 200


def test_two_different_keys_are_refused_in_so_many_words(shared_server: RunningServer) -> None:
    headers = {**shared_server.agent.headers, "x-api-key": UNKNOWN_KEY}
    answer = httpx.get(f"{shared_server.url}/v1/agents", headers=headers)
    assert answer.status_code == 401
    assert "Two different keys" in answer.json()["detail"]


def test_a_revoked_key_stops_at_once_and_the_others_go_on(shared_server: RunningServer) -> None:
    made = json_of(shared_server.post("/v1/keys", {"name": "soon gone"}), 201)
    headers = {"x-api-key": made["api_key"]}
    assert httpx.get(f"{shared_server.url}/v1/agents", headers=headers).status_code == 200
    json_of(httpx.delete(f"{shared_server.url}/v1/keys/{made['key_id']}", headers=headers))
    assert httpx.get(f"{shared_server.url}/v1/agents", headers=headers).status_code == 401
    assert shared_server.get("/v1/agents").status_code == 200


@proves("keys-cannot-be-read-back")
def test_a_key_is_shown_once_and_never_again(shared_server: RunningServer) -> None:
    made = json_of(shared_server.post("/v1/keys", {"name": "shown once"}), 201)
    secret = made["api_key"].removeprefix(f"ainfera_{made['key_id']}_")
    listed = shared_server.get("/v1/keys")
    assert made["key_id"] in listed.text
    assert secret not in listed.text
    assert secret not in shared_server.get(f"/v1/audit/{shared_server.agent.agent_id}").text


@proves("money-first")
async def test_a_database_that_is_gone_is_never_taken_for_a_wrong_key(gateway: Gateway) -> None:
    blind = _with_pool(gateway, GonePool())
    with pytest.raises(StoreUnavailable):
        await authenticate.authenticate(blind, Headers({"x-api-key": UNKNOWN_KEY}))


def test_a_change_of_limits_is_seen_by_the_next_call_of_this_process(
    server: RunningServer,
) -> None:
    question = {"role": "user", "content": "Hello."}
    asked = {"model": "ainfera-inference", "messages": [question], "max_tokens": 20}
    assert server.post("/v1/inference", asked).status_code == 200
    raised = httpx.patch(
        f"{server.url}/v1/agents/{server.agent.agent_id}/spend-policy",
        json={"min_quality": "1"},
        headers=server.agent.headers,
    )
    assert raised.status_code == 200
    assert server.post("/v1/inference", asked).status_code == 422


def _with_pool(gateway: Gateway, pool: object) -> Gateway:
    """The same gateway on another pool."""
    pools = dataclasses.replace(gateway.pools, app=_as_pool(pool))
    callers = Callers(pools.app, pepper=gateway.keyring.api_key_pepper, monotonic=gateway.monotonic)
    return dataclasses.replace(gateway, pools=pools, callers=callers)


def _as_pool(pool: object) -> Pool:
    return pool  # pyright: ignore[reportReturnType]  (it refuses before anybody could tell)
