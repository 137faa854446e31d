"""Two tenants who know each other's ids, on every route that names something."""

from tests.api import worlds
from tests.api.worlds import KEYED, MALFORMED, NOBODYS, PRIVATE
from tests.promises import proves
from tests.running_server import RunningServer, json_of

NAMING_PRIVATE_THINGS = tuple(route for route in KEYED if worlds.names(route) & PRIVATE)


@proves("tenants-are-strangers")
def test_a_strangers_things_are_as_unknown_as_nothing_on_every_route(
    server: RunningServer,
) -> None:
    owner = server.sign_up("owned", owner_handle="first-owner")
    stranger = server.sign_up("stranger", owner_handle="second-owner")
    things = worlds.things_of(server, owner)
    for route in NAMING_PRIVATE_THINGS:
        foreign = worlds.without_ids(worlds.ask(server.url, route, things, stranger))
        missing = worlds.without_ids(worlds.ask(server.url, route, NOBODYS, stranger))
        malformed = worlds.without_ids(worlds.ask(server.url, route, MALFORMED, stranger))
        assert foreign[0] == 404, f"{worlds.line(route)} answered {foreign}"
        assert foreign == missing, worlds.line(route)
        assert foreign == malformed, worlds.line(route)


def test_the_owner_of_the_same_things_is_answered_on_every_route(server: RunningServer) -> None:
    owner = server.sign_up("owned", owner_handle="first-owner")
    things = worlds.things_of(server, owner)
    for route in NAMING_PRIVATE_THINGS:
        answer = worlds.ask(server.url, route, things, owner)
        assert answer.status_code == route.status, f"{worlds.line(route)}: {answer.text}"


@proves("tenants-are-strangers")
def test_a_stranger_changes_nothing(server: RunningServer) -> None:
    owner = server.sign_up("owned", owner_handle="first-owner")
    stranger = server.sign_up("stranger", owner_handle="second-owner")
    things = worlds.things_of(server, owner)
    before = _seen_by_owner(server, owner.headers, things.agent_id)
    for route in NAMING_PRIVATE_THINGS:
        worlds.ask(server.url, route, things, stranger)
    assert _seen_by_owner(server, owner.headers, things.agent_id) == before


def test_a_stranger_cannot_have_anothers_agent_pay(server: RunningServer) -> None:
    stranger = server.sign_up("stranger")
    asked = {"model": "ainfera-inference", "messages": [{"role": "user", "content": "Hello."}]}
    headers = dict(stranger.headers)
    foreign = server.post("/v1/inference", {**asked, "agent_id": server.agent.agent_id}, **headers)
    missing = server.post("/v1/inference", {**asked, "agent_id": NOBODYS.agent_id}, **headers)
    assert foreign.status_code == 404
    assert worlds.without_ids(foreign) == worlds.without_ids(missing)


def test_one_text_stands_for_a_missing_pinned_and_foreign_decision(server: RunningServer) -> None:
    question = {"role": "user", "content": "Hello."}
    pinned = json_of(server.post("/v1/inference", {"model": "gpt-5-mini", "messages": [question]}))
    own = server.get(f"/v1/inferences/{pinned['inference_id']}/decision")
    missing = server.get(f"/v1/inferences/{NOBODYS.inference_id}/decision")
    assert own.status_code == 404
    assert worlds.without_ids(own) == worlds.without_ids(missing)


def _seen_by_owner(server: RunningServer, headers: object, agent_id: str) -> tuple[bytes, ...]:
    assert isinstance(headers, dict)
    paths = (f"/v1/audit/{agent_id}", f"/v1/ledger/{agent_id}", "/v1/keys", "/v1/agents")
    return tuple(server.get(path, **headers).content for path in paths)
