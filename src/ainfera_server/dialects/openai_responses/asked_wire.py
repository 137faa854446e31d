"""The names of OpenAI's Responses as our callers write a request.

https://developers.openai.com/api/reference/resources/responses/methods/create
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Raw, Struct

MODEL_FIELD = "model"
INPUT_FIELD = "input"
LIMIT_FIELD = "max_output_tokens"
STORE_FIELD = "store"
INCLUDE_FIELD = "include"
ENCRYPTED_REASONING = "reasoning.encrypted_content"
NOTHING = Raw()
"""A field that its author left out."""

PRICED_AS_LISTED = {
    "service_tier": (b'"auto"', b'"default"'),
    "context_management": (b"[]",),
    "reasoning.mode": (b'"standard"',),
    "prompt_cache_options.ttl": (b'"30m"',),
}
"""Fields that change the price, each with the values that do not.

The second has the vendor compact the conversation in between, which writes tokens of its own; the
last says how long a prompt is kept. https://developers.openai.com/api/docs/pricing
"""

PRICED_INSIDE = ("reasoning", "prompt_cache_options")
"""Fields of which only a part changes the price."""

KEPT_BY_THE_VENDOR: Mapping[str, str] = {
    "previous_response_id": "Send the items of the conversation in `input` instead, those that the"
    " model answered with too.",
    "conversation": "Send the items of the conversation in `input` instead.",
    "prompt": "Send its text in `instructions` or `input` instead.",
}
"""Fields that name what a vendor keeps in its account, and how to say the same without them."""

BACKGROUND_FIELD = "background"


class Typed(Struct, frozen=True):
    """A part, a tool or a choice, before we know whether we know it."""

    type: str


class Item(Struct, frozen=True):
    """An item of the input, before we know whether we know it; the vendor lets some have no type.

    One with a role is a message, any other the reference of an item that the vendor keeps.
    """

    type: str | None = None
    role: str | None = None

    @property
    def kind(self) -> str:
        """The type, or the one that goes without saying."""
        return self.type or ("item_reference" if self.role is None else "message")


class GivenMessage(Struct, frozen=True):
    role: str
    content: str | tuple[Raw, ...]


class GivenText(Struct, frozen=True):
    text: str


class GivenRefusal(Struct, frozen=True):
    refusal: str


class GivenImage(Struct, frozen=True):
    """A picture; None for the address of one that is named by the id of a file."""

    image_url: str | None = None


class GivenCall(Struct, frozen=True):
    call_id: str
    name: str
    arguments: str
    namespace: str | None = None


class GivenOutput(Struct, frozen=True):
    """What a tool answered; the vendor finds some calls without an id, and nobody else does."""

    output: str | tuple[Raw, ...]
    call_id: str | None = None


class GivenTools(Struct, frozen=True):
    """An item that brings tools along in the middle of a conversation."""

    tools: tuple[Raw, ...] = ()


class GivenFunction(Struct, frozen=True):
    name: str
    description: str | None = None
    parameters: Raw = NOTHING


FUNCTION_FIELDS = frozenset({"type", *GivenFunction.__struct_fields__})


class GivenNamespace(Struct, frozen=True):
    name: str
    tools: tuple[Raw, ...]
    description: str | None = None


class GivenSearch(Struct, frozen=True):
    """A search of the web; without access to it, the vendor looks into what it has kept."""

    external_web_access: bool | None = None


class Environment(Struct, frozen=True):
    type: str


class GivenShell(Struct, frozen=True):
    """A shell, whose commands the caller runs where it is local and the vendor where it is not."""

    environment: Environment | None = None


class NamedChoice(Struct, frozen=True):
    name: str


class AllowedTools(Struct, frozen=True):
    mode: Literal["auto", "required"]


class TextFormat(Struct, frozen=True, omit_defaults=True):
    """The format of an answer."""

    type: str
    name: str | None = None
    description: str | None = None
    schema: Raw = NOTHING
    strict: bool | None = None


class TextConfig(Struct, frozen=True):
    format: TextFormat | None = None


FORMAT_NAME = "format"


class ResponsesRequest(Struct, frozen=True, kw_only=True):
    """What is asked. The fields from `agent_id` on are ours."""

    model: str
    input: str | tuple[Raw, ...]
    instructions: str | None = None
    tools: tuple[Raw, ...] | None = None
    tool_choice: Raw = NOTHING
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    text: Raw = NOTHING
    store: bool | None = None
    include: tuple[str, ...] | None = None
    stream: bool | None = None
    background: bool | None = None
    agent_id: Raw = NOTHING
    task_type: Raw = NOTHING
    routing_hint: Raw = NOTHING
    caps: Raw = NOTHING


UNDERSTOOD = frozenset(ResponsesRequest.__struct_fields__) | KEPT_BY_THE_VENDOR.keys()
