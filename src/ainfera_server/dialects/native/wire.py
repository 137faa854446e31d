"""The names of the native API's answers; it asks in the form of chat completions."""

from msgspec import Raw, Struct

from ainfera_server.conversation import FinishReason, Json


class TextBlock(Struct, frozen=True, tag_field="type", tag="text"):
    text: str


class ThinkingBlock(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="thinking"):
    thinking: str
    signature: str | None = None


class RedactedThinkingBlock(Struct, frozen=True, tag_field="type", tag="redacted_thinking"):
    data: str


class ToolUseBlock(Struct, frozen=True, tag_field="type", tag="tool_use"):
    """`input` is the object of arguments, or a text when the model wrote something else."""

    id: str
    name: str
    input: Raw


Block = TextBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock


class Answered(Struct, frozen=True, kw_only=True):
    """What an answer says about us, whoever gave it."""

    inference_id: str
    receipt_id: str | None
    agent_id: str
    model_used: str
    provider: str
    cost_usd: str | None


class Answer(Struct, frozen=True, kw_only=True):
    """A whole answer; `content` is never null, `content_blocks` is when there is only text."""

    inference_id: str
    receipt_id: str | None
    agent_id: str
    content: str
    content_blocks: tuple[Block, ...] | None
    model_used: str
    provider: str
    finish_reason: FinishReason
    finish_reason_native: str | None
    input_tokens: int
    output_tokens: int
    cost_usd: str | None


class FieldError(Struct, frozen=True):
    """A mistake and its place, as FastAPI tells it."""

    loc: tuple[str | int, ...]
    msg: str
    type: str


class Error(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """`error` and `code` are the same word, because clients look for either."""

    error: str
    code: str
    message: str
    reason: str | None = None
    model: Json = None
    provider: Json = None
    backend: Json = None
    hint: Json = None
    detail: str | tuple[FieldError, ...] | dict[str, Json]
