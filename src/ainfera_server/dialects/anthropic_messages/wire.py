"""The names of Anthropic's Messages: what is asked, what is answered and the events of a stream.

https://platform.claude.com/docs/en/api/messages
"""

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

from ainfera_server.dialects.anthropic_messages import asked_wire

TYPE_FIELD = "type"
MODEL_FIELD = "model"
MESSAGES_FIELD = "messages"
CONTENT_FIELD = "content"
PRICED_AS_LISTED: dict[str, tuple[bytes, ...]] = {
    "speed": (b'"standard"',),
    "inference_geo": (b'"global"',),
    **dict.fromkeys(("fallbacks", "mcp_servers"), (b"[]",)),
    **dict.fromkeys(("fallback_credit_token", "billing_policy", "container"), ()),
    **dict.fromkeys(("compaction", "thread"), ()),
}
"""Fields that change what an answer costs, each with the values that do not.

Other models answer for `fallbacks`, a `container` costs by the hour, the tokens of a `compaction`
stand beside those that are counted, `mcp_servers` are called without bound, and the prompt of a
`thread` is not in the body. https://platform.claude.com/docs/en/about-claude/pricing
"""
CONTEXT_MANAGEMENT_FIELD = "context_management"
CLEARING = "clear_"
"""How the names of edits begin that shorten a prompt and cost nothing; others ask a model."""

LIMIT_FIELD = "max_tokens"
NOT_COUNTED = (
    *(LIMIT_FIELD, "stream", "stop_sequences", "temperature", "top_p", "top_k"),
    *("metadata", "service_tier", "inference_geo", "diagnostics"),
)
"""Fields of a request that add nothing to its prompt, and that are refused where it is counted."""

CACHE_CONTROL_FIELD = "cache_control"
THINKING = "thinking"
VERSION = "2023-06-01"
MESSAGE_ID_PREFIX = "msg_"
NOTHING = Raw()
"""A field that its author left out."""

EMPTY_OBJECT = Raw(b"{}")

TokenCount = Annotated[int, Meta(ge=0, le=1_000_000_000)]
"""No answer counts more; a number beyond it is garbage."""


class Typed(Struct, frozen=True):
    """Anything that says what it is, before we know whether we know it."""

    type: str


class TextBlock(Struct, frozen=True, tag_field="type", tag="text"):
    text: str


class Base64Source(Struct, frozen=True, tag_field="type", tag="base64"):
    media_type: str
    data: str


class UrlSource(Struct, frozen=True, tag_field="type", tag="url"):
    url: str


class SourceOfSomeType(Struct, frozen=True):
    source: Typed


class ImageBlock(Struct, frozen=True, tag_field="type", tag="image"):
    source: Base64Source | UrlSource


class ToolUseBlock(Struct, frozen=True, tag_field="type", tag="tool_use"):
    id: str
    name: str
    input: Raw


class ToolResultBlock(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="tool_result"):
    tool_use_id: str
    content: str | tuple[Raw, ...] | None = None
    is_error: bool | None = None


class ThinkingBlock(Struct, frozen=True, tag_field="type", tag="thinking"):
    thinking: str
    signature: str = ""


class RedactedThinkingBlock(Struct, frozen=True, tag_field="type", tag="redacted_thinking"):
    data: str


Block = (
    TextBlock | ImageBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock | RedactedThinkingBlock
)

BLOCKS: dict[str, type[Block]] = {
    "text": TextBlock,
    "image": ImageBlock,
    "tool_use": ToolUseBlock,
    "tool_result": ToolResultBlock,
    "thinking": ThinkingBlock,
    "redacted_thinking": RedactedThinkingBlock,
}
SOURCES = frozenset({"base64", "url"})


class Message(Struct, frozen=True):
    role: Literal["user", "assistant", "system"]
    content: str | tuple[Raw, ...]


class Edit(Struct, frozen=True):
    type: str


class ContextManagement(Struct, frozen=True):
    edits: tuple[Edit, ...] | None = None


class ToolChoice(Struct, frozen=True, omit_defaults=True):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class JsonSchemaFormat(Struct, frozen=True, tag_field="type", tag="json_schema"):
    schema: Raw


class OutputConfig(Struct, frozen=True):
    format: JsonSchemaFormat


OUTPUT_CONFIG_FIELD = "output_config"


class NamedSchema(Struct, frozen=True):
    schema: Raw
    name: str = "answer"


class ResponseFormat(Struct, frozen=True):
    """How a conversation asks for JSON: the one thing in it that is not in neutral words."""

    type: str
    json_schema: NamedSchema | None = None


