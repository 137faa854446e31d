"""What can be bought: models in the form of whoever asks, and providers."""

from fastapi import Request
from fastapi.responses import Response

from ainfera_server.api import answers, client_shape
from ainfera_server.api.given import Opened
from ainfera_server.catalog import conditions, views
from ainfera_server.catalog.conditions import Seen
from ainfera_server.errors import NotFound
from ainfera_server.routing import targets


async def list_models(request: Request, gateway: Opened) -> Response:
    """List models: a bare array, or the form of OpenAI's or Anthropic's client when it asks."""
    shape = client_shape.of(request.headers, request.url.query)
    listed = views.models(gateway.catalog, gateway.endpoints, shape=shape, venues=gateway.venues)
    return answers.json(listed)


async def get_model(request: Request, gateway: Opened, model_id: str) -> Response:
    """Look at one model, in the same three forms."""
    shape = client_shape.of(request.headers, request.url.query)
    name = targets.canonical(model_id)
    view = views.model(gateway.catalog, name, gateway.endpoints, shape=shape, venues=gateway.venues)
    if view is None:
        raise NotFound("There is no such model. GET /v1/models lists them.", resource="model")
    return answers.json(view)


async def list_providers(gateway: Opened) -> Response:
    """List the providers that this server can call, and how each does as this process sees it."""
    seen = Seen(
        health=gateway.health,
        credentials=gateway.credentials,
        endpoints=gateway.endpoints,
        venues=gateway.venues,
        now=gateway.now(),
        now_s=gateway.monotonic(),
    )
    listed = views.providers(gateway.catalog, gateway.endpoints, venues=gateway.venues)
    return answers.json(
        [one | conditions.provider(seen, gateway.catalog, str(one["slug"])) for one in listed]
    )
