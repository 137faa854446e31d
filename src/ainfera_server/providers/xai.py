"""xAI: the Grok models over chat completions."""

from ainfera_server.dialects.sides import Quirks
from ainfera_server.providers.provider import Provider

# https://docs.x.ai/docs/api-reference
XAI = Provider(
    slug="xai",
    display_name="xAI",
    brand="xai",
    dialect="openai_chat",
    base_url="https://api.x.ai/v1",
    base_url_variable="XAI_BASE_URL",
    key_variable="XAI_API_KEY",
    # The page above calls `max_tokens` deprecated; the newer field also counts reasoning, which
    # every Grok since the fourth does and bills.
    quirks=Quirks(max_tokens_field="max_completion_tokens"),
)
