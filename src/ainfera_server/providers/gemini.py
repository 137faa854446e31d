"""Gemini: Google's models through Google's own OpenAI-compatible endpoint."""

from ainfera_server.providers.provider import Provider

# https://ai.google.dev/gemini-api/docs/openai
GEMINI = Provider(
    slug="gemini",
    display_name="Google Gemini",
    brand="google",
    dialect="openai_chat",
    base_url="https://generativelanguage.googleapis.com/v1beta/openai",
    base_url_variable="GEMINI_BASE_URL",
    key_variable="GEMINI_API_KEY",
)
