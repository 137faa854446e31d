"""Fireworks AI: open models of many makers, over chat completions."""

from ainfera_server.providers.provider import Provider

# https://docs.fireworks.ai/tools-sdks/openai-compatibility
FIREWORKS = Provider(
    slug="fireworks",
    display_name="Fireworks AI",
    brand=None,
    dialect="openai_chat",
    base_url="https://api.fireworks.ai/inference/v1",
    base_url_variable="FIREWORKS_BASE_URL",
    key_variable="FIREWORKS_API_KEY",
)
