"""Whose client asks for models: the same path answers three kinds of client in their own form."""

from urllib.parse import parse_qs

from starlette.datastructures import Headers

from ainfera_server.catalog.views import ModelShape

OPENAI_AGENTS = ("OpenAI/", "AsyncOpenAI/")
FORMATS: dict[str, ModelShape] = {
    "anthropic": "anthropic",
    "native": "native",
    "openai": "openai",
}


def of(headers: Headers, query: str) -> ModelShape:
    """Tell by `?format=`, then by what only Anthropic's SDK or only an SDK sends."""
    asked = FORMATS.get(parse_qs(query).get("format", [""])[-1])
    if asked is not None:
        return asked
    if "anthropic-version" in headers:
        return "anthropic"
    is_sdk = any(name.startswith("x-stainless-") for name in headers)
    is_openai = headers.get("user-agent", "").startswith(OPENAI_AGENTS)
    return "openai" if is_sdk or is_openai else "native"
