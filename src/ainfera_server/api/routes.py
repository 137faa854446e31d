"""Every path of the HTTP API, in one list: who may call it, and what answers."""

from ainfera_server.api import (
    agents,
    audit,
    cards,
    discovery,
    inferences,
    keys,
    models,
    openapi,
    outcomes,
    probes,
    receipts,
    tenants,
    usage,
    wallets,
)
from ainfera_server.api.route import AnyRoute, InferenceRoute, Opens, Route, UnbuiltRoute


def every_route() -> tuple[AnyRoute, ...]:
    """All there is; whatever is not here is a 404."""
    return (*ROUTES, *INFERENCE_ROUTES, *UNBUILT_ROUTES)


def _route(
    line: str, answer: "Answering", *, opens: Opens, tag: str, status: int = 200
) -> Route:
    method, path = line.split(" ")
    return Route(method=method, path=path, answer=answer, opens=opens, tag=tag, status=status)
