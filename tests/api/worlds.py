"""Requests for every route that asks for a key: with one tenant's things, and with nobody's."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import httpx

from ainfera_server.api import routes
from ainfera_server.api.route import Route
from tests.running_server import RunningServer, SignedUp, json_of

NOBODYS_ID = "01990000-0000-7000-8000-000000000000"
KEYED = tuple(route for route in routes.ROUTES if route.opens != "public")

BODIES: Mapping[str, tuple[str, ...]] = {
    "POST /v1/agents/register": ("tenant_id", "name"),
    "PATCH /v1/agents/{agent_id}/spend-policy": (),
    "POST /v1/agents/{agent_id}/spend-policy": (),
    "POST /v1/agents/{agent_id}/card": (),
    "POST /v1/agents/{agent_id}/card/rotate": (),
    "POST /v1/agents/cards/verify": ("jws",),
    "PUT /v1/tenants/{tenant_id}/retention": ("store_content",),
    "POST /v1/keys": ("agent_id",),
    "POST /v1/messages/count_tokens": (),
    "POST /v1/wallets/topup": ("agent_id", "amount_usd"),
    "POST /v1/wallets/move": ("from=agent_id", "to", "amount_usd"),
    "PATCH /v1/tenants/{tenant_id}/spend-policy": (),
    "POST /v1/outcomes": ("inference_id", "reward"),
}
"""What the body of each route names; a new route with a body has to be entered here.

`from=agent_id` is an agent's id under another name.
"""

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
    to: str = "pool"
    reward: str = "1"
    store_content: str = "true"


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


def things_of(server: RunningServer, owner: SignedUp) -> Things:
    """Everything that an agent has, made by one inference."""
    as_owner = replace(server, agent=owner)
    keeping = f"/v1/tenants/{owner.tenant_id}/retention"
    wanted = {"store_content": True}
    httpx.put(server.url + keeping, json=wanted, headers=owner.headers, timeout=30)
    question = {"role": "user", "content": "Hello."}
    asked = {"model": "ainfera-inference", "messages": [question], "max_tokens": 20}
    answer = json_of(as_owner.post("/v1/inference", asked))
    key = json_of(as_owner.post("/v1/keys", {"name": "second"}), 201)
    return Things(
        agent_id=owner.agent_id,
        tenant_id=owner.tenant_id,
        inference_id=answer["inference_id"],
        receipt_id=answer["receipt_id"],
        key_id=key["key_id"],
        handle=json_of(as_owner.get("/v1/users/github/me"))["handle"],
        jws=json_of(as_owner.get(f"/v1/agents/{owner.agent_id}/card"))["jws"],
    )


def path(route: Route, things: Things) -> str:
    """The path of this route that names these things."""
    written = route.path
    for name in Things.__slots__:
        written = written.replace(f"{{{name}}}", getattr(things, name))
    return written


def body(route: Route, things: Things) -> Mapping[str, str] | None:
    """The body of this route that names these things; None when it takes none."""
    if not route.takes_body:
        return None
    return {
        entry.partition("=")[0]: getattr(things, entry.rpartition("=")[2])
        for entry in BODIES[line(route)]
    }


def ask(url: str, route: Route, things: Things, asker: SignedUp) -> httpx.Response:
    """Send a request of this route that names these things."""
    return httpx.request(
        route.method,
        url + path(route, things),
        json=body(route, things),
        headers=asker.headers,
        timeout=30,
    )


def without_ids(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """What can be compared of two answers: all but the moment and the id of the request."""
    passing = {"date", "request-id", "x-request-id"}
    headers = {name: value for name, value in answer.headers.items() if name not in passing}
    return answer.status_code, answer.content, headers


def _in_body(route: Route) -> tuple[str, ...]:
    entries = BODIES[line(route)] if route.takes_body else ()
    return tuple(entry.rpartition("=")[2] for entry in entries)
