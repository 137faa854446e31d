"""Whether the server lives, is ready, and what it counted: for operators and what they run."""

from ipaddress import ip_address

from fastapi import Request
from fastapi.responses import Response
from prometheus_client import exposition

from ainfera_server.api import answers, audit, openapi
from ainfera_server.api.given import Opened
from ainfera_server.errors import NotFound, StoreUnavailable
from ainfera_server.gateway import Gateway

FORWARDING_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


async def health(gateway: Opened) -> Response:
    """Tell whether the server and its database are well."""
    is_well = await _database_answers(gateway)
    return answers.json(
        {
            "status": "ok" if is_well else "degraded",
            "version": openapi.server_version(),
            "services": {"db": "ok" if is_well else "down", "redis": "not_used"},
        },
        status=200 if is_well else 503,
    )


async def livez() -> Response:
    """Tell that the process turns; it asks no database."""
    return answers.json({"status": "ok"})


async def readyz(gateway: Opened) -> Response:
    """Tell whether requests can be answered: the database is there and the catalog is read."""
    checks = {
        "database": await _database_answers(gateway),
        "catalog": bool(gateway.catalog.offers),
    }
    is_ready = all(checks.values())
    return answers.json(
        {"status": "ok" if is_ready else "unready", "checks": checks},
        status=200 if is_ready else 503,
    )


async def startupz() -> Response:
    """Tell that the start is over: before that, nobody listens."""
    return answers.json({"status": "ok"})


async def metrics(request: Request, gateway: Opened) -> Response:
    """Show what was counted, in Prometheus' text form, to this machine only."""
    if not _is_from_this_machine(request):
        raise NotFound("There is no such path here. GET /openapi.json lists them.", resource="path")
    text = exposition.generate_latest(gateway.metrics.registry)
    return Response(text, media_type=exposition.CONTENT_TYPE_PLAIN_0_0_4)


def _is_from_this_machine(request: Request) -> bool:
    """Whether the caller is local; whatever a proxy on this machine passes on is not."""
    if any(name in request.headers for name in FORWARDING_HEADERS) or request.client is None:
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


async def _database_answers(gateway: Gateway) -> bool:
    try:
        await audit.height(gateway)
    except StoreUnavailable:
        return False
    return True
