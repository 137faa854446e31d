"""What a model is asked and what it answers, in no vendor's words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NewType, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""Any JSON value, parsed."""

JsonText = NewType("JsonText", bytes)
"""JSON that we carry and never interpret: the bytes as their author wrote them."""

Dialect = Literal["openai_chat", "openai_responses", "anthropic_messages", "native"]
"""A language that an API speaks."""

Role = Literal["system", "user", "assistant", "tool"]

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
"""Why an answer ended, in OpenAI's words, which the native API speaks too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture, by address (`url`) or by content (`media_type` and base64 `data`)."""

    url: str | None = None
    media_type: str | None = None
    data: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """The model asks for a tool; `arguments` is the text of a JSON object."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool answered."""

    call_id: str
    parts: tuple[Text | Image, ...]
    is_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """The model's reasoning; only its own maker can read `signature` or `redacted`."""

    text: str
    signature: str | None = None
    redacted: str | None = None


Part = Text | Image | ToolCall | ToolResult | Thinking


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn. A system prompt is a message of role system, where its author put it."""

    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that the model may ask for; `parameters` is its JSON Schema."""

    name: str
    description: str | None
    parameters: JsonText


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolChoice:
    """How free the model is to call tools; `name` is set for `named` and for nothing else."""

    mode: Literal["auto", "required", "none", "named"]
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a caller says to us rather than to the model.

    `hint` holds `routing_hint`, `caps` the aliases of the same; both as the caller wrote them.
    """

    agent_id: str | None = None
    task_type: str | None = None
    hint: Mapping[str, Json] = field(default_factory=dict[str, Json])
    caps: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question to a model.

    `body` is the request as it arrived: when the provider speaks the caller's dialect, that is
    what travels. `fields_not_understood` names what a translation has to leave behind, and
    `parts_not_understood` the places whose content cannot be said in another dialect: what was
    said there is missing from `messages`, so nobody may translate the rest. `web_searches_max`
    bounds how often the vendor may search the web while it answers, which it charges for apart.
    """

    dialect: Dialect
    body: bytes
    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    response_format: JsonText | None = None
    stream: bool = False
    stream_includes_usage: bool = False
    web_searches_max: int = 0
    wishes: Wishes = Wishes()
    fields_not_understood: tuple[str, ...] = ()
    parts_not_understood: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one answer, each counted in exactly one class, and what else the vendor did.

    `input_tokens` leaves out what was read from or written to a prompt cache;
    `cache_write_1h_tokens` were written to a cache that lives an hour, and `cache_write_tokens`
    leaves them out. `reasoning_tokens` says how many of `output_tokens` were reasoning.
    `web_searches` are those that the vendor made by itself.
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    web_searches: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer.

    `usage` is None when the provider reported none, or one that cannot be. `web_searches` are
    those whose results stand in the answer, whatever the provider reported.
    """

    reply_id: str
    model: str
    parts: tuple[Text | ToolCall | Thinking, ...]
    finish_reason: FinishReason
    finish_reason_native: str | None
    usage: Usage | None
    stop_sequence: str | None = None
    web_searches: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The provider began to answer; `usage` counts the input when it is known this early."""

    reply_id: str
    model: str
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """More words of the part at `index`; the first delta of an index opens its part."""

    index: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingDelta:
    """More reasoning of the part at `index`, or the signature that closes it."""

    index: int
    text: str = ""
    signature: str | None = None
    redacted: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallStarted:
    """A tool call opens at `index`; its arguments follow."""

    index: int
    call_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallDelta:
    """More of the JSON text of the arguments of the call at `index`."""

    index: int
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """The vendor has searched the web once, and reads the prompt again with what it found.

    `result_characters` is how long that is. It says nothing to the caller in any words of ours.
    """

    result_characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The answer is whole. `usage` is the total; None when none, or an impossible one, came."""

    finish_reason: FinishReason
    finish_reason_native: str | None
    usage: Usage | None
    stop_sequence: str | None = None


StreamEvent = (
    Started | TextDelta | ThinkingDelta | ToolCallStarted | ToolCallDelta | Searched | Ended
)
"""A streamed answer: one Started, deltas with indices contiguous from 0, one Ended."""
