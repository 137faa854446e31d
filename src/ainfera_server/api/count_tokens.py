"""How long a request would be, before it is sent: Anthropic's count, or an estimate that says so.

It costs nothing, sets nothing aside and leaves no trace, so an empty wallet is no reason to refuse.
"""

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import Headers

from ainfera_server import conversation
from ainfera_server.accounts.store import Payer
from ainfera_server.api.given import Caller, Opened
from ainfera_server.catalog import token_counts
from ainfera_server.catalog.offers import Offer
from ainfera_server.dialects.anthropic_messages import client, counting
from ainfera_server.errors import NotCarried, ProviderFailed
from ainfera_server.gateway import Gateway
from ainfera_server.inference import suitable
from ainfera_server.providers.anthropic import ANTHROPIC
from ainfera_server.providers.provider import Timeouts

TIMEOUTS = Timeouts(
    connect_s=2.0, first_byte_s=5.0, plain_first_byte_s=5.0, idle_s=5.0, total_s=5.0
)
"""Claude Code asks for dozens of counts at once and shows nothing until it has them."""

SAID_BY = "x-ainfera-token-count"
VENDORS = "anthropic-"


async def count_tokens(request: Request, gateway: Opened, caller: Caller) -> Response:
    """Count the tokens of a request in the form of Anthropic's Messages; free of charge."""
    asked = counting.decode_request(await request.body())
    payer = await gateway.callers.payer(caller, asked.wishes.agent_id)
    offer = _offer(gateway, payer, asked.model)
    counted = None if offer is None else await _counted(gateway, offer, asked, request.headers)
    if counted is not None:
        return _answer(counted, said_by="provider")
    estimate = token_counts.careful_input_tokens(asked)
    return _answer(counting.encode_answer(estimate), said_by="estimate")


def _answer(body: bytes, *, said_by: str) -> Response:
    return Response(body, media_type="application/json", headers={SAID_BY: said_by})


def _offer(gateway: Gateway, payer: Payer, model: str) -> Offer | None:
    """Anthropic's own offer of the model, where the agent could be answered by it."""
    named = (
        offer
        for offer in gateway.catalog.offers_for(model)
        if offer.provider == ANTHROPIC.slug
        and offer.upstream_name is not None
        and offer.provider in gateway.endpoints
        and suitable.is_allowed(payer, offer)
    )
    return next(named, None) if payer.status == "active" else None


async def _counted(
    gateway: Gateway, offer: Offer, asked: conversation.Request, headers: Headers
) -> bytes | None:
    """What Anthropic answers; None when it cannot be asked, or did not count."""
    endpoint = gateway.endpoints[offer.provider]
    assert offer.upstream_name is not None, "only an offer that can be called is chosen"
    try:
        answer = await gateway.transport.json(
            endpoint,
            counting.PATH,
            headers={
                **client.headers(api_key=endpoint.api_key.revealed()),
                **_said_to_the_vendor(headers),
            },
            body=counting.adapt_request(asked, model=offer.upstream_name),
            timeouts=TIMEOUTS,
        )
    except (NotCarried, ProviderFailed):
        return None
    is_counted = answer.status < 400 and counting.is_answer(answer.body)
    return answer.body if is_counted else None


def _said_to_the_vendor(headers: Headers) -> dict[str, str]:
    """The betas that switch on fields of the body, and whatever else is said to Anthropic."""
    names = sorted({name for name in headers if name.startswith(VENDORS)})
    return {name: ", ".join(headers.getlist(name)) for name in names}
