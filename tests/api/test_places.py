"""How a path finds its line in the list of routes."""

import pytest

from ainfera_server.api import routes
from ainfera_server.api.places import Places

PLACES = Places(routes.every_route())


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/", "/"),
        ("/v1/audit/public", "/v1/audit/public"),
        ("/v1/audit/height", "/v1/audit/height"),
        ("/v1/audit/some-agent", "/v1/audit/{agent_id}"),
        ("/v1/users/github/me", "/v1/users/github/me"),
        ("/v1/agents/signup", "/v1/agents/signup"),
        ("/v1/agents/cards/verify", "/v1/agents/cards/verify"),
        ("/v1/models/ainfera/auto", "/v1/models/{model_id:path}"),
        ("/glossary/agent.json", "/glossary/{term}.json"),
        ("/v1/messages", "/v1/messages"),
    ],
)
def test_a_path_finds_its_own_line(path: str, template: str) -> None:
    place = PLACES.find(path)
    assert place is not None
    assert place.template == template


@pytest.mark.parametrize(
    "path",
    ["", "//", "/v1", "/v1/agents/", "/v1/agents/a/b/c", "/glossary/agentXjson", "/V1/models"],
)
def test_a_path_that_is_not_in_the_list_is_nowhere(path: str) -> None:
    assert PLACES.find(path) is None


def test_what_may_be_asked_of_a_place_is_said() -> None:
    place = PLACES.find("/v1/agents/some-agent/card")
    assert place is not None
    assert place.allowed == "GET, HEAD, POST"


def test_a_line_cannot_be_listed_twice() -> None:
    with pytest.raises(AssertionError, match="is listed once"):
        Places((*routes.ROUTES, routes.ROUTES[0]))
