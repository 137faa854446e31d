"""The names of OpenAI's Responses: what is asked, what is answered, and streamed events.

https://developers.openai.com/api/reference/resources/responses
"""

from typing import Literal

from msgspec import Raw, Struct

NOTHING = Raw()
"""A field that its author left out."""


class InputText(Struct, frozen=True, tag_field="type", tag="input_text"):
    text: str


class InputImage(Struct, frozen=True, tag_field="type", tag="input_image"):
    image_url: str
    detail: Literal["auto"]


InputPart = InputText | InputImage


class InputMessage(Struct, frozen=True, tag_field="type", tag="message"):
    role: Literal["system", "user", "assistant"]
    content: str | tuple[InputPart, ...]


class FunctionCall(Struct, frozen=True, tag_field="type", tag="function_call"):
    call_id: str
    name: str
    arguments: str


class FunctionCallOutput(Struct, frozen=True, tag_field="type", tag="function_call_output"):
    call_id: str
    output: str | tuple[InputPart, ...]


class SummaryText(Struct, frozen=True, tag_field="type", tag="summary_text"):
    text: str


class Reasoning(Struct, frozen=True, tag_field="type", tag="reasoning"):
    id: str
    summary: tuple[SummaryText, ...]
    encrypted_content: str


InputItem = InputMessage | FunctionCall | FunctionCallOutput | Reasoning


class FunctionTool(Struct, frozen=True, tag_field="type", tag="function"):
    """`strict` is written because its absence means true here and false in chat completions."""

    name: str
    description: str | None
    parameters: Raw
    strict: bool


class NamedTool(Struct, frozen=True, tag_field="type", tag="function"):
    name: str


ToolChoice = Literal["none", "auto", "required"] | NamedTool


class ChatSchema(Struct, frozen=True, omit_defaults=True):
    """The `json_schema` of a response format as chat completions write it."""

    name: str
    schema: Raw = NOTHING
    description: str | None = None
    strict: bool | None = None


class ChatFormat(Struct, frozen=True, omit_defaults=True):
    """A response format as chat completions write it."""

    type: str
    json_schema: ChatSchema | None = None


class TextFormat(Struct, frozen=True, omit_defaults=True):
    """The same response format as Responses write it."""

    type: str
    name: str | None = None
    schema: Raw = NOTHING
    description: str | None = None
    strict: bool | None = None


class TextConfig(Struct, frozen=True):
    format: TextFormat


class ResponseRequest(Struct, frozen=True, omit_defaults=True, kw_only=True):
    model: str
    input: tuple[InputItem, ...]
    store: bool
    max_output_tokens: int
    tools: tuple[FunctionTool, ...] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    text: TextConfig | None = None
    stream: bool | None = None


class InputDetails(Struct, frozen=True):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class OutputDetails(Struct, frozen=True):
    reasoning_tokens: int | None = None


class Usage(Struct, frozen=True):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


class SaidText(Struct, frozen=True):
    """A part of a message or of reasoning: text, a refusal, or something that we do not know."""

    type: str
    text: str | None = None
    refusal: str | None = None


class SaidItem(Struct, frozen=True):
    """An item of the output, of whatever type; only those that we understand are read further."""

    type: str
    id: str | None = None
    content: tuple[SaidText, ...] | None = None
    summary: tuple[SaidText, ...] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: Raw = NOTHING
    input: Raw = NOTHING


class IncompleteDetails(Struct, frozen=True):
    reason: str | None = None


class ResponseError(Struct, frozen=True):
    message: str | None = None
    code: str | None = None
    type: str | None = None


class Response(Struct, frozen=True):
    id: str
    model: str
    status: str | None = None
    output: tuple[SaidItem, ...] = ()
    usage: Raw = NOTHING
    incomplete_details: IncompleteDetails | None = None
    error: ResponseError | None = None


class StreamedEvent(Struct, frozen=True):
    """One event of a stream; each type has some of these fields."""

    type: str = ""
    response: Response | None = None
    item: SaidItem | None = None
    output_index: int = 0
    content_index: int = 0
    delta: Raw = NOTHING
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    input: str | None = None
    code: str | None = None
    message: str | None = None
    error: ResponseError | None = None


class ErrorAnswer(Struct, frozen=True):
    error: ResponseError | None = None
