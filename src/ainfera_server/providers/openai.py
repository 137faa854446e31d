"""OpenAI: the GPT models over chat completions."""

from ainfera_server.dialects.sides import Quirks
from ainfera_server.providers.provider import Provider

# https://platform.openai.com/docs/api-reference/chat/create
OPENAI = Provider(
    slug="openai",
    display_name="OpenAI",
    brand="openai",
    dialect="openai_chat",
    base_url="https://api.openai.com/v1",
    base_url_variable="OPENAI_BASE_URL",
    key_variable="OPENAI_API_KEY",
    # Reasoning models refuse `max_tokens` with a 400, and the page above calls it deprecated for
    # all others; the newer field also counts reasoning, as our holds must.
    quirks=Quirks(max_tokens_field="max_completion_tokens"),
)
