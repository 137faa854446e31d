"""Mistral: its own models over chat completions."""

from ainfera_server.dialects.sides import Quirks
from ainfera_server.providers.provider import Provider

# https://docs.mistral.ai/api/endpoint/chat
MISTRAL = Provider(
    slug="mistral",
    display_name="Mistral",
    brand="mistral",
    dialect="openai_chat",
    base_url="https://api.mistral.ai/v1",
    base_url_variable="MISTRAL_BASE_URL",
    key_variable="MISTRAL_API_KEY",
    # The request schema on the page above has no `stream_options` and takes no unknown fields;
    # the last chunk of a stream carries the usage unasked.
    quirks=Quirks(takes_stream_options=False),
)
