"""The MCP door: the official SDK behind a key, over streamable HTTP without sessions.

Each POST is served by a session manager of its own, so nothing has to be started before the first
request and nothing outlives the last. Both eras of the protocol are answered at the same place.
"""

import importlib.metadata
import logging
from typing import Any
from urllib.parse import urlsplit

import mcp_types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ainfera_server.dialects.native import server as native
from ainfera_server.errors import (
    AinferaError,
    MethodNotAllowed,
    RequestError,
    ServerError,
    Unauthenticated,
)
from ainfera_server.gateway import Gateway
from ainfera_server.mcp_server import asking, resources, tools
from ainfera_server.mcp_server.asking import Asking, Authenticate

NAME = "ainfera"
INSTRUCTIONS = (
    "Ainfera sends each inference to the cheapest model that is good enough, pays for it from the"
    " agent's prepaid wallet, and records decision, payment and answer in a chain that anybody can"
    " verify. Amounts are US dollars as decimal text."
)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

TOOLS_BY_NAME = {tool.name: tool for tool in tools.TOOLS}
DEFINITIONS = [tool.definition for tool in tools.TOOLS]
SCHEMAS = {one.name: one.input_schema for one in DEFINITIONS}

Context = ServerRequestContext[Any, Request]


def application(gateway: Gateway, authenticate: Authenticate) -> ASGIApp:
    """Make the door. It wants the scope as it came, with `request_id` in its `state`."""
    # The SDK announces every session manager, and here each request has one.
    logging.getLogger(StreamableHTTPSessionManager.__module__).setLevel(logging.WARNING)
    return McpDoor(gateway, authenticate)


class McpDoor:
    """Serves MCP to whoever has a key."""

    def __init__(self, gateway: Gateway, authenticate: Authenticate) -> None:
        self._gateway = gateway
        self._authenticate = authenticate
        self._server: Server[Any] = Server(
            NAME,
            version=importlib.metadata.version("ainfera-server"),
            instructions=INSTRUCTIONS,
            get_tool_input_schema=SCHEMAS.get,
            on_list_tools=_list_tools,
            on_call_tool=_call_tool,
            on_list_resources=_list_resources,
            on_list_resource_templates=_list_resource_templates,
            on_read_resource=_read_resource,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or say why not; what follows is the SDK's."""
        assert scope["type"] == "http", "only HTTP requests are sent to this door"
        request_id: str = scope["state"]["request_id"]
        if self._is_foreign(Headers(scope=scope).get("origin")):
            problem = RequestError("This page may not ask here.")
            await _refusal(problem, request_id, status=403)(scope, receive, send)
            return
        try:
            ask = await self._asking(scope, request_id)
        except AinferaError as problem:
            await _refusal(problem, request_id)(scope, receive, send)
            return
        inner = {**scope, "state": {**scope["state"], "asking": ask}}
        manager = StreamableHTTPSessionManager(self._server, stateless=True)
        async with manager.run():
            await manager.handle_request(inner, receive, send)

    async def _asking(self, scope: Scope, request_id: str) -> Asking:
        """Find out who asks. Raises Unauthenticated, MethodNotAllowed and StoreUnavailable."""
        caller = await self._authenticate(Headers(scope=scope))
        if scope["method"] != "POST":
            raise MethodNotAllowed("MCP is spoken with POST here; there are no sessions to resume.")
        return Asking(gateway=self._gateway, caller=caller, request_id=request_id)

    def _is_foreign(self, origin: str | None) -> bool:
        """A browser names the page that asks: ours, or one on this machine. Others send none."""
        if origin is None:
            return False
        try:
            page, ours = urlsplit(origin), urlsplit(self._gateway.public_url)
        except ValueError:
            return True
        is_ours = (page.scheme, page.netloc) == (ours.scheme, ours.netloc)
        return not is_ours and page.hostname not in LOOPBACK


def _refusal(problem: AinferaError, request_id: str, *, status: int | None = None) -> Response:
    worded = native.encode_error(problem, request_id=request_id)
    headers = {"content-type": "application/json", **worded.headers}
    match problem:
        case Unauthenticated():
            headers["www-authenticate"] = "Bearer"
        case MethodNotAllowed():
            headers["allow"] = "POST"
        case _:
            pass
    return Response(worded.body, status_code=status or worded.status, headers=headers)


async def _list_tools(
    _context: Context, _asked: mcp_types.PaginatedRequestParams | None
) -> mcp_types.ListToolsResult:
    return mcp_types.ListToolsResult(tools=DEFINITIONS)


async def _call_tool(
    context: Context, asked: mcp_types.CallToolRequestParams
) -> mcp_types.CallToolResult:
    tool = TOOLS_BY_NAME.get(asked.name)
    if tool is None:
        raise MCPError(mcp_types.INVALID_PARAMS, "There is no such tool.")
    return await tool.call(_ask(context), asked.arguments or {})


async def _list_resources(
    context: Context, _asked: mcp_types.PaginatedRequestParams | None
) -> mcp_types.ListResourcesResult:
    return mcp_types.ListResourcesResult(resources=list(resources.of_caller(_ask(context))))


async def _list_resource_templates(
    _context: Context, _asked: mcp_types.PaginatedRequestParams | None
) -> mcp_types.ListResourceTemplatesResult:
    return mcp_types.ListResourceTemplatesResult(
        resource_templates=[template.definition for template in resources.TEMPLATES]
    )


async def _read_resource(
    context: Context, asked: mcp_types.ReadResourceRequestParams
) -> mcp_types.ReadResourceResult:
    ask, uri = _ask(context), str(asked.uri)
    try:
        text = await resources.read(ask, uri)
    except Exception as problem:
        error = asking.told(problem, ask, where="resources/read")
        is_ours = isinstance(error, ServerError)
        raise MCPError(
            mcp_types.INTERNAL_ERROR if is_ours else mcp_types.INVALID_PARAMS,
            f"{error.code}: {error.sentence}",
            {"uri": uri, "code": error.code},
        ) from None
    contents = mcp_types.TextResourceContents(uri=uri, text=text, mime_type=resources.MEDIA_TYPE)
    return mcp_types.ReadResourceResult(contents=[contents])


def _ask(context: Context) -> Asking:
    assert context.request is not None, "over HTTP there always is a request"
    ask: Asking = context.request.state.asking
    return ask
