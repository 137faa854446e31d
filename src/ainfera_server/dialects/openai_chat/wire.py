"""The names of OpenAI's chat completions: what is asked, what is answered, chunks and errors.

https://developers.openai.com/api/reference/resources/chat
"""

from typing import Literal

from msgspec import Raw, Struct

MODEL_FIELD = "model"
PRICED_AS_LISTED = {
    "service_tier": (b'"auto"', b'"default"'),
    "web_search_options": (),
    "search_parameters": (),
    "modalities": (b'["text"]',),
    "audio": (),
}
"""Fields that change the price, each with the values that do not.

`web_search_options` is OpenAI's search, `search_parameters` xAI's; sound has a price of its own.
https://openai.com/api/pricing https://docs.x.ai/docs/models
"""

LIMIT_FIELDS = ("max_tokens", "max_completion_tokens")
STREAM_OPTIONS_FIELD = "stream_options"
INCLUDE_USAGE_FIELD = "include_usage"
AINFERA_FIELD = "ainfera"
DONE = b"[DONE]"
NOTHING = Raw()
"""A field that its author left out."""


class Typed(Struct, frozen=True):
    """A part of a content, before we know whether we know it."""

    type: str


class FunctionOrNot(Struct, frozen=True):
    """A tool, a call of one or a choice of one; a function if it does not say."""

    type: str = "function"


CUSTOM_TOOL = "custom"
"""A tool that the caller runs as it runs functions, but for its input, which is not JSON."""


class Spoken(Struct, frozen=True):
    """A message, before we know whether we know who speaks."""

    role: str


class TextPart(Struct, frozen=True, tag_field="type", tag="text"):
    text: str


class RefusalPart(Struct, frozen=True, tag_field="type", tag="refusal"):
    refusal: str


class ImageUrl(Struct, frozen=True):
    url: str


class ImagePart(Struct, frozen=True, tag_field="type", tag="image_url"):
    image_url: ImageUrl


Part = TextPart | RefusalPart | ImagePart

PARTS: dict[str, type[Part]] = {"text": TextPart, "refusal": RefusalPart, "image_url": ImagePart}


class FunctionCall(Struct, frozen=True):
    name: str
    arguments: str


class ToolCall(Struct, frozen=True, tag_field="type", tag="function"):
    id: str
    function: FunctionCall


class GivenMessage(Struct, frozen=True):
    """A message of the system, a developer or a user, as callers write it."""

    content: str | tuple[Raw, ...]


class GivenAnswer(Struct, frozen=True):
    """What the model said earlier, as callers hand it back; the last two we cannot say again."""

    content: str | tuple[Raw, ...] | None = None
    refusal: str | None = None
    tool_calls: tuple[Raw, ...] | None = None
    function_call: Raw = NOTHING
    audio: Raw = NOTHING


class GivenResult(Struct, frozen=True):
    """What a tool answered, as callers write it."""

    tool_call_id: str
    content: str | tuple[Raw, ...]


class SystemMessage(Struct, frozen=True, tag_field="role", tag="system"):
    content: str | tuple[TextPart, ...]


class UserMessage(Struct, frozen=True, tag_field="role", tag="user"):
    content: str | tuple[TextPart | ImagePart, ...]


class AssistantMessage(Struct, frozen=True, omit_defaults=True, tag_field="role", tag="assistant"):
    content: str | tuple[TextPart, ...] | None = None
    tool_calls: tuple[ToolCall, ...] | None = None


class ToolMessage(Struct, frozen=True, tag_field="role", tag="tool"):
    tool_call_id: str
    content: str | tuple[TextPart, ...]


Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage


class Function(Struct, frozen=True, omit_defaults=True):
    name: str
    description: str | None = None
    parameters: Raw = NOTHING


class Tool(Struct, frozen=True, tag_field="type", tag="function"):
    function: Function


class FunctionName(Struct, frozen=True):
    name: str


class NamedTool(Struct, frozen=True, tag_field="type", tag="function"):
    function: FunctionName


class AllowedTools(Struct, frozen=True):
    mode: Literal["auto", "required"]


class AllowedToolChoice(Struct, frozen=True, tag_field="type", tag="allowed_tools"):
    allowed_tools: AllowedTools


ToolMode = Literal["none", "auto", "required"]


class StreamOptions(Struct, frozen=True):
    include_usage: bool | None = None


class ChatRequest(Struct, frozen=True, kw_only=True):
    """What is asked, as callers write it. The fields from `agent_id` on are ours."""

    model: str
    messages: tuple[Raw, ...]
    tools: tuple[Raw, ...] | None = None
    tool_choice: Raw = NOTHING
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: str | tuple[str, ...] | None = None
    seed: int | None = None
    n: int | None = None
    response_format: Raw = NOTHING
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    agent_id: Raw = NOTHING
    task_type: Raw = NOTHING
    routing_hint: Raw = NOTHING
    caps: Raw = NOTHING