class MessagesRequest(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is asked. The fields from `agent_id` on are ours."""

    model: str
    messages: tuple[Message, ...]
    max_tokens: int | None = None
    system: str | tuple[Raw, ...] | None = None
    tools: tuple[Raw, ...] | None = None
    tool_choice: ToolChoice | None = None
    stop_sequences: tuple[str, ...] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stream: bool | None = None
    agent_id: Raw = NOTHING
    task_type: Raw = NOTHING
    routing_hint: Raw = NOTHING
    caps: Raw = NOTHING


UNDERSTOOD = frozenset(MessagesRequest.__struct_fields__)


class WrittenMessage(Struct, frozen=True):
    role: Literal["user", "assistant"]
    content: str | tuple[Block, ...]


class WrittenRequest(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What we ask, in the order in which the vendor's examples write it."""

    model: str
    max_tokens: int
    messages: tuple[WrittenMessage, ...]
    system: str | tuple[TextBlock, ...] | None = None
    tools: tuple[asked_wire.Tool, ...] | None = None
    tool_choice: ToolChoice | None = None
    stop_sequences: tuple[str, ...] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    output_config: OutputConfig | None = None
    stream: bool | None = None


class Counted(Struct, frozen=True):
    """How long a prompt is."""

    input_tokens: TokenCount


class CacheCreation(Struct, frozen=True):
    """What was written to a cache, by how long it lives there."""

    ephemeral_5m_input_tokens: TokenCount | None = None
    ephemeral_1h_input_tokens: TokenCount | None = None


class OutputDetails(Struct, frozen=True):
    thinking_tokens: TokenCount | None = None


class ServerToolUse(Struct, frozen=True):
    """How often Anthropic ran its own tools; clients expect both counts."""

    web_search_requests: TokenCount | None = None
    web_fetch_requests: TokenCount | None = 0


class Usage(Struct, frozen=True, omit_defaults=True):
    """Tokens; what was read from or written to a cache is not part of `input_tokens`.

    `cache_creation` says again what `cache_creation_input_tokens` is the sum of.
    """

    input_tokens: TokenCount | None = None
    cache_creation_input_tokens: TokenCount | None = None
    cache_creation: CacheCreation | None = None
    cache_read_input_tokens: TokenCount | None = None
    output_tokens: TokenCount | None = None
    output_tokens_details: OutputDetails | None = None
    server_tool_use: ServerToolUse | None = None


SEARCH_RESULT = "web_search_tool_result"


class SearchResult(Struct, frozen=True):
    """What a search found: a list, or an error."""

    content: Raw = NOTHING


class Answer(Struct, frozen=True, kw_only=True, tag_field="type", tag="message"):
    """A whole answer as it comes; blocks that we do not know stay unread."""

    id: str
    content: tuple[Raw, ...]
    model: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Raw = NOTHING


class WrittenAnswer(Struct, frozen=True, kw_only=True, tag_field="type", tag="message"):
    """A whole answer as we write it, or the empty one that a stream starts with."""

    id: str
    role: Literal["assistant"] = "assistant"
    model: str
    content: tuple[Block, ...]
    stop_reason: str | None
    stop_sequence: str | None
    usage: Usage


class Start(Struct, frozen=True, tag_field="type", tag="message_start"):
    message: Answer


class WrittenStart(Struct, frozen=True, tag_field="type", tag="message_start"):
    message: WrittenAnswer


class BlockStart(Struct, frozen=True, tag_field="type", tag="content_block_start"):
    index: int
    content_block: Raw


class WrittenBlockStart(Struct, frozen=True, tag_field="type", tag="content_block_start"):
    index: int
    content_block: Block


class TextDelta(Struct, frozen=True, tag_field="type", tag="text_delta"):
    text: str


class InputJsonDelta(Struct, frozen=True, tag_field="type", tag="input_json_delta"):
    partial_json: str


class ThinkingDelta(Struct, frozen=True, tag_field="type", tag="thinking_delta"):
    thinking: str


class SignatureDelta(Struct, frozen=True, tag_field="type", tag="signature_delta"):
    signature: str


Delta = TextDelta | InputJsonDelta | ThinkingDelta | SignatureDelta

DELTAS: dict[str, type[Delta]] = {
    "text_delta": TextDelta,
    "input_json_delta": InputJsonDelta,
    "thinking_delta": ThinkingDelta,
    "signature_delta": SignatureDelta,
}


class BlockDelta(Struct, frozen=True, tag_field="type", tag="content_block_delta"):
    index: int
    delta: Raw


class WrittenBlockDelta(Struct, frozen=True, tag_field="type", tag="content_block_delta"):
    index: int
    delta: Delta


class BlockStop(Struct, frozen=True, tag_field="type", tag="content_block_stop"):
    index: int


class Ending(Struct, frozen=True):
    stop_reason: str | None = None
    stop_sequence: str | None = None


class MessageDelta(Struct, frozen=True, tag_field="type", tag="message_delta"):
    delta: Ending
    usage: Raw = NOTHING


class WrittenMessageDelta(Struct, frozen=True, tag_field="type", tag="message_delta"):
    delta: Ending
    usage: Usage


class Stop(Struct, frozen=True, tag_field="type", tag="message_stop"):
    pass


class Ping(Struct, frozen=True, tag_field="type", tag="ping"):
    pass


StreamEvent = Start | BlockStart | BlockDelta | BlockStop | MessageDelta | Stop

STREAM_EVENTS: dict[str, type[StreamEvent]] = {
    "message_start": Start,
    "content_block_start": BlockStart,
    "content_block_delta": BlockDelta,
    "content_block_stop": BlockStop,
    "message_delta": MessageDelta,
    "message_stop": Stop,
}
ERROR_EVENT = "error"
