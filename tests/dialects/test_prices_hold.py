"""What changes a vendor's price does not travel: the price book has one price for each offer."""

import msgspec
import pytest

from ainfera_server.dialects.anthropic_messages import client as anthropic_client
from ainfera_server.dialects.anthropic_messages import server as anthropic_server
from ainfera_server.dialects.openai_chat import client as openai_client
from ainfera_server.dialects.openai_chat import server as openai_server
from ainfera_server.dialects.sides import ClientSide, Quirks, ServerSide
from ainfera_server.errors import NotCarried

ASKED = {"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi."}]}


def adapted(server: ServerSide, client: ClientSide, **more: object) -> bytes:
    request = server.decode_request(msgspec.json.encode({**ASKED, **more}))
    return client.adapt_request(request, model="m", max_tokens=8, quirks=Quirks())


@pytest.mark.parametrize(
    ("field", "value"),
    [("service_tier", "priority"), ("service_tier", "flex"), ("web_search_options", {})],
)
def test_openai_is_not_asked_for_another_price(field: str, value: object) -> None:
    with pytest.raises(NotCarried, match=field):
        adapted(openai_server, openai_client, **{field: value})


@pytest.mark.parametrize(("field", "value"), [("speed", "fast"), ("inference_geo", "us")])
def test_anthropic_is_not_asked_for_another_price(field: str, value: object) -> None:
    with pytest.raises(NotCarried, match=field):
        adapted(anthropic_server, anthropic_client, **{field: value})


def test_what_keeps_the_listed_price_travels() -> None:
    assert b'"default"' in adapted(openai_server, openai_client, service_tier="default")
    assert b'"standard_only"' in adapted(
        anthropic_server, anthropic_client, service_tier="standard_only"
    )
