"""The control routes as a FastAPI application, made of the one list of routes."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from ainfera_server.api import openapi, routes, wording
from ainfera_server.errors import AinferaError
from ainfera_server.gateway import Gateway


def application(gateway: Gateway) -> FastAPI:
    """Make the application; its caller has asked for the key and read the body by then."""
    app = described()
    app.state.gateway = gateway
    app.state.started_at = gateway.now()
    for kind in (AinferaError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _worded)
    return app


def described() -> FastAPI:
    """The routes and their document, without anything behind them."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for route in routes.ROUTES:
        app.add_api_route(
            route.path,
            route.answer,
            methods=[route.method],
            status_code=route.status,
            tags=[route.tag],
            summary=route.summary,
            response_model=None,
        )
    app.state.document = openapi.document(app, routes.every_route())
    return app


async def _worded(request: Request, problem: Exception) -> Response:
    """Word an error where it happened; FastAPI raises a mistake of ours again, for the log."""
    answer = wording.answer(problem, request.scope)
    return Response(answer.body, status_code=answer.status, headers=dict(answer.headers))
