"""The catalog as the clients of three vendors read it."""

from typing import Any

import msgspec
import pytest
from anthropic.types import ModelInfo
from openai.types import Model

from ainfera_server.catalog import lists, views
from ainfera_server.catalog.offers import Catalog
from ainfera_server.catalog.views import ModelShape
from tests.promises import proves

TEN = {
    *("anthropic", "openai", "gemini", "mistral", "xai"),
    *("together", "groq", "deepinfra", "fireworks", "novita"),
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return lists.read_price_lists()


def on_the_wire(view: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(view))


def native(catalog: Catalog, *providers_with_key: str) -> dict[str, Any]:
    elements = on_the_wire(views.models(catalog, providers_with_key, shape="native"))
    return {element["slug"]: element for element in elements}


@proves("models-are-listed-three-ways")
def test_the_native_list_is_a_bare_array_of_every_offer_and_the_router(catalog: Catalog) -> None:
    listed = views.models(catalog, set[str](), shape="native")
    assert isinstance(listed, list)
    assert len(listed) == len(catalog.offers) + 1 >= 10
    first = on_the_wire(listed)[0]
    assert (first["slug"], first["type"]) == ("ainfera-inference", "router")


def test_a_native_element_has_what_scripts_read(catalog: Catalog) -> None:
    opus = native(catalog, "anthropic")["claude-opus-4-7"]
    assert opus["type"] == "model"
    assert opus["provider"] == "anthropic"
    assert opus["display_name"] == "Claude Opus 4.7"
    assert opus["input_cost_per_million_usd"] == "15"
    assert opus["output_cost_per_million_usd"] == "75"
    assert opus["web_search_cost_usd"] == "0.010000"
    assert opus["context_window"] == 1_000_000
    assert opus["capabilities"] == ["reasoning", "streaming", "tools", "vision"]
    assert opus["routable_status"] == "active"


def test_a_native_element_says_what_is_in_the_way(catalog: Catalog) -> None:
    elements = native(catalog, "local", "deepinfra")
    assert elements["smollm2-135m-instruct-local"]["routable_status"] == "active"
    assert elements["claude-opus-4-7"]["routable_status"] == "no_provider_key"
    unpriced = elements["deepseek-v3-deepinfra"]
    assert unpriced["routable_status"] == "no_price"
    assert unpriced["status_reason"] == "upstream name not known"
    assert unpriced["input_cost_per_million_usd"] is None


@proves("models-are-listed-three-ways")
def test_the_clients_of_openai_read_their_list(catalog: Catalog) -> None:
    listed = on_the_wire(views.models(catalog, set[str](), shape="openai"))
    assert listed["object"] == "list"
    read = [Model.model_validate(one, strict=True) for one in listed["data"]]
    assert {"ainfera-inference", "claude-opus-4-7", "gpt-5-5"} <= {one.id for one in read}


@proves("models-are-listed-three-ways")
def test_the_clients_of_anthropic_read_their_list(catalog: Catalog) -> None:
    listed = on_the_wire(views.models(catalog, set[str](), shape="anthropic"))
    read = [ModelInfo.model_validate(one) for one in listed["data"]]
    assert not listed["has_more"]
    assert (listed["first_id"], listed["last_id"]) == (read[0].id, read[-1].id)
    assert read[0].id == "ainfera-inference"
    haiku = next(one for one in read if one.id == "claude-haiku-4-5")
    assert (haiku.display_name, haiku.max_input_tokens) == ("Claude Haiku 4.5", 200_000)


@pytest.mark.parametrize("shape", ["openai", "anthropic"])
def test_a_list_to_pick_from_leaves_out_what_nobody_can_buy(
    catalog: Catalog, shape: ModelShape
) -> None:
    listed = on_the_wire(views.models(catalog, set[str](), shape=shape))
    names = {one["id"] for one in listed["data"]}
    assert "gpt-oss-120b-groq" in names
    assert "deepseek-v3-deepinfra" not in names


@pytest.mark.parametrize("shape", ["native", "openai", "anthropic"])
def test_one_model_looks_as_it_does_in_the_list(catalog: Catalog, shape: ModelShape) -> None:
    listed = on_the_wire(views.models(catalog, {"openai"}, shape=shape))
    elements = listed if shape == "native" else listed["data"]
    for element in elements:
        name = element["slug" if shape == "native" else "id"]
        assert on_the_wire(views.model(catalog, name, {"openai"}, shape=shape)) == element


@pytest.mark.parametrize("shape", ["native", "openai", "anthropic"])
def test_a_model_of_several_venues_answers_to_its_own_name(
    catalog: Catalog, shape: ModelShape
) -> None:
    one = views.model(catalog, "gpt-oss-120b", {"groq"}, shape=shape)
    assert one is not None
    assert one["slug" if shape == "native" else "id"] == "gpt-oss-120b"


def test_a_model_of_several_venues_shows_the_one_that_would_serve_it(catalog: Catalog) -> None:
    one = views.model(catalog, "gpt-oss-120b", {"groq"}, shape="native")
    assert one is not None
    assert (one["provider"], one["routable_status"]) == ("groq", "active")


@pytest.mark.parametrize("shape", ["native", "openai", "anthropic"])
def test_an_unknown_name_is_no_model(catalog: Catalog, shape: ModelShape) -> None:
    assert views.model(catalog, "gpt-0", TEN, shape=shape) is None


def test_at_least_ten_providers_are_active_without_any_key(catalog: Catalog) -> None:
    listed = on_the_wire(views.providers(catalog, set[str]()))
    assert {one["slug"] for one in listed if one["active"] is True} >= TEN
    assert all(one["display_name"] for one in listed)
    assert not any(one["has_key"] or one["routable_offers"] for one in listed)


def test_a_provider_says_how_many_of_its_offers_would_answer(catalog: Catalog) -> None:
    listed = {one["slug"]: one for one in on_the_wire(views.providers(catalog, TEN))}
    assert listed["groq"]["has_key"] is True
    assert listed["groq"]["routable_offers"] == listed["groq"]["offers"] == 9
    assert listed["deepinfra"]["routable_offers"] == 0
    assert listed["local"]["has_key"] is False
