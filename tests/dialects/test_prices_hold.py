"""What changes a vendor's price does not travel: the price book has one price for each offer."""

import msgspec
import pytest

from ainfera_server.dialects.anthropic_messages import client as anthropic_client
from ainfera_server.dialects.anthropic_messages import server as anthropic_server
from ainfera_server.dialects.openai_chat import client as openai_client
from ainfera_server.dialects.openai_chat import server as openai_server
from ainfera_server.dialects.sides import ClientSide, Quirks, ServerSide
from ainfera_server.errors import Invalid, NotCarried

ASKED = {"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi."}]}


def adapted(server: ServerSide, client: ClientSide, **more: object) -> bytes:
    request = server.decode_request(msgspec.json.encode({**ASKED, **more}))
    return client.adapt_request(request, model="m", max_tokens=8, quirks=Quirks())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("service_tier", "priority"), ("service_tier", "flex"), ("web_search_options", {})),
        *(("search_parameters", {"mode": "on"}), ("modalities", ["text", "audio"])),
        ("audio", {"voice": "alloy", "format": "mp3"}),
    ],
)
def test_openai_is_not_asked_for_another_price(field: str, value: object) -> None:
    with pytest.raises(NotCarried, match=field):
        adapted(openai_server, openai_client, **{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("speed", "fast"), ("inference_geo", "us"), ("fallbacks", [{"model": "dearer"}])),
        *(("fallbacks", "default"), ("container", "container_1"), ("thread", {"type": "create"})),
        ("mcp_servers", [{"type": "url", "url": "https://a.example", "name": "a"}]),
        ("compaction", {"type": "enabled"}),
        ("context_management", {"edits": [{"type": "compact_20260112"}]}),
    ],
)
def test_anthropic_is_not_asked_for_another_price(field: str, value: object) -> None:
    with pytest.raises(NotCarried, match=field):
        adapted(anthropic_server, anthropic_client, **{field: value})


@pytest.mark.parametrize(
    "kind", ["web_search_preview", "browser_search", "mcp", "code_interpreter"]
)
def test_a_tool_that_a_provider_runs_is_refused_where_functions_are_asked_for(kind: str) -> None:
    with pytest.raises(Invalid) as caught:
        adapted(openai_server, openai_client, tools=[{"type": kind}])
    assert caught.value.facts == {"param": "tools.0.type"}
    custom = {"type": "custom", "custom": {"name": "f"}}
    assert b'"custom"' in adapted(openai_server, openai_client, tools=[custom])


def test_edits_that_shorten_the_prompt_travel() -> None:
    edits = [{"type": "clear_thinking_20251015", "keep": "all"}]
    for said in ({"edits": edits}, {"edits": None}, {}, None, "nonsense"):
        told = adapted(anthropic_server, anthropic_client, context_management=said)
        assert b'"context_management":' in told


def test_what_keeps_the_listed_price_travels() -> None:
    assert b'"modalities"' in adapted(openai_server, openai_client, modalities=["text"])
    assert b'"mcp_servers"' in adapted(anthropic_server, anthropic_client, mcp_servers=[])
    assert b'"default"' in adapted(openai_server, openai_client, service_tier="default")
    assert b'"standard_only"' in adapted(
        anthropic_server, anthropic_client, service_tier="standard_only"
    )
