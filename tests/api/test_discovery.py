"""What the server says of itself, as the acceptance checks of the product read it."""

import base64
from typing import Any

import httpx
import pytest

from ainfera_server.api import vocabulary
from tests.running_server import RunningServer, json_of

DEAD_WORDS = ("mithril", "ainfera-auto", "ainfera/auto", "aamc")


def read(server: RunningServer, path: str, status: int = 200, **headers: str) -> Any:
    return json_of(httpx.get(server.url + path, headers=headers), status)


def test_the_front_page_says_what_this_is(shared_server: RunningServer) -> None:
    assert read(shared_server, "/")["service"] == "Ainfera API"


@pytest.mark.parametrize("path", ["/health", "/v1/health"])
def test_a_healthy_server_says_so(shared_server: RunningServer, path: str) -> None:
    health = read(shared_server, path)
    assert health["status"] == "ok"
    assert health["services"]["db"] == "ok"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz"])
def test_each_probe_answers(shared_server: RunningServer, path: str) -> None:
    assert read(shared_server, path)["status"] == "ok"


def test_the_service_card_has_every_layer_and_the_product(shared_server: RunningServer) -> None:
    answer = httpx.get(f"{shared_server.url}/.well-known/agent-card.json")
    card = json_of(answer)
    assert card["mcp_url"]
    assert card["issued_at"]
    assert [one["layer"] for one in card["capabilities"]] == ["L1", "L2", "L3", "L4", "L5"]
    (product,) = card["products"]
    assert product["domain"] == "agentic-inference"
    assert [one["layer"] for one in product["facets"]] == ["L2", "L3", "L4"]
    assert card["default_model"] == "ainfera-inference"
    assert answer.headers["cache-control"] == "max-age=60"


def test_llms_txt_leads_with_the_product(shared_server: RunningServer) -> None:
    answer = httpx.get(f"{shared_server.url}/llms.txt")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["cache-control"] == "max-age=60"
    assert answer.text.startswith("# Ainfera Inference")
    assert len(answer.content) >= 500
    assert "mcp.ainfera.ai" in answer.text


@pytest.mark.parametrize("path", ["/.well-known/agent-card.json", "/llms.txt", "/openapi.json"])
def test_no_dead_word_is_shown_to_agents(shared_server: RunningServer, path: str) -> None:
    text = httpx.get(shared_server.url + path).text
    assert [word for word in DEAD_WORDS if word in text] == []


def test_the_mcp_server_is_announced(shared_server: RunningServer) -> None:
    mcp = read(shared_server, "/.well-known/mcp.json")
    assert mcp["status"] == "live"
    assert mcp["available"] is True


def test_the_keys_that_verify_are_published(shared_server: RunningServer) -> None:
    published = read(shared_server, "/.well-known/ainfera-public-key.json")
    assert published["alg"] == "HMAC-SHA256"
    assert base64.b64decode(published["hmac_key_b64"])
    ours = {one["kid"]: one["public_key_pem"] for one in published["keys"]}
    signer = shared_server.gateway.signer
    assert ours[signer.key_id] == signer.public_key_pem


def test_the_ticker_and_the_height_agree(shared_server: RunningServer) -> None:
    ticker = read(shared_server, "/api/audit-ticker")
    assert ticker["status"] == "ok"
    assert ticker["chain_height"] == read(shared_server, "/v1/audit/height")["height"] > 0


def test_the_ontology_has_the_layers_and_the_entities(shared_server: RunningServer) -> None:
    graph = read(shared_server, "/ontology.json")["@graph"]
    ids = {one["@id"].removeprefix("ainfera:") for one in graph}
    assert ids >= {"L1", "L2", "L3", "L4", "L5", "Tenant", "Agent", "AgentCard", "Inference"}
    assert ids >= {"Provider", "Model", "Wallet", "Receipt", "SpendPolicy", "AuditEvent"}
    assert "AuditChain" in ids


def test_every_term_can_be_looked_up(shared_server: RunningServer) -> None:
    assert len(vocabulary.TERMS) >= 35
    for term, definition in vocabulary.TERMS.items():
        assert read(shared_server, f"/glossary/{term}.json")["definition"] == definition
    read(shared_server, "/glossary/none-such.json", 404)


def test_a_concept_is_a_page_or_json_for_clients_that_read_nothing_else(
    shared_server: RunningServer,
) -> None:
    assert set(vocabulary.CONCEPTS) == {
        "agent",
        "agent-card",
        "audit-chain",
        "inference",
        "wallet",
    }
    for entity in vocabulary.CONCEPTS:
        page = httpx.get(f"{shared_server.url}/concepts/{entity}.md")
        assert page.headers["content-type"].startswith("text/markdown")
        body = read(shared_server, f"/concepts/{entity}.md", accept="application/json")["body"]
        assert body == page.text
    read(shared_server, "/concepts/none-such.md", 404)


def test_metrics_are_for_this_machine_only(shared_server: RunningServer) -> None:
    url = f"{shared_server.url}/metrics"
    httpx.get(f"{shared_server.url}/v1/models")
    local = httpx.get(url)
    assert 'ainfera_requests_total{route="/v1/models",status_class="2xx"}' in local.text
    assert shared_server.agent.agent_id not in local.text
    for forwarded in ({"x-forwarded-for": "127.0.0.1"}, {"forwarded": "for=::1"}, {"via": "a"}):
        assert httpx.get(url, headers=forwarded).status_code == 404


def test_the_paths_that_nobody_listed_are_counted_as_one(shared_server: RunningServer) -> None:
    httpx.get(f"{shared_server.url}/some/invented/path")
    text = httpx.get(f"{shared_server.url}/metrics").text
    assert 'route="none",status_class="4xx"' in text
    assert "invented" not in text
