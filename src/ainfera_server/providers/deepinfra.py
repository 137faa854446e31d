"""DeepInfra: open models of many makers, over chat completions."""

from ainfera_server.providers.provider import Provider

# https://deepinfra.com/docs/openai_api
DEEPINFRA = Provider(
    slug="deepinfra",
    display_name="DeepInfra",
    brand=None,
    dialect="openai_chat",
    base_url="https://api.deepinfra.com/v1/openai",
    base_url_variable="DEEPINFRA_BASE_URL",
    key_variable="DEEPINFRA_API_KEY",
)
