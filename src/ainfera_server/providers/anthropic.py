"""Anthropic: the Claude models, in the dialect that they speak natively."""

from ainfera_server.providers.provider import Provider

# https://platform.claude.com/docs/en/api/overview; the base URL has no `/v1`, as in their SDK.
ANTHROPIC = Provider(
    slug="anthropic",
    display_name="Anthropic",
    brand="anthropic",
    dialect="anthropic_messages",
    base_url="https://api.anthropic.com",
    base_url_variable="ANTHROPIC_BASE_URL",
    key_variable="ANTHROPIC_API_KEY",
)
