"""What the key of an agent may do, and that it is less than the key of its owner."""

from dataclasses import dataclass, replace

import httpx
import pytest

from ainfera_server.api import routes
from ainfera_server.api.route import Route
from tests.api import worlds
from tests.api.worlds import NOBODYS, Things
from tests.promises import proves
from tests.running_server import RunningServer, SignedUp, json_of

OWNERS = tuple(route for route in routes.ROUTES if route.opens == "owner")
QUESTION = {
    "model": "ainfera-inference",
    "messages": [{"role": "user", "content": "Hello."}],
    "max_tokens": 20,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A server, an agent with a key for inference alone, and another agent of the same owner."""

    server: RunningServer
    agents: SignedUp
    other_id: str
    things: Things

    @property
    def as_agent(self) -> RunningServer:
        """The server, asked with the key for inference."""
        return replace(self.server, agent=self.agents)


@pytest.fixture(scope="module")
def world(shared_server: RunningServer) -> World:
    """All that the tests here share; none of them changes it."""
    owner = shared_server.agent
    made = json_of(shared_server.post("/v1/keys", {"name": "agent", "scope": "inference"}), 201)
    other = {"tenant_id": owner.tenant_id, "name": "other"}
    return World(
        server=shared_server,
        agents=replace(owner, api_key=made["api_key"]),
        other_id=json_of(shared_server.post("/v1/agents/register", other), 201)["id"],
        things=worlds.things_of(shared_server, owner),
    )


def test_a_new_route_that_changes_something_is_an_owners_unless_it_is_named_here() -> None:
    changing = [route for route in routes.ROUTES if route.method not in {"GET", "HEAD"}]
    open_to_every_key = {worlds.line(one) for one in changing if one.opens == "key"}
    open_to_everybody = {worlds.line(one) for one in changing if one.opens == "public"}
    assert open_to_every_key == {
        "POST /v1/messages/count_tokens",
        "POST /v1/outcomes",
        "POST /v1/agents/cards/verify",
    }
    assert open_to_everybody == {
        "POST /v1/tenants/register",
        "POST /v1/agents/signup",
        "POST /log/cosignature",
    }
    assert not [worlds.line(one) for one in OWNERS if one.method in {"GET", "HEAD"}]


@pytest.mark.parametrize("route", OWNERS, ids=worlds.line)
def test_a_key_for_inference_changes_nothing_and_learns_nothing_by_trying(
    world: World, route: Route
) -> None:
    answers = [
        worlds.ask(world.server.url, route, one, world.agents)
        for one in (NOBODYS, worlds.MALFORMED, world.things)
    ]
    unread = httpx.request(
        route.method,
        world.server.url + worlds.path(route, NOBODYS),
        content=b"{not even JSON",
        headers=world.agents.headers,
    )
    said = {worlds.without_ids(answer)[0] for answer in (*answers, unread)}
    assert said == {403}
    assert {answer.json()["code"] for answer in (*answers, unread)} == {"key_scope_insufficient"}


@proves("agents-cannot-lift-their-limits")
def test_a_key_for_inference_changed_nothing(world: World) -> None:
    wallet = json_of(world.server.get(f"/v1/wallets/{world.agents.agent_id}"))
    patched = httpx.patch(
        f"{world.server.url}/v1/agents/{world.agents.agent_id}/spend-policy",
        json={"daily_cap_usd": "9999"},
        headers=world.agents.headers,
    )
    topped_up = world.as_agent.post(
        "/v1/wallets/topup", {"agent_id": world.agents.agent_id, "amount_usd": "1"}
    )
    assert (patched.status_code, topped_up.status_code) == (403, 403)
    assert "POST /v1/keys" in patched.text
    assert json_of(world.server.get(f"/v1/wallets/{world.agents.agent_id}")) == wallet


def test_a_key_for_inference_asks_counts_judges_and_reads(world: World) -> None:
    asked = json_of(world.as_agent.post("/v1/inference", QUESTION))
    assert world.as_agent.post("/v1/chat/completions", QUESTION).status_code == 200
    assert world.as_agent.post("/v1/messages", QUESTION).status_code == 200
    assert world.as_agent.post("/v1/messages/count_tokens", QUESTION).status_code == 200
    judged = {"inference_id": asked["inference_id"], "reward": "1"}
    json_of(world.as_agent.post("/v1/outcomes", judged), 201)
    for route in worlds.KEYED:
        if route.method == "GET":
            answer = worlds.ask(world.server.url, route, world.things, world.agents)
            assert answer.status_code == 200, worlds.line(route)


@pytest.mark.parametrize(
    "path", ["/v1/inference", "/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens"]
)
def test_a_key_for_inference_names_no_other_agent_and_an_owners_does(
    world: World, path: str
) -> None:
    own = {**QUESTION, "agent_id": world.agents.agent_id}
    assert world.as_agent.post(path, own).status_code == 200
    others = {**QUESTION, "agent_id": world.other_id}
    for foreign in (others, {**QUESTION, "agent_id": worlds.NOBODYS_ID}):
        refused = world.as_agent.post(path, foreign)
        assert refused.status_code == 403
        assert "its own agent" in refused.text
    assert world.server.post("/v1/messages/count_tokens", others).status_code == 200


def test_a_key_for_inference_judges_no_other_agents_call(world: World) -> None:
    made = json_of(
        world.server.post(
            "/v1/keys", {"name": "other", "scope": "inference", "agent_id": world.other_id}
        ),
        201,
    )
    other = replace(world.server, agent=replace(world.agents, api_key=made["api_key"]))
    judged = {"inference_id": world.things.inference_id, "reward": "0"}
    assert other.post("/v1/outcomes", judged).status_code == 403
    chain = json_of(world.server.get(f"/v1/audit/{world.agents.agent_id}?limit=500"))
    told = [one for one in chain["events"] if one["event_type"] == "outcome.recorded"]
    assert not [one for one in told if world.things.inference_id in str(one)]
    assert world.server.post("/v1/outcomes", judged).status_code == 201


def test_a_scope_is_listed_told_by_the_chain_and_one_of_two(world: World) -> None:
    made = json_of(world.server.post("/v1/keys", {"name": "bot", "scope": "inference"}), 201)
    listed = {one["key_id"]: one for one in json_of(world.server.get("/v1/keys"))["keys"]}
    assert made["scope"] == listed[made["key_id"]]["scope"] == "inference"
    assert {one["scope"] for one in listed.values() if one["name"] == "default"} == {"owner"}
    chain = json_of(world.server.get(f"/v1/audit/{world.agents.agent_id}?limit=500"))
    created = [one for one in chain["events"] if made["key_id"] in str(one)]
    assert "inference" in str(created[0])
    assert world.server.post("/v1/keys", {"name": "odd", "scope": "admin"}).status_code == 422
