"""The doors of one server, put together: HTTP, the pages under `/dashboard`, MCP at `/mcp`."""

import functools
import importlib.util

from starlette.types import ASGIApp

from ainfera_server.api import app, authenticate
from ainfera_server.dashboard import pages
from ainfera_server.gateway import Gateway


def doors(gateway: Gateway) -> ASGIApp:
    """Everything that a server answers. MCP is there when its extra is installed."""
    beside = {"dashboard": pages.application(gateway)}
    if importlib.util.find_spec("mcp") is not None:
        from ainfera_server.mcp_server import server as mcp

        who_calls = functools.partial(authenticate.authenticate, gateway)
        beside["mcp"] = mcp.application(gateway, who_calls)
    return app.application(gateway, beside=beside)
