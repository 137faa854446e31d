"""The OpenAPI document: a contract that changes on purpose or not at all."""

import json
import re
from pathlib import Path
from typing import Any

import httpx

from ainfera_server.api import control, routes
from ainfera_server.routing import targets
from tests.running_server import RunningServer, json_of

EXPECTED = Path(__file__).with_name("operations.txt")
DOCUMENT: Any = control.described().state.document


def operations() -> list[str]:
    return sorted(
        f"{method.upper()} {path}"
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
    )


def test_the_operations_are_those_that_were_agreed_on() -> None:
    assert operations() == EXPECTED.read_text(encoding="utf-8").splitlines()


def test_every_line_of_the_list_is_described() -> None:
    written = {f"{one.method} {one.path.replace(':path', '')}" for one in routes.every_route()}
    assert written == set(operations())


def test_the_document_says_what_it_is(shared_server: RunningServer) -> None:
    served = json_of(httpx.get(f"{shared_server.url}/openapi.json"))
    assert served == DOCUMENT
    assert served["openapi"] == "3.1.0"
    assert (served["info"]["title"], served["info"]["version"]) == ("ainfera-os", "1.0.0")


def test_the_document_names_the_target_and_none_of_its_aliases() -> None:
    text = json.dumps(DOCUMENT)
    assert targets.CANONICAL in text
    assert [alias for alias in targets.ALIASES if alias in text] == []


def test_a_missing_key_is_never_a_mistake_in_the_form_of_a_request() -> None:
    for route in routes.ROUTES:
        operation = DOCUMENT["paths"][route.path.replace(":path", "")][route.method.lower()]
        headers = [one for one in operation.get("parameters", ()) if one["in"] == "header"]
        names = {one["name"] for one in headers} - {"idempotency-key"}
        assert names == (set() if route.opens == "public" else {"authorization"})
        assert not any(one["required"] for one in headers)


def test_every_placeholder_of_a_path_is_described() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            described = {
                one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"
            }
            assert described == set(re.findall(r"{([a-z_]+)}", path)), path


def test_every_operation_has_a_summary_and_an_id_of_its_own() -> None:
    every = [one for methods in DOCUMENT["paths"].values() for one in methods.values()]
    assert all(operation["summary"].endswith(".") for operation in every)
    ids = [operation["operationId"] for operation in every if "operationId" in operation]
    assert len(ids) == len(set(ids))


def test_the_page_lists_every_operation_and_loads_nothing_from_elsewhere(
    shared_server: RunningServer,
) -> None:
    page = httpx.get(f"{shared_server.url}/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert all(operation in page.text for operation in operations())
    assert "<script" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
