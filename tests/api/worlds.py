"""Requests for every route that asks for a key: with one tenant's things, and with nobody's."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import httpx

from ainfera_server.api import routes
from ainfera_server.api.route import Route
from tests.running_server import RunningServer, SignedUp, json_of

NOBODYS_ID = "01990000-0000-7000-8000-000000000000"
KEYED = tuple(route for route in routes.ROUTES if route.opens == "key")

BODIES: Mapping[str, tuple[str, ...]] = {
    "POST /v1/agents/register": ("tenant_id", "name"),
    "PATCH /v1/agents/{agent_id}/spend-policy": (),
    "POST /v1/agents/{agent_id}/spend-policy": (),
    "POST /v1/agents/{agent_id}/card": (),
    "POST /v1/agents/cards/verify": ("jws",),
    "POST /v1/keys": ("agent_id",),
    "POST /v1/wallets/topup": ("agent_id", "amount_usd"),
    "POST /v1/outcomes": ("inference_id", "reward"),
}
"""What the body of each route names; a new route with a body has to be entered here."""

PRIVATE = frozenset({"agent_id", "handle", "inference_id", "key_id", "receipt_id", "tenant_id"})
"""What belongs to somebody. A card does not: it is made to be shown around."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Things:
    """Something of each kind that a route can name."""

    agent_id: str = NOBODYS_ID
    tenant_id: str = NOBODYS_ID
    inference_id: str = NOBODYS_ID
    receipt_id: str = NOBODYS_ID
    key_id: str = "00" * 8
    handle: str = "nobody-at-all"
    jws: str = "e30.e30.e30"
    name: str = "a name"
    amount_usd: str = "1"
    reward: str = "1"


NOBODYS = Things()
MALFORMED = Things(
    agent_id="no-id",
    tenant_id="no-id",
    inference_id="no-id",
    receipt_id="no-id",
    key_id="no-id",
    handle="%20",
)


def line(route: Route) -> str:
    """A route as one reads it."""
    return f"{route.method} {route.path}"


def names(route: Route) -> frozenset[str]:
    """What a request of this route names."""
    in_path = {name for name in Things.__slots__ if f"{{{name}}}" in route.path}
    return frozenset(in_path | set(_in_body(route)))


def things_of(server: RunningServer) -> Things:
    """Everything that the first agent has, made by one inference."""
    answer = json_of(
        server.post(
            "/v1/inference",
            {
                "model": "ainfera-inference",
                "messages": [{"role": "user", "content": "Hello."}],
                "max_tokens": 20,
            },
        )
    )
    key = json_of(server.post("/v1/keys", {"name": "second"}), 201)
    owner = json_of(server.get("/v1/users/github/me"))
    return Things(
        agent_id=server.agent.agent_id,
        tenant_id=server.agent.tenant_id,
        inference_id=answer["inference_id"],
        receipt_id=answer["receipt_id"],
        key_id=key["key_id"],
        handle=owner["handle"],
        jws=json_of(server.get(f"/v1/agents/{server.agent.agent_id}/card"))["jws"],
    )


def ask(url: str, route: Route, things: Things, asker: SignedUp) -> httpx.Response:
    """Send a request of this route that names these things."""
    path = route.path
    for name in Things.__slots__:
        path = path.replace(f"{{{name}}}", getattr(things, name))
    body = {name: getattr(things, name) for name in _in_body(route)}
    return httpx.request(
        route.method,
        url + path,
        json=body if route.takes_body else None,
        headers=asker.headers,
        timeout=30,
    )


def without_ids(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """What can be compared of two answers: all but the moment and the id of the request."""
    passing = {"date", "request-id", "x-request-id"}
    headers = {name: value for name, value in answer.headers.items() if name not in passing}
    return answer.status_code, answer.content, headers


def own_handle_hidden(things: Things) -> Things:
    """The same things under a handle that only their owner has."""
    return replace(things, handle="first-owner")


def _in_body(route: Route) -> tuple[str, ...]:
    return BODIES[line(route)] if route.takes_body else ()
