"""What the tests of the clients ask: the same words, tools and picture for every client."""

from collections.abc import Iterable

from ainfera_server.conversation import ToolCall
from tests.providers.scripted_http import Received
from tests.scripted_provider import ScriptedProvider

GPT = "gpt-5-5"
GPT_UPSTREAM = "gpt-5.5"
CLAUDE = "claude-opus-4-7"
MISTRAL = "mistral-large-3"
MISTRAL_UPSTREAM = "mistral-large-2512"

QUESTION = "What is the weather in Paris and in Rome?"
SYSTEM = "You answer in one sentence."
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
)
PIXEL_URL = f"data:image/png;base64,{PIXEL}"

SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "A city's name, as “Köln”."}},
    "required": ["city"],
    "additionalProperties": False,
}
CALLS = (
    ToolCall(call_id="call_paris", name="weather", arguments='{"city": "Paris"}'),
    ToolCall(call_id="call_rome", name="weather", arguments='{"city": "Rome"}'),
)
RESULTS = {"call_paris": "12 degrees, rain", "call_rome": "24 degrees, sun"}


def only_request(provider: ScriptedProvider) -> Received:
    """What the provider was asked, once."""
    (received,) = provider.requests
    return received


def all_but(sent: dict[str, object], names: Iterable[str]) -> dict[str, object]:
    """A body without some of its fields."""
    left_out = set(names)
    return {name: value for name, value in sent.items() if name not in left_out}
