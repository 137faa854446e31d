"""The OpenAPI document: the control routes as FastAPI knows them, and the others beside them."""

import html
from importlib import metadata
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response

from ainfera_server.api import answers
from ainfera_server.api.route import InferenceRoute, Route, UnbuiltRoute

TITLE = "ainfera-os"
API_VERSION = "1.0.0"
DESCRIPTION = (
    "One server between agents and models. Ask for the model `ainfera-inference` and the cheapest"
    " offer that clears the quality floor answers, paid from a prepaid wallet, with a signed"
    " receipt. Ask for any other model by its name and it answers."
)
AUTHORIZATION = {
    "name": "authorization",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "`Bearer` and your API key. The header `x-api-key` does as well.",
}
PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'",
}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Ainfera API</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem }}
td {{ padding: .2rem 1rem .2rem 0; vertical-align: top }}</style></head>
<body><h1>Ainfera API {version}</h1><p>The whole document:
<a href="/openapi.json">/openapi.json</a></p><table>{rows}</table></body></html>
"""

Document = dict[str, Any]


def server_version() -> str:
    """The version of this server, which is not that of the API."""
    return metadata.version("ainfera-server")


async def show_document(request: Request) -> Response:
    """Read this document."""
    return answers.json(request.app.state.document)


async def show_page(request: Request) -> Response:
    """Read the list of routes as a page."""
    paths = cast("dict[str, Document]", request.app.state.document["paths"])
    rows = [
        f"<tr><td><code>{method.upper()} {html.escape(path)}</code></td>"
        f"<td>{html.escape(str(operation['summary']))}</td></tr>"
        for path, operations in paths.items()
        for method, operation in operations.items()
    ]
    page = PAGE.format(version=API_VERSION, rows="".join(rows))
    return Response(page, media_type="text/html", headers=PAGE_HEADERS)


def document(app: FastAPI, routes: "tuple[Route | InferenceRoute | UnbuiltRoute, ...]") -> Document:
    """Describe every route, also those that FastAPI never sees."""
    described = get_openapi(
        title=TITLE,
        version=API_VERSION,
        openapi_version="3.1.0",
        description=DESCRIPTION,
        routes=app.routes,
    )
    paths: dict[str, Document] = described["paths"]
    for route in routes:
        match route:
            case Route():
                if route.opens != "public":
                    _ask_for_key(paths[_written(route.path)][route.method.lower()])
            case InferenceRoute():
                paths.setdefault(route.path, {})["post"] = _inference(route)
            case UnbuiltRoute():
                operations = paths.setdefault(route.path, {})
                operations[route.method.lower()] = _unbuilt(route)
    return described


def _written(path: str) -> str:
    return path.replace(":path}", "}")


def _ask_for_key(operation: Document) -> None:
    """The header is optional for the document: without it the answer is a 401, never a 422."""
    operation.setdefault("parameters", []).append(AUTHORIZATION)
    operation["responses"]["401"] = {"description": "No valid API key was sent."}


def _inference(route: InferenceRoute) -> Document:
    items = {"type": "array", "items": {"type": "object"}}
    asked: Document = (
        {"input": {"anyOf": [{"type": "string"}, items]}}
        if "input" in route.required
        else {"messages": items}
    )
    schema = {
        "type": "object",
        "required": list(route.required),
        "properties": {
            "model": {"type": "string", "examples": ["ainfera-inference"]},
            **asked,
            ("max_output_tokens" if "input" in asked else "max_tokens"): {
                "type": "integer",
                "minimum": 1,
            },
            "stream": {"type": "boolean", "default": False},
            "tools": items,
            "routing_hint": {"type": "object"},
        },
        "additionalProperties": True,
    }
    return {
        "tags": ["inference"],
        "summary": route.summary,
        "operationId": f"infer_{route.path.strip('/').replace('/', '_')}_post",
        "parameters": [
            AUTHORIZATION,
            {
                "name": "idempotency-key",
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
                "description": "The same key again gives the same answer, and is paid for once.",
            },
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "200": {
                "description": "The answer, or its events when `stream` is true.",
                "content": {"application/json": {}, "text/event-stream": {}},
            },
            "401": {"description": "No valid API key was sent."},
            "402": {"description": "The wallet or a cap says no; nothing was spent."},
            "422": {"description": "The request cannot be served as it is; nothing was spent."},
            "502": {"description": "The provider failed; nothing was spent."},
            "503": {"description": "Nobody can answer right now; nothing was spent."},
        },
    }


def _unbuilt(route: UnbuiltRoute) -> Document:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    return {
        "tags": ["not built yet"],
        "summary": f"Not built yet: {route.sentence}",
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ],
        "responses": {"501": {"description": route.sentence}},
    }
