"""The key in a request's headers, and whose it is."""

from starlette.datastructures import Headers

from ainfera_server.accounts.callers import Principal
from ainfera_server.errors import Unauthenticated
from ainfera_server.gateway import Gateway

BEARER = "bearer "


async def authenticate(gateway: Gateway, headers: Headers) -> Principal:
    """Find out who calls. Raises Unauthenticated, and StoreUnavailable when nobody can tell."""
    return await gateway.callers.principal(_presented_text(headers))


def _presented_text(headers: Headers) -> str | None:
    """The key as it was sent; None when none was. Raises Unauthenticated for two that differ."""
    bearers = [_bearer(value) for value in headers.getlist("authorization") if value.strip()]
    bare = [value.strip() for value in headers.getlist("x-api-key") if value.strip()]
    sent = {*bearers, *bare}
    if len(sent) > 1:
        raise Unauthenticated(
            "Two different keys were sent. Send one, as `Authorization: Bearer` or as `x-api-key`."
        )
    return sent.pop() if sent else None


def _bearer(value: str) -> str:
    """The key of an Authorization header; one of another scheme stays as it is, and is no key."""
    is_bearer = value[: len(BEARER)].lower() == BEARER
    return value[len(BEARER) :].strip() if is_bearer else value