UNDERSTOOD = frozenset(ChatRequest.__struct_fields__)


class WrittenRequest(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What we ask."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] | None = None
    tool_choice: ToolMode | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] | None = None
    seed: int | None = None
    response_format: Raw = NOTHING
    stream: bool | None = None
    stream_options: StreamOptions | None = None


class PromptDetails(Struct, frozen=True, omit_defaults=True):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class CompletionDetails(Struct, frozen=True, omit_defaults=True):
    reasoning_tokens: int | None = None


class Usage(Struct, frozen=True, omit_defaults=True):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None


class ContentChunk(Struct, frozen=True):
    """Mistral's reasoning models answer in a list of these."""

    type: str = ""
    text: str | None = None
    thinking: "tuple[ContentChunk, ...] | None" = None


class SaidFunction(Struct, frozen=True):
    """`arguments` is text; a few vendors send the object itself."""

    name: str | None = None
    arguments: Raw = NOTHING


class SaidToolCall(Struct, frozen=True):
    index: int | None = None
    id: str | None = None
    function: SaidFunction | None = None


class Said(Struct, frozen=True):
    """The message of an answer, or the delta of a chunk.

    Reasoning has no field of OpenAI's: DeepSeek, xAI and llama.cpp call it `reasoning_content`,
    Groq and Together `reasoning`.
    """

    content: str | tuple[ContentChunk, ...] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: Raw = NOTHING
    tool_calls: tuple[SaidToolCall, ...] | None = None


class SaidChoice(Struct, frozen=True):
    index: int | None = None
    message: Said | None = None
    delta: Said | None = None
    finish_reason: str | None = None


class Answer(Struct, frozen=True):
    """A whole answer or one chunk of it, as leniently as vendors differ."""

    id: str | None = None
    model: str | None = None
    choices: tuple[SaidChoice, ...] | None = None
    usage: Raw = NOTHING
    error: Raw = NOTHING


class Ainfera(Struct, frozen=True, kw_only=True):
    """What we say about an answer, in the answer."""

    agent_id: str
    inference_id: str
    receipt_id: str | None
    provider: str
    model: str
    cost_usd: str | None
    audit_verify_url: str


class ReplyMessage(
    Struct, frozen=True, omit_defaults=True, kw_only=True, tag_field="role", tag="assistant"
):
    content: str | None
    refusal: None
    reasoning_content: str | None = None
    tool_calls: tuple[ToolCall, ...] | None = None


class ReplyChoice(Struct, frozen=True, kw_only=True):
    index: int
    message: ReplyMessage
    logprobs: None
    finish_reason: str


class Completion(
    Struct, frozen=True, omit_defaults=True, tag_field="object", tag="chat.completion"
):
    id: str
    created: int
    model: str
    choices: tuple[ReplyChoice, ...]
    ainfera: Ainfera
    usage: Usage | None = None


class DeltaFunction(Struct, frozen=True, omit_defaults=True):
    arguments: str
    name: str | None = None


class DeltaToolCall(Struct, frozen=True, omit_defaults=True):
    index: int
    function: DeltaFunction
    id: str | None = None
    type: str | None = None


class Delta(Struct, frozen=True, omit_defaults=True):
    role: str | None = None
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: tuple[DeltaToolCall, ...] | None = None


class ChunkChoice(Struct, frozen=True):
    index: int
    delta: Delta
    logprobs: None
    finish_reason: str | None


class Chunk(Struct, frozen=True, tag_field="object", tag="chat.completion.chunk"):
    id: str
    created: int
    model: str
    choices: tuple[ChunkChoice, ...]


class ChunkWithUsage(Struct, frozen=True, tag_field="object", tag="chat.completion.chunk"):
    """With `include_usage` every chunk names it, and it is null in all but the last."""

    id: str
    created: int
    model: str
    choices: tuple[ChunkChoice, ...]
    usage: Usage | None


class Error(Struct, frozen=True):
    message: str
    type: str | None = None
    param: str | None = None
    code: str | None = None


class ErrorAnswer(Struct, frozen=True):
    """What is wrong, in OpenAI's words, and beside them in ours."""

    error: Error
    detail: Raw


class UpstreamError(Struct, frozen=True):
    """An error object as vendors write it; numbers stand where OpenAI has words."""

    message: str | None = None
    type: str | None = None
    code: str | int | None = None
    status: str | int | None = None


class UpstreamErrorAnswer(Struct, frozen=True):
    """An error envelope as vendors write it; Mistral has no `error`, only a `message`.

    `type` is "error" in the envelope of Anthropic, which is not this dialect.
    """

    error: UpstreamError | str | None = None
    message: str | None = None
    type: str | None = None
    code: str | int | None = None
