"""The table of providers says what the providers are sent, and leaves none out."""

import pytest

from ainfera_server.providers import PROVIDERS, transport
from ainfera_server.providers.provider import Provider
from docs import providers_table
from tests.providers import asking
from tests.providers.asking import OUTPUT_TOKENS_MAX
from tests.scripted_provider import ScriptedProvider

ROWS = {row[0]: dict(zip(providers_table.HEAD, row, strict=True)) for row in providers_table.rows()}


def test_every_provider_has_its_row() -> None:
    assert list(ROWS) == [one.display_name for one in PROVIDERS]
    assert all(int(row["offers"]) > 0 for row in ROWS.values())


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda one: one.slug)
async def test_what_a_row_says_is_what_is_sent(
    provider: Provider, scripted_provider: ScriptedProvider
) -> None:
    row = ROWS[provider.display_name]
    async with transport.opened() as opened:
        await asking.of(opened, provider, scripted_provider).streamed()
    (request,) = scripted_provider.requests
    (limit,) = (name for name, value in request.json.items() if value == OUTPUT_TOKENS_MAX)
    assert f"`{limit}`" in row["limit field"]
    assert ("stream_options" in request.json) == (row["stream options"] == "sent")
    assert f"`{provider.dialect}`" in row["dialects"]
