"""Together AI: open models of many makers, over chat completions."""

from ainfera_server.providers.provider import Provider

# https://docs.together.ai/docs/openai-api-compatibility
TOGETHER = Provider(
    slug="together",
    display_name="Together AI",
    brand=None,
    dialect="openai_chat",
    base_url="https://api.together.xyz/v1",
    base_url_variable="TOGETHER_BASE_URL",
    key_variable="TOGETHER_API_KEY",
)
