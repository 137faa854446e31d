"""Groq: open models on its own chips, over chat completions."""

from ainfera_server.dialects.sides import Quirks
from ainfera_server.providers.provider import Provider

# https://console.groq.com/docs/api-reference
GROQ = Provider(
    slug="groq",
    display_name="Groq",
    brand=None,
    dialect="openai_chat",
    base_url="https://api.groq.com/openai/v1",
    base_url_variable="GROQ_BASE_URL",
    key_variable="GROQ_API_KEY",
    # The page above calls `max_tokens` deprecated in favour of this one.
    quirks=Quirks(max_tokens_field="max_completion_tokens"),
)
