"""Novita AI: open models of many makers, over chat completions."""

from ainfera_server.providers.provider import Provider

# https://novita.ai/docs/guides/llm-api
NOVITA = Provider(
    slug="novita",
    display_name="Novita AI",
    brand=None,
    dialect="openai_chat",
    base_url="https://api.novita.ai/v3/openai",
    base_url_variable="NOVITA_BASE_URL",
    key_variable="NOVITA_API_KEY",
)
