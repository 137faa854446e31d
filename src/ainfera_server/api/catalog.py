"""What can be bought: models in the form of whoever asks, and providers."""

from fastapi import Request
from fastapi.responses import Response

from ainfera_server.api import answers, client_shape
from ainfera_server.api.given import Opened
from ainfera_server.catalog import views
from ainfera_server.errors import NotFound
from ainfera_server.routing import targets


async def list_models(request: Request, gateway: Opened) -> Response:
    """List models: a bare array, or the form of OpenAI's or Anthropic's client when it asks."""
    shape = client_shape.of(request.headers, request.url.query)
    return answers.json(views.models(gateway.catalog, gateway.endpoints, shape=shape))


async def get_model(request: Request, gateway: Opened, model_id: str) -> Response:
    """Look at one model, in the same three forms."""
    shape = client_shape.of(request.headers, request.url.query)
    name = targets.canonical(model_id)
    view = views.model(gateway.catalog, name, gateway.endpoints, shape=shape)
    if view is None:
        raise NotFound("There is no such model. GET /v1/models lists them.", resource="model")
    return answers.json(view)


async def list_providers(gateway: Opened) -> Response:
    """List the providers that this server can call, and whether it has a key for each."""
    return answers.json(views.providers(gateway.catalog, gateway.endpoints))
