"""An address that works for the vendor's own SDK works for us, and means the same."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import anthropic
import openai
import pytest

from ainfera_server import gateway as gateways
from ainfera_server import settings as environment_settings
from ainfera_server.inference import record
from tests.inference import callers
from tests.promises import proves
from tests.scripted_provider import DEFAULT_KEY, ScriptedProvider


@proves("base-url-means-what-the-vendor-means")
@pytest.mark.parametrize("ending", ["", "/"], ids=["as written", "with a slash"])
async def test_openais_address_leads_us_where_it_leads_openais_sdk(
    database: str,
    scripted_provider: ScriptedProvider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
) -> None:
    address = scripted_provider.base_url + ending
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    async with openai.AsyncOpenAI(api_key=DEFAULT_KEY) as client:
        await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}])
    said = {"OPENAI_API_KEY": DEFAULT_KEY, "OPENAI_BASE_URL": address}
    await asked("gpt-5-5", said, database, tmp_path)
    theirs, ours = scripted_provider.requests
    assert ours.path == theirs.path


@proves("base-url-means-what-the-vendor-means")
@pytest.mark.parametrize("ending", ["", "/"], ids=["as written", "with a slash"])
async def test_anthropics_address_leads_us_where_it_leads_anthropics_sdk(
    database: str,
    scripted_provider: ScriptedProvider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
) -> None:
    address = scripted_provider.root_url + ending
    monkeypatch.setenv("ANTHROPIC_BASE_URL", address)
    async with anthropic.AsyncAnthropic(api_key=DEFAULT_KEY) as client:
        await client.messages.create(
            model="m", max_tokens=9, messages=[{"role": "user", "content": "?"}]
        )
    said = {"ANTHROPIC_API_KEY": DEFAULT_KEY, "ANTHROPIC_BASE_URL": address}
    await asked("claude-opus-4-7", said, database, tmp_path)
    theirs, ours = scripted_provider.requests
    assert ours.path == theirs.path


async def asked(model: str, said: Mapping[str, str], dsn: str, data_dir: Path) -> None:
    """Ask a model by its name, as an operator set us up."""
    chosen = replace(environment_settings.from_environment(said), data_dir=data_dir)
    async with gateways.opened(chosen, dsn=dsn, writes=record.writes) as gateway:
        caller = await callers.signed_up(gateway)
        await caller.asks(gateway, model=model)
