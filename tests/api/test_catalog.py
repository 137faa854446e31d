"""The list of models in three forms, read by the clients that need each."""

from decimal import Decimal
from typing import Any

import anthropic
import httpx
import openai
import pytest
from starlette.datastructures import Headers

from ainfera_server.api import client_shape
from ainfera_server.catalog.views import ModelShape
from tests.promises import proves
from tests.running_server import RunningServer, json_of

ROUTER = "ainfera-inference"


@proves("models-are-listed-three-ways")
def test_whoever_says_nothing_gets_a_bare_array(shared_server: RunningServer) -> None:
    models: Any = json_of(httpx.get(f"{shared_server.url}/v1/models"))
    by_slug = {one["slug"]: one for one in models}
    assert len(models) >= 10
    assert by_slug[ROUTER]["type"] == "router"
    for name in ("claude-opus-4-7", "claude-sonnet-4-6"):
        assert by_slug[name]["type"] == "model"
        assert Decimal(by_slug[name]["input_cost_per_million_usd"]) > 0
    assert {one["routable_status"] for one in models} >= {"active", "no_provider_key"}


@proves("models-are-listed-three-ways")
def test_openais_client_lists_and_retrieves(shared_server: RunningServer) -> None:
    with openai.OpenAI(base_url=f"{shared_server.url}/v1", api_key="none") as client:
        listed = [model.id for model in client.models.list()]
        assert ROUTER in listed
        assert client.models.retrieve("claude-opus-4-7").id == "claude-opus-4-7"
        assert client.models.retrieve("ainfera/auto").id == ROUTER
        with pytest.raises(openai.NotFoundError, match="no such model"):
            client.models.retrieve("none-such")


@proves("models-are-listed-three-ways")
def test_anthropics_client_lists_and_retrieves(shared_server: RunningServer) -> None:
    with anthropic.Anthropic(base_url=shared_server.url, api_key="none") as client:
        listed = [model.id for model in client.models.list(limit=1000)]
        assert ROUTER in listed
        assert any(one.startswith("claude-") for one in listed)
        assert client.models.retrieve(ROUTER).display_name == "Ainfera Inference"


@pytest.mark.parametrize(
    ("headers", "query", "shape"),
    [
        ({}, "", "native"),
        ({"user-agent": "curl/8"}, "limit=1000", "native"),
        ({"anthropic-version": "2023-06-01"}, "", "anthropic"),
        ({"anthropic-version": "2023-06-01", "x-stainless-lang": "python"}, "", "anthropic"),
        ({"x-stainless-lang": "js"}, "", "openai"),
        ({"user-agent": "OpenAI/Python 3.54.0"}, "", "openai"),
        ({"user-agent": "AsyncOpenAI/Python 3.54.0"}, "", "openai"),
        ({}, "format=openai", "openai"),
        ({"anthropic-version": "2023-06-01"}, "format=openai", "openai"),
        ({"x-stainless-lang": "js"}, "format=native", "native"),
        ({}, "format=klingon", "native"),
    ],
)
def test_a_client_is_known_by_what_it_sends(
    headers: dict[str, str], query: str, shape: ModelShape
) -> None:
    assert client_shape.of(Headers(headers), query) == shape


def test_at_least_ten_providers_are_active(shared_server: RunningServer) -> None:
    providers: Any = json_of(httpx.get(f"{shared_server.url}/v1/providers"))
    assert sum(one["active"] is True for one in providers) >= 10
    has_key = {one["slug"]: one["has_key"] for one in providers}
    assert has_key["openai"] is True
    assert has_key["groq"] is False
