"""The browser door: every page in one list, each with its JSON twin, and what needs no sign-in."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qs
from uuid import UUID

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ainfera_server.accounts.callers import Principal
from ainfera_server.conversation import Json
from ainfera_server.dashboard import call_pages, overview, rendering, sessions
from ainfera_server.errors import (
    AinferaError,
    Internal,
    NotFound,
    RequestError,
    TooLarge,
    Unauthenticated,
)
from ainfera_server.gateway import Gateway

HOME = "/dashboard/overview"
SIGN_IN = "/dashboard/sign-in"
SIGN_OUT = "/dashboard/sign-out"
TWIN = ".json"
FORM_BYTES_MAX = 4096

Content = Callable[[Gateway, Principal, Request], Awaitable[dict[str, Json]]]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page for whoever is signed in: what is on it, and the template that shows it."""

    path: str
    template: str
    content: Content


async def _overview(gateway: Gateway, caller: Principal, _request: Request) -> dict[str, Json]:
    return await overview.content(gateway, caller)


async def _calls(gateway: Gateway, caller: Principal, request: Request) -> dict[str, Json]:
    query = request.query_params
    return await call_pages.listed(
        gateway, caller, status_asked=query.get("status"), behind_asked=query.get("behind")
    )


async def _call(gateway: Gateway, caller: Principal, request: Request) -> dict[str, Json]:
    call_id: UUID = request.path_params["call_id"]
    return await call_pages.one(gateway, caller, call_id)


PAGES: tuple[Page, ...] = (
    Page(path=HOME, template="overview.html", content=_overview),
    Page(path="/dashboard/calls", template="calls.html", content=_calls),
    Page(path="/dashboard/calls/{call_id:uuid}", template="call.html", content=_call),
)


def application(gateway: Gateway) -> ASGIApp:
    """Make the door. It wants the scope as it came: its paths begin with `/dashboard`."""
    door = _Door(gateway)
    pages = [
        Route(path, door.shows(page), methods=["GET"])
        for page in PAGES
        for path in (page.path + TWIN, page.path)
    ]
    app = Starlette(
        routes=[
            Route("/dashboard", door.begins, methods=["GET"]),
            Route("/dashboard/", door.begins, methods=["GET"]),
            Route(SIGN_IN, door.asks_for_a_key, methods=["GET"]),
            Route(SIGN_IN, door.signs_in, methods=["POST"]),
            Route(SIGN_OUT, door.signs_out, methods=["POST"]),
            Route("/dashboard/verify", door.verifies_files, methods=["GET"]),
            Route("/dashboard/static/{name}", door.gives_a_file, methods=["GET"]),
            *pages,
        ],
        exception_handlers={HTTPException: _unrouted},
    )
    app.router.redirect_slashes = False  # It would redirect to whatever the Host header says.
    return app


class _Door:
    """The answers, which share a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def shows(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        """Answer with a page, or with its twin where the path asks for that."""

        async def answer(request: Request) -> Response:
            try:
                caller = await self._caller(request)
                content = await page.content(self._gateway, caller, request)
            except Unauthenticated as problem:
                return _signed_out(request, problem)
            except Exception as problem:
                return _sorry(request, _told(request, problem))
            if _wants_json(request):
                return rendering.json(content)
            return rendering.page(page.template, {"path": page.path, **content})

        return answer

    async def begins(self, _request: Request) -> Response:
        """The dashboard begins at the overview."""
        return rendering.redirect(HOME)

    async def gives_a_file(self, request: Request) -> Response:
        """A style sheet or a picture."""
        file = rendering.STATIC_FILES.get(request.path_params["name"])
        return _sorry(request, _no_page()) if file is None else file.response()

    async def verifies_files(self, _request: Request) -> Response:
        """A page for everybody: it checks files in the browser and sends them nowhere."""
        return rendering.page("verify.html", {})

    async def asks_for_a_key(self, _request: Request) -> Response:
        """The form to sign in with."""
        return rendering.page("sign_in.html", {"problem": None})

    async def signs_in(self, request: Request) -> Response:
        """Begin a session for a key that opens something."""
        if sessions.is_forged(self._gateway, request):
            return _sorry(request, _foreign(), status=403)
        try:
            session = sessions.begun(self._gateway, await _posted_key(request))
            await self._gateway.callers.principal(session.api_key)
        except Unauthenticated:
            problem = "This key opens nothing. Check that all of it was pasted."
            return rendering.page("sign_in.html", {"problem": problem}, status=401)
        except Exception as problem:
            return _sorry(request, _told(request, problem))
        response = rendering.redirect(HOME)
        sessions.write(self._gateway, session, response)
        return response

    async def signs_out(self, request: Request) -> Response:
        """End the session in this browser."""
        if sessions.is_forged(self._gateway, request):
            return _sorry(request, _foreign(), status=403)
        response = rendering.redirect(SIGN_IN)
        sessions.forget(response)
        return response

    async def _caller(self, request: Request) -> Principal:
        """Whoever is signed in. Raises Unauthenticated."""
        session = sessions.read(self._gateway, request)
        if session is None:
            raise Unauthenticated("Nobody is signed in here.")
        return await self._gateway.callers.principal(session.api_key)


async def _posted_key(request: Request) -> str:
    """The key of the form, whatever was typed. Raises TooLarge."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            raise TooLarge(f"The form is larger than {FORM_BYTES_MAX} bytes.")
    return parse_qs(body.decode("latin-1")).get("api_key", [""])[0].strip()


async def _unrouted(request: Request, problem: Exception) -> Response:
    """A path that is not there, or one that does not take this method."""
    status = problem.status_code if isinstance(problem, HTTPException) else None
    return _sorry(request, _no_page(), status=status)


def _signed_out(request: Request, problem: Unauthenticated) -> Response:
    """Programs are told; people are sent to sign in, and a cookie that means nothing goes."""
    if _wants_json(request):
        return _sorry(request, problem)
    response = rendering.redirect(SIGN_IN)
    sessions.forget(response)
    return response


def _sorry(request: Request, problem: AinferaError, *, status: int | None = None) -> Response:
    status = status or problem.status
    if _wants_json(request):
        content: dict[str, Json] = {"code": problem.code, "message": problem.sentence}
        return rendering.json(content, status=status)
    return rendering.page(
        "sorry.html", {"status": status, "sentence": problem.sentence}, status=status
    )


def _told(request: Request, problem: Exception) -> AinferaError:
    """The error to tell: our own as it is, any other as Internal, with its story in our log."""
    if isinstance(problem, AinferaError):
        return problem
    extra = {"request_id": request.scope["state"]["request_id"], "path": request.url.path}
    log.error("internal_error", exc_info=problem, extra=extra)
    return Internal("Something broke on our side. It is in our logs.")


def _no_page() -> NotFound:
    return NotFound("There is no such page.", resource="page")


def _foreign() -> RequestError:
    return RequestError("This form was not sent from our own page, so nothing was done.")


def _wants_json(request: Request) -> bool:
    return request.url.path.endswith(TWIN)
