"""The HTTP door: one plain ASGI layer around everything, FastAPI behind it for the control routes.

The layer gives each request its id, finds the route in the one list, asks for a key where the list
says so, and words every error in the dialect of its path. The inference routes never see FastAPI.
"""

import logging
import re
from collections.abc import Mapping
from typing import assert_never

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ainfera_server.api import (
    authenticate,
    bodies,
    control,
    inference,
    routes,
    wording,
)
from ainfera_server.api.outgoing import Outgoing
from ainfera_server.api.places import Place, Places
from ainfera_server.api.route import AnyRoute, InferenceRoute, Route, UnbuiltRoute
from ainfera_server.dialects.sides import ErrorAnswer
from ainfera_server.errors import (
    Internal,
    MethodNotAllowed,
    NotBuilt,
    NotFound,
    RequestError,
)
from ainfera_server.gateway import Gateway
from ainfera_server.identifiers import Cell

HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII)
NO_ROUTE = "none"
"""How a path that is not in the list is counted; a label never holds what a caller wrote."""

NOBODYS_CELL = Cell(0)

log = logging.getLogger(__name__)


def application(gateway: Gateway, *, beside: Mapping[str, ASGIApp] | None = None) -> ASGIApp:
    """Make the door to an open gateway.

    `beside` holds other doors, by the first segment of the paths that they answer.
    """
    return Door(gateway, beside or {})


class Door:
    """Everything that speaks HTTP, as one ASGI application."""

    def __init__(self, gateway: Gateway, beside: Mapping[str, ASGIApp]) -> None:
        self._gateway = gateway
        self._beside = beside
        self._places: Places[AnyRoute] = Places(routes.every_route())
        self._control = control.application(gateway)
        self._inference = inference.application(gateway)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; a websocket is refused, for there is none here."""
        match scope["type"]:
            case "http":
                await self._answer(scope, receive, send)
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1000})
            case _:
                await self._control(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = f"req_{self._gateway.new_id(NOBODYS_CELL).hex}"
        scope.setdefault("state", {})["request_id"] = request_id
        outgoing = Outgoing(send, request_id)
        place = self._places.find(scope["path"])
        try:
            await self._dispatch(place, scope, receive, outgoing.send)
        except ClientDisconnect:
            pass  # There is nobody left to tell.
        except Exception as problem:
            _report(problem, scope)
            if outgoing.status is None:
                await outgoing.send_error(_worded(problem, place, scope))
        finally:
            route = self._counted_as(place, scope)
            self._gateway.metrics.requests.labels(route, _class_of(outgoing.status)).inc()

    async def _dispatch(
        self, place: Place[AnyRoute] | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Carry out what the list says, or raise what is wrong with the request."""
        headers = Headers(scope=scope)
        _require_host(headers)
        neighbour = self._beside.get(_first_segment(scope))
        if neighbour is not None:
            await neighbour(scope, receive, send)
            return
        if scope["path"] == "/" and "dashboard" in self._beside and _is_a_browser(headers):
            await RedirectResponse("/dashboard")(scope, receive, send)
            return
        route = _route(place, scope["method"])
        match route:
            case InferenceRoute():
                await self._inference(scope, receive, send)
            case UnbuiltRoute(sentence=sentence):
                raise NotBuilt(sentence)
            case Route():
                await self._serve(route, scope, receive, send)
            case _:
                assert_never(route)

    def _counted_as(self, place: Place[AnyRoute] | None, scope: Scope) -> str:
        if place is not None:
            return place.template
        segment = _first_segment(scope)
        return f"/{segment}" if segment in self._beside else NO_ROUTE

    async def _serve(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask for the key, read the body, and only then let FastAPI look at either."""
        headers = Headers(scope=scope)
        if route.opens != "public":
            principal = await authenticate.authenticate(self._gateway, headers)
            if route.opens == "owner":
                principal.require_owner()
            scope["state"]["principal"] = principal
        body = await self._body(route, headers, receive) if route.takes_body else b""
        inner = {**scope, "method": route.method}
        await self._control(inner, bodies.replayed(body, receive), send)

    async def _body(self, route: Route, headers: Headers, receive: Receive) -> bytes:
        longest = self._gateway.settings.body_bytes_max
        bytes_max = longest if route.takes_prompts else bodies.BODY_BYTES_MAX
        return await bodies.read(headers, receive, bytes_max=bytes_max)


def _route(place: Place[AnyRoute] | None, method: str) -> AnyRoute:
    if place is None:
        raise NotFound("There is no such path here. GET /openapi.json lists them.", resource="path")
    route = place.routes.get("GET" if method == "HEAD" else method)
    if route is None:
        raise MethodNotAllowed(f"This path takes {place.allowed}.")
    return route


def _first_segment(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix("/").partition("/")[0]


def _is_a_browser(headers: Headers) -> bool:
    return "text/html" in headers.get("accept", "")


def _require_host(headers: Headers) -> None:
    """Links are never made of a Host, and still a malformed one is a sign of somebody's tricks."""
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not HOST.fullmatch(hosts[0]):
        raise RequestError("The Host header is missing or malformed.")


def _worded(problem: Exception, place: Place[AnyRoute] | None, scope: Scope) -> ErrorAnswer:
    answer = wording.answer(problem, scope)
    if isinstance(problem, MethodNotAllowed) and place is not None:
        headers = {**answer.headers, "allow": place.allowed}
        return ErrorAnswer(status=answer.status, body=answer.body, headers=headers)
    return answer


def _report(problem: Exception, scope: Scope) -> None:
    """Log a mistake of ours with all we know; what a caller can mend is no news."""
    if isinstance(wording.error_of(problem), Internal):
        extra = {"request_id": scope["state"]["request_id"], "method": scope["method"]}
        log.error("internal_error", exc_info=problem, extra=extra)


def _class_of(status: int | None) -> str:
    """`2xx`, or `none` for a caller who left before the answer."""
    return "none" if status is None else f"{status // 100}xx"
